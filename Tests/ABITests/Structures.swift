import CSMMUBroker
import SMMUv3
import Wire

/// One structure of the C header and the layout that Wire has for it.
struct Structure: Sendable {
    /// Without `smmu_broker_`.
    let name: String
    let sizeInC: Int
    let sizeInSwift: Int
    let fields: [Member]

    struct Member: Sendable {
        let name: String
        let rangeInC: Range<Int>
        let rangeInSwift: Range<Int>
    }

    init<C>(_ name: String, _: C.Type, _ sizeInSwift: Int, _ fields: [Member]) {
        (self.name, self.sizeInSwift, self.fields) = (name, sizeInSwift, fields)
        sizeInC = MemoryLayout<C>.size
    }
}

/// A member of the C structure `Root` beside the field of Wire.
func member<Root, C, Swift>(_ path: KeyPath<Root, C>, _ field: WireField<Swift>) -> Structure.Member {
    member(path, field.name, field.offset..<field.end)
}

/// A member that Wire has no field for: a header, or a value laid out in Swift as a whole.
func member<Root, C>(_ path: KeyPath<Root, C>, _ name: String, _ range: Range<Int>) -> Structure.Member {
    let offset = MemoryLayout<Root>.offset(of: path) ?? -1
    return Structure.Member(name: name, rangeInC: offset..<offset + MemoryLayout<C>.size, rangeInSwift: range)
}

extension Structure {
    // A table: one line for each member of each structure.
    static let all: [Structure] = requests + replies + records

