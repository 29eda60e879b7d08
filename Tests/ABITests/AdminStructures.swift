import CSMMUBroker
import SMMUv3
import Wire

// The structures of smmu_broker_admin.h and the layouts that Wire has for them.

extension Structure {
    // A table: one line for each member of each structure.
    static let admin: [Structure] = [
        Structure(
            "admin_counters", smmu_broker_admin_counters.self, AdminCounters.byteCount,
            [
                member(\smmu_broker_admin_counters.requests, AdminCounters.Layout.requests),
                member(\smmu_broker_admin_counters.refusals, AdminCounters.Layout.refusals),
                member(\smmu_broker_admin_counters.batches, AdminCounters.Layout.batches),
                member(\smmu_broker_admin_counters.commands, AdminCounters.Layout.commands),
                member(\smmu_broker_admin_counters.ignored_commands, AdminCounters.Layout.ignoredCommands),
                member(\smmu_broker_admin_counters.stes_installed, AdminCounters.Layout.stesInstalled),
                member(\smmu_broker_admin_counters.resynchronizations, AdminCounters.Layout.resynchronizations),
                member(\smmu_broker_admin_counters.host_failures, AdminCounters.Layout.hostFailures),
                member(\smmu_broker_admin_counters.events, AdminCounters.Layout.events),
                member(\smmu_broker_admin_counters.events_delivered, AdminCounters.Layout.eventsDelivered),
                member(\smmu_broker_admin_counters.events_lost, AdminCounters.Layout.eventsLost),
                member(\smmu_broker_admin_counters.journal_suppressed, AdminCounters.Layout.journalSuppressed),
                member(\smmu_broker_admin_counters.events_discarded, AdminCounters.Layout.eventsDiscarded),
                member(\smmu_broker_admin_counters.events_outdated, AdminCounters.Layout.eventsOutdated),
            ]),
        Structure(
            "admin_session", smmu_broker_admin_session.self, AdminSession.byteCount,
            [
                member(\smmu_broker_admin_session.id, AdminSession.Layout.id),
                member(\smmu_broker_admin_session.vm, AdminSession.Layout.vm),
                member(\smmu_broker_admin_session.grant, AdminSession.Layout.grant),
                member(\smmu_broker_admin_session.pid, AdminSession.Layout.pid),
                member(\smmu_broker_admin_session.uid, AdminSession.Layout.uid),
                member(\smmu_broker_admin_session.vsmmus, AdminSession.Layout.vsmmus),
                member(\smmu_broker_admin_session.contexts, AdminSession.Layout.contexts),
                member(\smmu_broker_admin_session.maps, AdminSession.Layout.maps),
                member(\smmu_broker_admin_session.suspect_contexts, AdminSession.Layout.suspectContexts),
                member(\smmu_broker_admin_session.quarantined_contexts, AdminSession.Layout.quarantinedContexts),
                member(\smmu_broker_admin_session.mapped_bytes, AdminSession.Layout.mappedBytes),
                member(\smmu_broker_admin_session.busy_ns, AdminSession.Layout.busyNanoseconds),
                member(\smmu_broker_admin_session.counters, AdminSession.Layout.counters),
            ]),
        Structure(
            "admin_context", smmu_broker_admin_context.self, AdminContext.byteCount,
            [
                member(\smmu_broker_admin_context.vsmmu, AdminContext.Layout.vsmmu),
                member(\smmu_broker_admin_context.vsid, AdminContext.Layout.vsid),
                member(\smmu_broker_admin_context.device, AdminContext.Layout.device),
                member(\smmu_broker_admin_context.smmu, AdminContext.Layout.smmu),
                member(\smmu_broker_admin_context.physical_stream, AdminContext.Layout.physicalStream),
                member(\smmu_broker_admin_context.state, AdminContext.Layout.state),
                member(\smmu_broker_admin_context.flags, AdminContext.Layout.flags),
                member(\smmu_broker_admin_context.health, AdminContext.Layout.health),
                member(\smmu_broker_admin_context.events, AdminContext.Layout.events),
                member(\smmu_broker_admin_context.stes_installed, AdminContext.Layout.stesInstalled),
                member(
                    \smmu_broker_admin_context.ste, "ste",
                    AdminContext.Layout.word0.offset..<AdminContext.Layout.word1.end),
                member(\smmu_broker_admin_context.health_reason, AdminContext.Layout.healthReason),
                member(\smmu_broker_admin_context.health_reasons, AdminContext.Layout.healthReasons),
                member(\smmu_broker_admin_context.health_ns, AdminContext.Layout.healthNanoseconds),
                member(\smmu_broker_admin_context.parked_ns, AdminContext.Layout.parkedNanoseconds),
                member(\smmu_broker_admin_context.stalls, AdminContext.Layout.stalls),
            ]),
        Structure(
            "admin_latency", smmu_broker_admin_latency.self, AdminLatency.byteCount,
            [
                member(\smmu_broker_admin_latency.count, AdminLatency.Layout.count),
                member(\smmu_broker_admin_latency.p50_ns, AdminLatency.Layout.median),
                member(\smmu_broker_admin_latency.p99_ns, AdminLatency.Layout.percentile99),
                member(\smmu_broker_admin_latency.maximum_ns, AdminLatency.Layout.maximum),
            ]),
        Structure(
            "admin_explain", smmu_broker_admin_explain.self, AdminExplainRequest.byteCount,
            [
                member(\smmu_broker_admin_explain.header, "header", 0..<RequestHeader.Layout.byteCount),
                member(\smmu_broker_admin_explain.session, AdminExplainRequest.Layout.session),
                member(\smmu_broker_admin_explain.vsmmu, AdminExplainRequest.Layout.vsmmu),
                member(\smmu_broker_admin_explain.vsid, AdminExplainRequest.Layout.vsid),
                member(\smmu_broker_admin_explain.iova, AdminExplainRequest.Layout.iova),
                member(\smmu_broker_admin_explain.ssid, AdminExplainRequest.Layout.substream),
                member(\smmu_broker_admin_explain.flags, AdminExplainRequest.Layout.flags),
            ]),
        Structure(
            "admin_invalidation", smmu_broker_admin_invalidation.self, AdminInvalidation.byteCount,
            [
                member(\smmu_broker_admin_invalidation.first, AdminInvalidation.Layout.first),
                member(\smmu_broker_admin_invalidation.last, AdminInvalidation.Layout.last),
                member(\smmu_broker_admin_invalidation.age_ns, AdminInvalidation.Layout.age),
                member(\smmu_broker_admin_invalidation.count, AdminInvalidation.Layout.count),
                member(\smmu_broker_admin_invalidation.reserved, AdminInvalidation.Layout.reserved),
            ]),
        Structure(
            "admin_word", smmu_broker_admin_word.self, AdminWord.byteCount,
            [
                member(\smmu_broker_admin_word.address, AdminWord.Layout.address),
                member(\smmu_broker_admin_word.value, AdminWord.Layout.value),
            ]),
        Structure(
            "admin_explain_reply", smmu_broker_admin_explain_reply.self, AdminExplainReply.byteCount,
            [
                member(\smmu_broker_admin_explain_reply.header, "header", 0..<ReplyHeader.Layout.byteCount),
                member(\smmu_broker_admin_explain_reply.context, AdminExplainReply.Layout.context),
                member(\smmu_broker_admin_explain_reply.ste, AdminExplainReply.Layout.ste),
                member(\smmu_broker_admin_explain_reply.registers, AdminExplainReply.Layout.registers),
                member(\smmu_broker_admin_explain_reply.strtab_base, AdminExplainReply.Layout.streamTableBase),
                member(
                    \smmu_broker_admin_explain_reply.strtab_base_cfg, AdminExplainReply.Layout.streamTableBaseConfig),
                member(\smmu_broker_admin_explain_reply.stream, AdminExplainReply.Layout.stream),
                member(\smmu_broker_admin_explain_reply.flags, AdminExplainReply.Layout.flags),
                member(\smmu_broker_admin_explain_reply.invalidation_count, AdminExplainReply.Layout.invalidationCount),
                member(\smmu_broker_admin_explain_reply.word_count, AdminExplainReply.Layout.wordCount),
                member(\smmu_broker_admin_explain_reply.reserved, AdminExplainReply.Layout.reserved),
                member(\smmu_broker_admin_explain_reply.time_ns, AdminExplainReply.Layout.time),
            ]),
        Structure(
            "admin_status_reply", smmu_broker_admin_status_reply.self, AdminStatusReply.byteCount,
            [
                member(\smmu_broker_admin_status_reply.header, "header", 0..<ReplyHeader.Layout.byteCount),
                member(\smmu_broker_admin_status_reply.version, AdminStatusReply.Layout.version),
                member(\smmu_broker_admin_status_reply.pid, AdminStatusReply.Layout.pid),
                member(\smmu_broker_admin_status_reply.epoch, AdminStatusReply.Layout.epoch),
                member(\smmu_broker_admin_status_reply.uptime_ns, AdminStatusReply.Layout.uptimeNanoseconds),
                member(\smmu_broker_admin_status_reply.started_ns, AdminStatusReply.Layout.startedNanoseconds),
                member(\smmu_broker_admin_status_reply.release, AdminStatusReply.Layout.release),
                member(\smmu_broker_admin_status_reply.backend, AdminStatusReply.Layout.backend),
                member(\smmu_broker_admin_status_reply.sessions, AdminStatusReply.Layout.sessions),
                member(\smmu_broker_admin_status_reply.maximum_sessions, AdminStatusReply.Layout.maximumSessions),
                member(\smmu_broker_admin_status_reply.vsmmus, AdminStatusReply.Layout.vsmmus),
                member(\smmu_broker_admin_status_reply.contexts, AdminStatusReply.Layout.contexts),
                member(\smmu_broker_admin_status_reply.monitors, AdminStatusReply.Layout.monitors),
                member(\smmu_broker_admin_status_reply.busy_sessions, AdminStatusReply.Layout.busySessions),
                member(\smmu_broker_admin_status_reply.reloads, AdminStatusReply.Layout.reloads),
                member(\smmu_broker_admin_status_reply.refused_reloads, AdminStatusReply.Layout.refusedReloads),
                member(\smmu_broker_admin_status_reply.ended_sessions, AdminStatusReply.Layout.endedSessions),
                member(\smmu_broker_admin_status_reply.counters, AdminStatusReply.Layout.counters),
                member(\smmu_broker_admin_status_reply.suspect_contexts, AdminStatusReply.Layout.suspectContexts),
                member(
                    \smmu_broker_admin_status_reply.quarantined_contexts, AdminStatusReply.Layout.quarantinedContexts),
                member(\smmu_broker_admin_status_reply.text_size, AdminStatusReply.Layout.textSize),
                member(\smmu_broker_admin_status_reply.held_back, AdminStatusReply.Layout.heldBack),
            ]),
        Structure(
            "admin_held_device", smmu_broker_admin_held_device.self, AdminHeldDevice.byteCount,
            [
                member(\smmu_broker_admin_held_device.device, AdminHeldDevice.Layout.device),
                member(\smmu_broker_admin_held_device.vm, AdminHeldDevice.Layout.vm),
                member(\smmu_broker_admin_held_device.session, AdminHeldDevice.Layout.session),
                member(\smmu_broker_admin_held_device.reason, AdminHeldDevice.Layout.reason),
                member(\smmu_broker_admin_held_device.reserved, AdminHeldDevice.Layout.reserved),
            ]),
        Structure(
            "admin_held_back_reply", smmu_broker_admin_held_back_reply.self, AdminHeldDevice.replyByteCount,
            [
                member(\smmu_broker_admin_held_back_reply.header, "header", 0..<ReplyHeader.Layout.byteCount),
                member(\smmu_broker_admin_held_back_reply.total, AdminHeldDevice.ReplyLayout.total),
                member(\smmu_broker_admin_held_back_reply.count, AdminHeldDevice.ReplyLayout.count),
            ]),
        Structure(
            "admin_list", smmu_broker_admin_list.self, AdminListRequest.byteCount,
            [
                member(\smmu_broker_admin_list.header, "header", 0..<RequestHeader.Layout.byteCount),
                member(\smmu_broker_admin_list.after, AdminListRequest.Layout.after),
            ]),
        Structure(
            "admin_list_reply", smmu_broker_admin_list_reply.self, AdminListReply.byteCount,
            [
                member(\smmu_broker_admin_list_reply.header, "header", 0..<ReplyHeader.Layout.byteCount),
                member(\smmu_broker_admin_list_reply.total, AdminListReply.Layout.total),
                member(\smmu_broker_admin_list_reply.count, AdminListReply.Layout.count),
            ]),
        Structure(
            "admin_show", smmu_broker_admin_show.self, AdminShowRequest.byteCount,
            [
                member(\smmu_broker_admin_show.header, "header", 0..<RequestHeader.Layout.byteCount),
                member(\smmu_broker_admin_show.session, AdminShowRequest.Layout.session),
                member(\smmu_broker_admin_show.first, AdminShowRequest.Layout.first),
                member(\smmu_broker_admin_show.reserved, AdminShowRequest.Layout.reserved),
            ]),
        Structure(
            "admin_show_reply", smmu_broker_admin_show_reply.self, AdminShowReply.byteCount,
            [
                member(\smmu_broker_admin_show_reply.header, "header", 0..<ReplyHeader.Layout.byteCount),
                member(\smmu_broker_admin_show_reply.session, AdminShowReply.Layout.session),
                member(\smmu_broker_admin_show_reply.total, AdminShowReply.Layout.total),
                member(\smmu_broker_admin_show_reply.count, AdminShowReply.Layout.count),
            ]),
        Structure(
            "admin_metrics", smmu_broker_admin_metrics.self, AdminMetricsRequest.byteCount,
            [
                member(\smmu_broker_admin_metrics.header, "header", 0..<RequestHeader.Layout.byteCount),
                member(\smmu_broker_admin_metrics.offset, AdminMetricsRequest.Layout.offset),
                member(\smmu_broker_admin_metrics.reserved, AdminMetricsRequest.Layout.reserved),
            ]),
        Structure(
            "admin_metrics_reply", smmu_broker_admin_metrics_reply.self, AdminTextReply.byteCount,
            [
                member(\smmu_broker_admin_metrics_reply.header, "header", 0..<ReplyHeader.Layout.byteCount),
                member(\smmu_broker_admin_metrics_reply.total, AdminTextReply.metrics.number),
                member(\smmu_broker_admin_metrics_reply.text_size, AdminTextReply.Layout.textSize),
            ]),
        Structure(
            "admin_pattern", smmu_broker_admin_pattern.self, AdminPattern.byteCount,
            [
                member(\smmu_broker_admin_pattern.text, AdminPattern.Layout.text)
            ]),
        Structure(
            "admin_session_create", smmu_broker_admin_session_create.self, AdminSessionCreateRequest.byteCount,
            [
                member(\smmu_broker_admin_session_create.header, "header", 0..<RequestHeader.Layout.byteCount),
                member(\smmu_broker_admin_session_create.name, AdminSessionCreateRequest.Layout.name),
                member(\smmu_broker_admin_session_create.maximum_memory, AdminSessionCreateRequest.Layout.memory),
                member(\smmu_broker_admin_session_create.maximum_maps, AdminSessionCreateRequest.Layout.maps),
                member(\smmu_broker_admin_session_create.maximum_vsmmus, AdminSessionCreateRequest.Layout.vsmmus),
                member(\smmu_broker_admin_session_create.maximum_contexts, AdminSessionCreateRequest.Layout.contexts),
                member(\smmu_broker_admin_session_create.pattern_count, AdminSessionCreateRequest.Layout.patternCount),
            ]),
        Structure(
            "admin_session_reply", smmu_broker_admin_session_reply.self, AdminSessionReply.byteCount,
            [
                member(\smmu_broker_admin_session_reply.header, "header", 0..<ReplyHeader.Layout.byteCount),
                member(\smmu_broker_admin_session_reply.session, AdminSessionReply.Layout.session),
            ]),
        Structure(
            "admin_device", smmu_broker_admin_device.self, AdminDeviceRequest.byteCount,
            [
                member(\smmu_broker_admin_device.header, "header", 0..<RequestHeader.Layout.byteCount),
                member(\smmu_broker_admin_device.device, AdminDeviceRequest.Layout.device),
            ]),
        Structure(
            "admin_reload_reply", smmu_broker_admin_reload_reply.self, AdminTextReply.byteCount,
            [
                member(\smmu_broker_admin_reload_reply.header, "header", 0..<ReplyHeader.Layout.byteCount),
                member(\smmu_broker_admin_reload_reply.applied, AdminTextReply.reload.number),
                member(\smmu_broker_admin_reload_reply.text_size, AdminTextReply.Layout.textSize),
            ]),
        Structure(
            "admin_monitor", smmu_broker_admin_monitor.self, AdminMonitorRequest.byteCount,
            [
                member(\smmu_broker_admin_monitor.header, "header", 0..<RequestHeader.Layout.byteCount),
                member(\smmu_broker_admin_monitor.session, AdminMonitorRequest.Layout.session),
                member(\smmu_broker_admin_monitor.flags, AdminMonitorRequest.Layout.flags),
                member(\smmu_broker_admin_monitor.vsmmu, AdminMonitorRequest.Layout.vsmmu),
                member(\smmu_broker_admin_monitor.kinds, AdminMonitorRequest.Layout.kinds),
                member(\smmu_broker_admin_monitor.device, AdminMonitorRequest.Layout.device),
            ]),
        Structure(
            "admin_monitor_header", smmu_broker_admin_monitor_header.self, MonitorMessage.byteCount,
            [
                member(\smmu_broker_admin_monitor_header.type, MonitorMessage.Layout.type),
                member(\smmu_broker_admin_monitor_header.count, MonitorMessage.Layout.count),
                member(\smmu_broker_admin_monitor_header.size, MonitorMessage.Layout.size),
                member(\smmu_broker_admin_monitor_header.sequence, MonitorMessage.Layout.sequence),
            ]),
        Structure(
            "admin_event", smmu_broker_admin_event.self, MonitorEvent.byteCount,
            [
                member(\smmu_broker_admin_event.sequence, MonitorEvent.Layout.sequence),
                member(\smmu_broker_admin_event.time_ns, MonitorEvent.Layout.time),
                member(\smmu_broker_admin_event.session, MonitorEvent.Layout.session),
                member(\smmu_broker_admin_event.vsmmu, MonitorEvent.Layout.vsmmu),
                member(\smmu_broker_admin_event.generation, MonitorEvent.Layout.generation),
                member(\smmu_broker_admin_event.vsid, MonitorEvent.Layout.vsid),
                member(\smmu_broker_admin_event.flags, MonitorEvent.Layout.flags),
                member(\smmu_broker_admin_event.vm, MonitorEvent.Layout.vm),
                member(\smmu_broker_admin_event.device, MonitorEvent.Layout.device),
                member(\smmu_broker_admin_event.words, MonitorEvent.Layout.record),
                member(\smmu_broker_admin_event.faults, MonitorEvent.Layout.faults),
                member(\smmu_broker_admin_event.first_ns, MonitorEvent.Layout.firstTime),
            ]),
        Structure(
            "admin_notice", smmu_broker_admin_notice.self, MonitorNotice.byteCount,
            [
                member(\smmu_broker_admin_notice.time_ns, MonitorNotice.Layout.time),
                member(\smmu_broker_admin_notice.session, MonitorNotice.Layout.session),
                member(\smmu_broker_admin_notice.kind, MonitorNotice.Layout.kind),
                member(\smmu_broker_admin_notice.state, MonitorNotice.Layout.state),
                member(\smmu_broker_admin_notice.vsmmu, MonitorNotice.Layout.vsmmu),
                member(\smmu_broker_admin_notice.vsid, MonitorNotice.Layout.vsid),
                member(\smmu_broker_admin_notice.count, MonitorNotice.Layout.count),
                member(\smmu_broker_admin_notice.vm, MonitorNotice.Layout.vm),
                member(\smmu_broker_admin_notice.device, MonitorNotice.Layout.device),
                member(\smmu_broker_admin_notice.reason, MonitorNotice.Layout.reason),
                member(\smmu_broker_admin_notice.reasons, MonitorNotice.Layout.reasons),
            ]),
        Structure(
            "admin_lost", smmu_broker_admin_lost.self, MonitorLoss.byteCount,
            [
                member(\smmu_broker_admin_lost.faults, MonitorLoss.Layout.faults),
                member(\smmu_broker_admin_lost.notices, MonitorLoss.Layout.notices),
            ]),
    ]
}
