import CSMMUBroker
import Wire

// The constants of smmu_broker_admin.h and what Wire takes them for.

extension Constant {
    // A table: one line for each constant.
    static let admin: [Constant] = [
        Constant("ADMIN_VERSION", SMMU_BROKER_ADMIN_VERSION, AdminLimits.version),
        Constant("ADMIN_MAXIMUM_SESSIONS", SMMU_BROKER_ADMIN_MAXIMUM_SESSIONS, UInt32(AdminLimits.sessions)),
        Constant("ADMIN_MAXIMUM_CONTEXTS", SMMU_BROKER_ADMIN_MAXIMUM_CONTEXTS, UInt32(AdminLimits.contexts)),
        Constant("ADMIN_MAXIMUM_PATTERNS", SMMU_BROKER_ADMIN_MAXIMUM_PATTERNS, UInt32(AdminLimits.patterns)),
        Constant("ADMIN_MAXIMUM_TEXT", SMMU_BROKER_ADMIN_MAXIMUM_TEXT, UInt32(AdminLimits.text)),
        Constant("ADMIN_MAXIMUM_RECORDS", SMMU_BROKER_ADMIN_MAXIMUM_RECORDS, UInt32(AdminLimits.records)),
        Constant("ADMIN_STATUS", SMMU_BROKER_ADMIN_STATUS.rawValue, UInt32(AdminRequestType.status.rawValue)),
        Constant("ADMIN_LIST", SMMU_BROKER_ADMIN_LIST.rawValue, UInt32(AdminRequestType.list.rawValue)),
        Constant("ADMIN_SHOW", SMMU_BROKER_ADMIN_SHOW.rawValue, UInt32(AdminRequestType.show.rawValue)),
        Constant("ADMIN_METRICS", SMMU_BROKER_ADMIN_METRICS.rawValue, UInt32(AdminRequestType.metrics.rawValue)),
        Constant("ADMIN_MONITOR", SMMU_BROKER_ADMIN_MONITOR.rawValue, UInt32(AdminRequestType.monitor.rawValue)),
        Constant(
            "ADMIN_SESSION_CREATE", SMMU_BROKER_ADMIN_SESSION_CREATE.rawValue,
            UInt32(AdminRequestType.sessionCreate.rawValue)),
        Constant(
            "ADMIN_QUARANTINE", SMMU_BROKER_ADMIN_QUARANTINE.rawValue, UInt32(AdminRequestType.quarantine.rawValue)),
        Constant("ADMIN_RELEASE", SMMU_BROKER_ADMIN_RELEASE.rawValue, UInt32(AdminRequestType.release.rawValue)),
        Constant("ADMIN_RELOAD", SMMU_BROKER_ADMIN_RELOAD.rawValue, UInt32(AdminRequestType.reload.rawValue)),
        Constant("ADMIN_HAND_BACK", SMMU_BROKER_ADMIN_HAND_BACK.rawValue, UInt32(AdminRequestType.handBack.rawValue)),
        Constant("ADMIN_READMIT", SMMU_BROKER_ADMIN_READMIT.rawValue, UInt32(AdminRequestType.readmit.rawValue)),
        Constant("ADMIN_HELD_BACK", SMMU_BROKER_ADMIN_HELD_BACK.rawValue, UInt32(AdminRequestType.heldBack.rawValue)),
        Constant("ADMIN_LET_GO", SMMU_BROKER_ADMIN_LET_GO.rawValue, UInt32(AdminRequestType.letGo.rawValue)),
        Constant("ADMIN_MAXIMUM_HELD_BACK", SMMU_BROKER_ADMIN_MAXIMUM_HELD_BACK, UInt32(AdminLimits.heldBack)),
        Constant("ADMIN_ORPHANED", SMMU_BROKER_ADMIN_ORPHANED.rawValue, AdminHeldDevice.Reason.orphaned.rawValue),
        Constant("ADMIN_WITHHELD", SMMU_BROKER_ADMIN_WITHHELD.rawValue, AdminHeldDevice.Reason.withheld.rawValue),
        Constant("ADMIN_CONTEXT_ILLEGAL", SMMU_BROKER_ADMIN_CONTEXT_ILLEGAL, AdminContext.Flags.illegal.rawValue),
        Constant(
            "ADMIN_CONTEXT_VSMMU_ENABLED", SMMU_BROKER_ADMIN_CONTEXT_VSMMU_ENABLED,
            AdminContext.Flags.vsmmuEnabled.rawValue),
        Constant(
            "ADMIN_CONTEXT_VSMMU_FAILED", SMMU_BROKER_ADMIN_CONTEXT_VSMMU_FAILED,
            AdminContext.Flags.vsmmuFailed.rawValue),
        Constant(
            "ADMIN_MONITOR_HISTORY", SMMU_BROKER_ADMIN_MONITOR_HISTORY, AdminMonitorRequest.Flags.history.rawValue),
        Constant("ADMIN_MONITOR_FOLLOW", SMMU_BROKER_ADMIN_MONITOR_FOLLOW, AdminMonitorRequest.Flags.follow.rawValue),
        Constant(
            "ADMIN_MONITOR_NOTICES", SMMU_BROKER_ADMIN_MONITOR_NOTICES, AdminMonitorRequest.Flags.notices.rawValue),
        Constant("ADMIN_EVERY_SESSION", SMMU_BROKER_ADMIN_EVERY_SESSION, AdminMonitorRequest.everySession),
        Constant("ADMIN_EVERY_KIND", SMMU_BROKER_ADMIN_EVERY_KIND, AdminMonitorRequest.everyKind),
        Constant("ADMIN_EVENT_SAMPLE", SMMU_BROKER_ADMIN_EVENT_SAMPLE, 1),
        Constant("ADMIN_EVENT", SMMU_BROKER_ADMIN_EVENT.rawValue, UInt32(MonitorType.events.rawValue)),
        Constant("ADMIN_NOTICE", SMMU_BROKER_ADMIN_NOTICE.rawValue, UInt32(MonitorType.notices.rawValue)),
        Constant("ADMIN_LOST", SMMU_BROKER_ADMIN_LOST.rawValue, UInt32(MonitorType.lost.rawValue)),
        Constant("ADMIN_BEGAN", SMMU_BROKER_ADMIN_BEGAN.rawValue, MonitorNotice.Kind.began.rawValue),
        Constant("ADMIN_ENDED", SMMU_BROKER_ADMIN_ENDED.rawValue, MonitorNotice.Kind.ended.rawValue),
        Constant("ADMIN_ATTACHED", SMMU_BROKER_ADMIN_ATTACHED.rawValue, MonitorNotice.Kind.attached.rawValue),
        Constant("ADMIN_DETACHED", SMMU_BROKER_ADMIN_DETACHED.rawValue, MonitorNotice.Kind.detached.rawValue),
        Constant("ADMIN_EVENTS_LOST", SMMU_BROKER_ADMIN_EVENTS_LOST.rawValue, MonitorNotice.Kind.eventsLost.rawValue),
        Constant(
            "ADMIN_RESYNCHRONIZED", SMMU_BROKER_ADMIN_RESYNCHRONIZED.rawValue,
            MonitorNotice.Kind.resynchronized.rawValue),
        Constant(
            "ADMIN_VSMMU_FAILED", SMMU_BROKER_ADMIN_VSMMU_FAILED.rawValue, MonitorNotice.Kind.vsmmuFailed.rawValue),
        Constant(
            "ADMIN_DEVICE_TIMED_OUT", SMMU_BROKER_ADMIN_DEVICE_TIMED_OUT.rawValue,
            MonitorNotice.Kind.deviceTimedOut.rawValue),
        Constant("ADMIN_HEALTH", SMMU_BROKER_ADMIN_HEALTH.rawValue, MonitorNotice.Kind.health.rawValue),
    ]
}