    private static let requests: [Structure] = [
        Structure(
            "request", smmu_broker_request.self, RequestHeader.Layout.byteCount,
            [
                member(\smmu_broker_request.type, RequestHeader.Layout.type),
                member(\smmu_broker_request.reserved, RequestHeader.Layout.reserved),
                member(\smmu_broker_request.size, RequestHeader.Layout.size),
                member(\smmu_broker_request.cookie, RequestHeader.Layout.cookie),
            ]),
        Structure(
            "hello", smmu_broker_hello.self, HelloRequest.byteCount,
            [
                member(\smmu_broker_hello.header, "header", 0..<RequestHeader.Layout.byteCount),
                member(\smmu_broker_hello.version, HelloRequest.Layout.version),
                member(\smmu_broker_hello.reserved, HelloRequest.Layout.reserved),
                member(\smmu_broker_hello.features, HelloRequest.Layout.features),
                member(\smmu_broker_hello.name, HelloRequest.Layout.name),
            ]),
        Structure(
            "vsmmu_create", smmu_broker_vsmmu_create.self, VSMMUCreateRequest.byteCount,
            [
                member(\smmu_broker_vsmmu_create.header, "header", 0..<RequestHeader.Layout.byteCount),
                member(\smmu_broker_vsmmu_create.device, VSMMUCreateRequest.Layout.device),
                member(\smmu_broker_vsmmu_create.wanted, VSMMUCreateRequest.Layout.wanted),
            ]),
        Structure(
            "vsmmu", smmu_broker_vsmmu.self, VSMMURequest.byteCount,
            [
                member(\smmu_broker_vsmmu.header, "header", 0..<RequestHeader.Layout.byteCount),
                member(\smmu_broker_vsmmu.vsmmu, VSMMURequest.Layout.vsmmu),
                member(\smmu_broker_vsmmu.reserved, VSMMURequest.Layout.reserved),
            ]),
        Structure(
            "vsmmu_state", smmu_broker_vsmmu_state.self, VSMMUStateRequest.byteCount,
            [
                member(\smmu_broker_vsmmu_state.header, "header", 0..<RequestHeader.Layout.byteCount),
                member(\smmu_broker_vsmmu_state.vsmmu, VSMMUStateRequest.Layout.vsmmu),
                member(\smmu_broker_vsmmu_state.flags, VSMMUStateRequest.Layout.flags),
                member(\smmu_broker_vsmmu_state.entry_count, VSMMUStateRequest.Layout.entryCount),
                member(\smmu_broker_vsmmu_state.reserved, VSMMUStateRequest.Layout.reserved),
            ]),
        Structure(
            "memory_map", smmu_broker_memory_map.self, MemoryMapRequest.byteCount,
            [
                member(\smmu_broker_memory_map.header, "header", 0..<RequestHeader.Layout.byteCount),
                member(\smmu_broker_memory_map.ipa, MemoryMapRequest.Layout.ipa),
                member(\smmu_broker_memory_map.size, MemoryMapRequest.Layout.size),
                member(\smmu_broker_memory_map.offset, MemoryMapRequest.Layout.offset),
                member(\smmu_broker_memory_map.flags, MemoryMapRequest.Layout.flags),
                member(\smmu_broker_memory_map.reserved, MemoryMapRequest.Layout.reserved),
            ]),
        Structure(
            "memory_unmap", smmu_broker_memory_unmap.self, MemoryUnmapRequest.byteCount,
            [
                member(\smmu_broker_memory_unmap.header, "header", 0..<RequestHeader.Layout.byteCount),
                member(\smmu_broker_memory_unmap.ipa, MemoryUnmapRequest.Layout.ipa),
                member(\smmu_broker_memory_unmap.size, MemoryUnmapRequest.Layout.size),
            ]),
        Structure(
            "device_attach", smmu_broker_device_attach.self, DeviceAttachRequest.byteCount,
            [
                member(\smmu_broker_device_attach.header, "header", 0..<RequestHeader.Layout.byteCount),
                member(\smmu_broker_device_attach.vsmmu, DeviceAttachRequest.Layout.vsmmu),
                member(\smmu_broker_device_attach.vsid, DeviceAttachRequest.Layout.vsid),
                member(\smmu_broker_device_attach.device, DeviceAttachRequest.Layout.device),
            ]),
        Structure(
            "device_rebind", smmu_broker_device_rebind.self, DeviceRebindRequest.byteCount,
            [
                member(\smmu_broker_device_rebind.header, "header", 0..<RequestHeader.Layout.byteCount),
                member(\smmu_broker_device_rebind.vsmmu, DeviceRebindRequest.Layout.vsmmu),
                member(\smmu_broker_device_rebind.vsid, DeviceRebindRequest.Layout.vsid),
                member(\smmu_broker_device_rebind.new_vsid, DeviceRebindRequest.Layout.newVSID),
                member(\smmu_broker_device_rebind.reserved, DeviceRebindRequest.Layout.reserved),
            ]),
        Structure(
            "device", smmu_broker_device.self, DeviceRequest.byteCount,
            [
                member(\smmu_broker_device.header, "header", 0..<RequestHeader.Layout.byteCount),
                member(\smmu_broker_device.vsmmu, DeviceRequest.Layout.vsmmu),
                member(\smmu_broker_device.vsid, DeviceRequest.Layout.vsid),
            ]),
        Structure(
            "device_reset", smmu_broker_device_reset.self, DeviceResetRequest.byteCount,
            [
                member(\smmu_broker_device_reset.header, "header", 0..<RequestHeader.Layout.byteCount),
                member(\smmu_broker_device_reset.device, DeviceResetRequest.Layout.device),
            ]),
        Structure(
            "ste_set", smmu_broker_ste_set.self, STESetRequest.byteCount,
            [
                member(\smmu_broker_ste_set.header, "header", 0..<RequestHeader.Layout.byteCount),
                member(\smmu_broker_ste_set.vsmmu, STESetRequest.Layout.vsmmu),
                member(\smmu_broker_ste_set.vsid, STESetRequest.Layout.vsid),
                member(\smmu_broker_ste_set.ste, STESetRequest.Layout.ste),
            ]),
        Structure(
            "commands", smmu_broker_commands.self, CommandsRequest.byteCount,
            [
                member(\smmu_broker_commands.header, "header", 0..<RequestHeader.Layout.byteCount),
                member(\smmu_broker_commands.vsmmu, CommandsRequest.Layout.vsmmu),
                member(\smmu_broker_commands.count, CommandsRequest.Layout.count),
            ]),
        Structure(
            "msi_doorbell", smmu_broker_msi_doorbell.self, MSIDoorbellRequest.byteCount,
            [
                member(\smmu_broker_msi_doorbell.header, "header", 0..<RequestHeader.Layout.byteCount),
                member(\smmu_broker_msi_doorbell.vsmmu, MSIDoorbellRequest.Layout.vsmmu),
                member(\smmu_broker_msi_doorbell.vsid, MSIDoorbellRequest.Layout.vsid),
                member(\smmu_broker_msi_doorbell.iova, MSIDoorbellRequest.Layout.iova),
                member(\smmu_broker_msi_doorbell.ipa, MSIDoorbellRequest.Layout.ipa),
            ]),
        Structure(
            "events_subscribe", smmu_broker_events_subscribe.self, EventsSubscribeRequest.byteCount,
            [
                member(\smmu_broker_events_subscribe.header, "header", 0..<RequestHeader.Layout.byteCount),
                member(\smmu_broker_events_subscribe.delivery, EventsSubscribeRequest.Layout.delivery),
                member(\smmu_broker_events_subscribe.vsmmu, EventsSubscribeRequest.Layout.vsmmu),
                member(\smmu_broker_events_subscribe.queue_base, EventsSubscribeRequest.Layout.queueBase),
                member(
                    \smmu_broker_events_subscribe.queue_registers, EventsSubscribeRequest.Layout.queueRegisters),
                member(\smmu_broker_events_subscribe.queue_log2, EventsSubscribeRequest.Layout.queueLog2),
                member(\smmu_broker_events_subscribe.reserved, EventsSubscribeRequest.Layout.reserved),
            ]),
        Structure(
            "page_response", smmu_broker_page_response.self, PageResponseRequest.byteCount,
            [
                member(\smmu_broker_page_response.header, "header", 0..<RequestHeader.Layout.byteCount),
                member(\smmu_broker_page_response.vsmmu, PageResponseRequest.Layout.vsmmu),
                member(\smmu_broker_page_response.vsid, PageResponseRequest.Layout.vsid),
                member(\smmu_broker_page_response.stag, PageResponseRequest.Layout.stag),
                member(\smmu_broker_page_response.code, PageResponseRequest.Layout.code),
            ]),
        Structure(
            "access", smmu_broker_access.self, AccessRequest.byteCount,
            [
                member(\smmu_broker_access.header, "header", 0..<RequestHeader.Layout.byteCount),
                member(\smmu_broker_access.vsmmu, AccessRequest.Layout.vsmmu),
                member(\smmu_broker_access.vsid, AccessRequest.Layout.vsid),
                member(\smmu_broker_access.iova, AccessRequest.Layout.iova),
                member(\smmu_broker_access.ssid, AccessRequest.Layout.substream),
                member(\smmu_broker_access.flags, AccessRequest.Layout.flags),
                member(\smmu_broker_access.size, AccessRequest.Layout.size),
                member(\smmu_broker_access.reserved, AccessRequest.Layout.reserved),
            ]),
    ]

    private static let replies: [Structure] = [
        Structure(
            "reply", smmu_broker_reply.self, ReplyHeader.Layout.byteCount,
            [
                member(\smmu_broker_reply.type, ReplyHeader.Layout.type),
                member(\smmu_broker_reply.text_size, ReplyHeader.Layout.textSize),
                member(\smmu_broker_reply.size, ReplyHeader.Layout.size),
                member(\smmu_broker_reply.cookie, ReplyHeader.Layout.cookie),
                member(\smmu_broker_reply.status, ReplyHeader.Layout.status),
                member(\smmu_broker_reply.reason, ReplyHeader.Layout.reason),
                member(\smmu_broker_reply.cerror, ReplyHeader.Layout.commandError),
                member(\smmu_broker_reply.completed, ReplyHeader.Layout.completed),
            ]),
        Structure(
            "hello_reply", smmu_broker_hello_reply.self, HelloReply.byteCount,
            [
                member(\smmu_broker_hello_reply.header, "header", 0..<ReplyHeader.Layout.byteCount),
                member(\smmu_broker_hello_reply.version, HelloReply.Layout.version),
                member(\smmu_broker_hello_reply.maximum_packet, HelloReply.Layout.maximumPacket),
                member(\smmu_broker_hello_reply.features, HelloReply.Layout.features),
                member(\smmu_broker_hello_reply.epoch, HelloReply.Layout.epoch),
                member(\smmu_broker_hello_reply.maximum_memory, HelloReply.Layout.maximumMemory),
                member(\smmu_broker_hello_reply.maximum_vsmmus, HelloReply.Layout.maximumVSMMUs),
                member(\smmu_broker_hello_reply.maximum_contexts, HelloReply.Layout.maximumContexts),
                member(\smmu_broker_hello_reply.maximum_commands, HelloReply.Layout.maximumCommands),
                member(\smmu_broker_hello_reply.reserved, HelloReply.Layout.reserved),
            ]),
        Structure(
            "vsmmu_create_reply", smmu_broker_vsmmu_create_reply.self, VSMMUCreateReply.byteCount,
            [
                member(\smmu_broker_vsmmu_create_reply.header, "header", 0..<ReplyHeader.Layout.byteCount),
                member(\smmu_broker_vsmmu_create_reply.vsmmu, VSMMUCreateReply.Layout.vsmmu),
                member(\smmu_broker_vsmmu_create_reply.errata, VSMMUCreateReply.Layout.errata),
                member(\smmu_broker_vsmmu_create_reply.host, VSMMUCreateReply.Layout.host),
                member(\smmu_broker_vsmmu_create_reply.advertised, VSMMUCreateReply.Layout.advertised),
                member(\smmu_broker_vsmmu_create_reply.narrowing_count, VSMMUCreateReply.Layout.narrowingCount),
                member(\smmu_broker_vsmmu_create_reply.reserved, VSMMUCreateReply.Layout.reserved),
            ]),
        Structure(
            "contexts_reply", smmu_broker_contexts_reply.self, ContextsReply.byteCount,
            [
                member(\smmu_broker_contexts_reply.header, "header", 0..<ReplyHeader.Layout.byteCount),
                member(\smmu_broker_contexts_reply.context_count, ContextsReply.Layout.contextCount),
                member(\smmu_broker_contexts_reply.generation, ContextsReply.Layout.generation),
            ]),
        Structure(
            "device_attach_reply", smmu_broker_device_attach_reply.self, DeviceAttachReply.byteCount,
            [
                member(\smmu_broker_device_attach_reply.header, "header", 0..<ReplyHeader.Layout.byteCount),
                member(\smmu_broker_device_attach_reply.msi_base, DeviceAttachReply.Layout.msiBase),
                member(\smmu_broker_device_attach_reply.msi_size, DeviceAttachReply.Layout.msiSize),
                member(\smmu_broker_device_attach_reply.flags, DeviceAttachReply.Layout.flags),
                member(\smmu_broker_device_attach_reply.pasid_bits, DeviceAttachReply.Layout.pasidBits),
                member(\smmu_broker_device_attach_reply.physical_stream, DeviceAttachReply.Layout.physicalStream),
                member(\smmu_broker_device_attach_reply.state, DeviceAttachReply.Layout.state),
            ]),
        Structure(
            "ste_set_reply", smmu_broker_ste_set_reply.self, STESetReply.byteCount,
            [
                member(\smmu_broker_ste_set_reply.header, "header", 0..<ReplyHeader.Layout.byteCount),
                member(\smmu_broker_ste_set_reply.context, STESetReply.Layout.context),
            ]),
        Structure(
            "msi_doorbell_reply", smmu_broker_msi_doorbell_reply.self, MSIDoorbellReply.byteCount,
            [
                member(\smmu_broker_msi_doorbell_reply.header, "header", 0..<ReplyHeader.Layout.byteCount),
                member(\smmu_broker_msi_doorbell_reply.base, MSIDoorbellReply.Layout.base),
                member(\smmu_broker_msi_doorbell_reply.size, MSIDoorbellReply.Layout.size),
            ]),
        Structure(
            "access_reply", smmu_broker_access_reply.self, AccessReply.byteCount,
            [
                member(\smmu_broker_access_reply.header, "header", 0..<ReplyHeader.Layout.byteCount),
                member(\smmu_broker_access_reply.stage1, AccessReply.Layout.stage1),
                member(\smmu_broker_access_reply.stage2, AccessReply.Layout.stage2),
                member(\smmu_broker_access_reply.ipa, AccessReply.Layout.ipa),
                member(\smmu_broker_access_reply.permissions, AccessReply.Layout.permissions),
                member(\smmu_broker_access_reply.recorded, AccessReply.Layout.recorded),
                member(\smmu_broker_access_reply.event, AccessReply.Layout.event),
                member(\smmu_broker_access_reply.size, AccessReply.Layout.size),
                member(\smmu_broker_access_reply.reserved, AccessReply.Layout.reserved),
            ]),
    ]

    private static let records: [Structure] = [
        Structure(
            "narrowing", smmu_broker_narrowing.self, Narrowing.byteCount,
            [
                member(\smmu_broker_narrowing.field, Narrowing.Layout.field),
                member(\smmu_broker_narrowing.wanted, Narrowing.Layout.wanted),
                member(\smmu_broker_narrowing.host, Narrowing.Layout.host),
                member(\smmu_broker_narrowing.given, Narrowing.Layout.given),
                member(\smmu_broker_narrowing.cause, Narrowing.Layout.cause),
            ]),
        Structure(
            "entry", smmu_broker_entry.self, ContextEntry.byteCount,
            [
                member(\smmu_broker_entry.vsid, ContextEntry.Layout.vsid),
                member(\smmu_broker_entry.reserved, ContextEntry.Layout.reserved),
                member(\smmu_broker_entry.ste, ContextEntry.Layout.ste),
            ]),
        Structure(
            "context", smmu_broker_context.self, ContextReport.byteCount,
            [
                member(\smmu_broker_context.vsid, ContextReport.Layout.vsid),
                member(\smmu_broker_context.state, ContextReport.Layout.state),
                member(\smmu_broker_context.status, ContextReport.Layout.status),
                member(\smmu_broker_context.illegal, ContextReport.Layout.illegal),
            ]),
        Structure(
            "event_header", smmu_broker_event_header.self, EventHeader.byteCount,
            [
                member(\smmu_broker_event_header.type, EventHeader.Layout.type),
                member(\smmu_broker_event_header.count, EventHeader.Layout.count),
                member(\smmu_broker_event_header.size, EventHeader.Layout.size),
                member(\smmu_broker_event_header.sequence, EventHeader.Layout.sequence),
                member(\smmu_broker_event_header.vsmmu, EventHeader.Layout.vsmmu),
                member(\smmu_broker_event_header.generation, EventHeader.Layout.generation),
            ]),
        Structure(
            "lost", smmu_broker_lost.self, LossNotice.byteCount,
            [
                member(\smmu_broker_lost.count, LossNotice.Layout.count),
                member(\smmu_broker_lost.`where`, LossNotice.Layout.place),
                member(\smmu_broker_lost.reserved, LossNotice.Layout.reserved),
            ]),
        Structure(
            "health", smmu_broker_health.self, HealthNotice.byteCount,
            [
                member(\smmu_broker_health.vsid, HealthNotice.Layout.vsid),
                member(\smmu_broker_health.state, HealthNotice.Layout.state),
                member(\smmu_broker_health.reason, HealthNotice.Layout.reason),
                member(\smmu_broker_health.reasons, HealthNotice.Layout.reasons),
            ]),
        Structure(
            "registers", smmu_broker_registers.self, IDRegisters.byteCount,
            [
                member(\smmu_broker_registers.idr, "idr", 0..<24),
                member(\smmu_broker_registers.iidr, "iidr", 24..<28),
                member(\smmu_broker_registers.aidr, "aidr", 28..<32),
            ]),
        Structure(
            "command", smmu_broker_command.self, Command.byteCount,
            [member(\smmu_broker_command.words, "words", 0..<Command.byteCount)]),
        Structure(
            "event_record", smmu_broker_event_record.self, EventRecord.byteCount,
            [member(\smmu_broker_event_record.words, "words", 0..<EventRecord.byteCount)]),
        Structure(
            "epoch", smmu_broker_epoch.self, Epoch.byteCount,
            [member(\smmu_broker_epoch.epoch, "epoch", 0..<Epoch.byteCount)]),
    ]
}
