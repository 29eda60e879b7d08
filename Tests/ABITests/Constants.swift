import CSMMUBroker
import SMMUv3
import Wire

/// One constant of the C header, without `SMMU_BROKER_`, and what Wire takes it for.
struct Constant: Sendable {
    let name: String
    let inC: UInt64
    let inSwift: UInt64

    init(_ name: String, _ inC: some BinaryInteger, _ inSwift: some BinaryInteger) {
        (self.name, self.inC, self.inSwift) = (name, UInt64(inC), UInt64(inSwift))
    }
}

extension Constant {
    static let all = types + reasons + enumerations + flags + numbers

    static let types: [Constant] = [
        Constant("HELLO", SMMU_BROKER_HELLO.rawValue, UInt32(RequestType.hello.rawValue)),
        Constant("VSMMU_CREATE", SMMU_BROKER_VSMMU_CREATE.rawValue, UInt32(RequestType.vsmmuCreate.rawValue)),
        Constant("VSMMU_DESTROY", SMMU_BROKER_VSMMU_DESTROY.rawValue, UInt32(RequestType.vsmmuDestroy.rawValue)),
        Constant("VSMMU_STATE", SMMU_BROKER_VSMMU_STATE.rawValue, UInt32(RequestType.vsmmuState.rawValue)),
        Constant("VSMMU_RESET", SMMU_BROKER_VSMMU_RESET.rawValue, UInt32(RequestType.vsmmuReset.rawValue)),
        Constant("MEMORY_MAP", SMMU_BROKER_MEMORY_MAP.rawValue, UInt32(RequestType.memoryMap.rawValue)),
        Constant("MEMORY_UNMAP", SMMU_BROKER_MEMORY_UNMAP.rawValue, UInt32(RequestType.memoryUnmap.rawValue)),
        Constant("DEVICE_ATTACH", SMMU_BROKER_DEVICE_ATTACH.rawValue, UInt32(RequestType.deviceAttach.rawValue)),
        Constant("DEVICE_REBIND", SMMU_BROKER_DEVICE_REBIND.rawValue, UInt32(RequestType.deviceRebind.rawValue)),
        Constant("DEVICE_DETACH", SMMU_BROKER_DEVICE_DETACH.rawValue, UInt32(RequestType.deviceDetach.rawValue)),
        Constant("DEVICE_RESET", SMMU_BROKER_DEVICE_RESET.rawValue, UInt32(RequestType.deviceReset.rawValue)),
        Constant("STE_SET", SMMU_BROKER_STE_SET.rawValue, UInt32(RequestType.steSet.rawValue)),
        Constant("COMMANDS", SMMU_BROKER_COMMANDS.rawValue, UInt32(RequestType.commands.rawValue)),
        Constant("MSI_DOORBELL", SMMU_BROKER_MSI_DOORBELL.rawValue, UInt32(RequestType.msiDoorbell.rawValue)),
        Constant(
            "EVENTS_SUBSCRIBE", SMMU_BROKER_EVENTS_SUBSCRIBE.rawValue, UInt32(RequestType.eventsSubscribe.rawValue)),
        Constant("PAGE_RESPONSE", SMMU_BROKER_PAGE_RESPONSE.rawValue, UInt32(RequestType.pageResponse.rawValue)),
        Constant("TRANSLATE", SMMU_BROKER_TRANSLATE.rawValue, UInt32(RequestType.translate.rawValue)),
        Constant("DMA", SMMU_BROKER_DMA.rawValue, UInt32(RequestType.dma.rawValue)),
    ]

    static let reasons: [Constant] = [
        Constant("REASON_NONE", SMMU_BROKER_REASON_NONE.rawValue, Reason.none.rawValue),
        Constant("REASON_TOO_SHORT", SMMU_BROKER_REASON_TOO_SHORT.rawValue, Reason.tooShort.rawValue),
        Constant("REASON_TOO_LONG", SMMU_BROKER_REASON_TOO_LONG.rawValue, Reason.tooLong.rawValue),
        Constant("REASON_SIZE_MISMATCH", SMMU_BROKER_REASON_SIZE_MISMATCH.rawValue, Reason.sizeMismatch.rawValue),
        Constant("REASON_UNKNOWN_TYPE", SMMU_BROKER_REASON_UNKNOWN_TYPE.rawValue, Reason.unknownType.rawValue),
        Constant(
            "REASON_RESERVED_NOT_ZERO", SMMU_BROKER_REASON_RESERVED_NOT_ZERO.rawValue, Reason.reservedNotZero.rawValue),
        Constant(
            "REASON_WRONG_FD_COUNT", SMMU_BROKER_REASON_WRONG_FD_COUNT.rawValue, Reason.wrongDescriptorCount.rawValue),
        Constant(
            "REASON_FDS_TRUNCATED", SMMU_BROKER_REASON_FDS_TRUNCATED.rawValue, Reason.descriptorsTruncated.rawValue),
        Constant("REASON_BAD_NAME", SMMU_BROKER_REASON_BAD_NAME.rawValue, Reason.badName.rawValue),
        Constant("REASON_BAD_COUNT", SMMU_BROKER_REASON_BAD_COUNT.rawValue, Reason.badCount.rawValue),
        Constant("REASON_BAD_VALUE", SMMU_BROKER_REASON_BAD_VALUE.rawValue, Reason.badValue.rawValue),
        Constant("REASON_HELLO_EXPECTED", SMMU_BROKER_REASON_HELLO_EXPECTED.rawValue, Reason.helloExpected.rawValue),
        Constant("REASON_HELLO_REPEATED", SMMU_BROKER_REASON_HELLO_REPEATED.rawValue, Reason.helloRepeated.rawValue),
        Constant("REASON_BAD_VERSION", SMMU_BROKER_REASON_BAD_VERSION.rawValue, Reason.badVersion.rawValue),
        Constant("REASON_NOT_SUPPORTED", SMMU_BROKER_REASON_NOT_SUPPORTED.rawValue, Reason.notSupported.rawValue),
        Constant("REASON_NOT_GRANTED", SMMU_BROKER_REASON_NOT_GRANTED.rawValue, Reason.notGranted.rawValue),
        Constant("REASON_QUOTA", SMMU_BROKER_REASON_QUOTA.rawValue, Reason.quota.rawValue),
        Constant("REASON_NOT_MEMORY", SMMU_BROKER_REASON_NOT_MEMORY.rawValue, Reason.notMemory.rawValue),
        Constant("REASON_NOT_SEALED", SMMU_BROKER_REASON_NOT_SEALED.rawValue, Reason.notSealed.rawValue),
        Constant(
            "REASON_HUGETLB_UNSUPPORTED", SMMU_BROKER_REASON_HUGETLB_UNSUPPORTED.rawValue,
            Reason.hugetlbUnsupported.rawValue),
        Constant(
            "REASON_FD_NOT_WRITABLE", SMMU_BROKER_REASON_FD_NOT_WRITABLE.rawValue, Reason.descriptorNotWritable.rawValue
        ),
        Constant("REASON_NOT_ALIGNED", SMMU_BROKER_REASON_NOT_ALIGNED.rawValue, Reason.notAligned.rawValue),
        Constant(
            "REASON_ADDRESS_OVERFLOW", SMMU_BROKER_REASON_ADDRESS_OVERFLOW.rawValue, Reason.addressOverflow.rawValue),
        Constant("REASON_BEYOND_FILE", SMMU_BROKER_REASON_BEYOND_FILE.rawValue, Reason.beyondFile.rawValue),
        Constant("REASON_OVERLAP", SMMU_BROKER_REASON_OVERLAP.rawValue, Reason.overlap.rawValue),
        Constant("REASON_NO_SUCH_MAP", SMMU_BROKER_REASON_NO_SUCH_MAP.rawValue, Reason.noSuchMap.rawValue),
        Constant("REASON_MSI_WINDOW", SMMU_BROKER_REASON_MSI_WINDOW.rawValue, Reason.msiWindow.rawValue),
        Constant("REASON_UNKNOWN_VSMMU", SMMU_BROKER_REASON_UNKNOWN_VSMMU.rawValue, Reason.unknownVSMMU.rawValue),
        Constant("REASON_UNKNOWN_VSID", SMMU_BROKER_REASON_UNKNOWN_VSID.rawValue, Reason.unknownVSID.rawValue),
        Constant("REASON_DUPLICATE_VSID", SMMU_BROKER_REASON_DUPLICATE_VSID.rawValue, Reason.duplicateVSID.rawValue),
        Constant("REASON_UNKNOWN_DEVICE", SMMU_BROKER_REASON_UNKNOWN_DEVICE.rawValue, Reason.unknownDevice.rawValue),
        Constant("REASON_DEVICE_BUSY", SMMU_BROKER_REASON_DEVICE_BUSY.rawValue, Reason.deviceBusy.rawValue),
        Constant("REASON_OTHER_SMMU", SMMU_BROKER_REASON_OTHER_SMMU.rawValue, Reason.otherSMMU.rawValue),
        Constant("REASON_NARROWER_DEVICE", SMMU_BROKER_REASON_NARROWER_DEVICE.rawValue, Reason.narrowerDevice.rawValue),
        Constant("REASON_VSMMU_IN_USE", SMMU_BROKER_REASON_VSMMU_IN_USE.rawValue, Reason.vsmmuInUse.rawValue),
        Constant("REASON_VSMMU_FAILED", SMMU_BROKER_REASON_VSMMU_FAILED.rawValue, Reason.vsmmuFailed.rawValue),
        Constant("REASON_MISSING_CONTEXT", SMMU_BROKER_REASON_MISSING_CONTEXT.rawValue, Reason.missingContext.rawValue),
        Constant("REASON_UNKNOWN_STAG", SMMU_BROKER_REASON_UNKNOWN_STAG.rawValue, Reason.unknownStallTag.rawValue),
        Constant("REASON_NOT_ORPHANED", SMMU_BROKER_REASON_NOT_ORPHANED.rawValue, Reason.notOrphaned.rawValue),
        Constant("REASON_NOT_SOCKET", SMMU_BROKER_REASON_NOT_SOCKET.rawValue, Reason.notSocket.rawValue),
        Constant("REASON_NOT_EVENTFD", SMMU_BROKER_REASON_NOT_EVENTFD.rawValue, Reason.notEventFD.rawValue),
        Constant("REASON_ILLEGAL_COMMAND", SMMU_BROKER_REASON_ILLEGAL_COMMAND.rawValue, Reason.illegalCommand.rawValue),
        Constant(
            "REASON_CONFIGURATION_COMMAND", SMMU_BROKER_REASON_CONFIGURATION_COMMAND.rawValue,
            Reason.configurationCommand.rawValue),
        Constant(
            "REASON_PAGE_RESPONSE_COMMAND", SMMU_BROKER_REASON_PAGE_RESPONSE_COMMAND.rawValue,
            Reason.pageResponseCommand.rawValue),
        Constant("REASON_HOST_FAILURE", SMMU_BROKER_REASON_HOST_FAILURE.rawValue, Reason.hostFailure.rawValue),
        Constant(
            "REASON_UNKNOWN_SESSION", SMMU_BROKER_REASON_UNKNOWN_SESSION.rawValue, Reason.unknownSession.rawValue),
    ]

    static let enumerations: [Constant] = [
        Constant("CERROR_NONE", SMMU_BROKER_CERROR_NONE.rawValue, CommandError.none.rawValue),
        Constant("CERROR_ILL", SMMU_BROKER_CERROR_ILL.rawValue, CommandError.illegal.rawValue),
        Constant("CERROR_ABT", SMMU_BROKER_CERROR_ABT.rawValue, CommandError.abort.rawValue),
        Constant(
            "CERROR_ATC_INV_SYNC", SMMU_BROKER_CERROR_ATC_INV_SYNC.rawValue, CommandError.atcInvalidationSync.rawValue),
        Constant("CAUSE_HOST", SMMU_BROKER_CAUSE_HOST.rawValue, Narrowing.Cause.host.rawValue),
        Constant("CAUSE_NESTING", SMMU_BROKER_CAUSE_NESTING.rawValue, Narrowing.Cause.nesting.rawValue),
        Constant("CAUSE_POLICY", SMMU_BROKER_CAUSE_POLICY.rawValue, Narrowing.Cause.policy.rawValue),
        Constant("CONTEXT_ABORT", SMMU_BROKER_CONTEXT_ABORT.rawValue, ContextState.abort.rawValue),
        Constant("CONTEXT_BYPASS", SMMU_BROKER_CONTEXT_BYPASS.rawValue, ContextState.bypass.rawValue),
        Constant("CONTEXT_TRANSLATE", SMMU_BROKER_CONTEXT_TRANSLATE.rawValue, ContextState.translate.rawValue),
        Constant("DELIVERY_SOCKET", SMMU_BROKER_DELIVERY_SOCKET.rawValue, EventsSubscribeRequest.Delivery.socketCode),
        Constant("DELIVERY_QUEUE", SMMU_BROKER_DELIVERY_QUEUE.rawValue, EventsSubscribeRequest.Delivery.queueCode),
        Constant("PAGE_RETRY", SMMU_BROKER_PAGE_RETRY.rawValue, PageResponseRequest.Code.retry.rawValue),
        Constant("PAGE_TERMINATE", SMMU_BROKER_PAGE_TERMINATE.rawValue, PageResponseRequest.Code.terminate.rawValue),
        Constant("PAGE_ABORT", SMMU_BROKER_PAGE_ABORT.rawValue, PageResponseRequest.Code.abort.rawValue),
        Constant(
            "PAGE_TERMINATE_ALL", SMMU_BROKER_PAGE_TERMINATE_ALL.rawValue,
            PageResponseRequest.Code.terminateAll.rawValue),
        Constant("OUTCOME_OK", SMMU_BROKER_OUTCOME_OK.rawValue, AccessReply.Outcome.done.rawValue),
        Constant("OUTCOME_BYPASS", SMMU_BROKER_OUTCOME_BYPASS.rawValue, AccessReply.Outcome.bypass.rawValue),
        Constant("OUTCOME_ABORT", SMMU_BROKER_OUTCOME_ABORT.rawValue, AccessReply.Outcome.abort.rawValue),
        Constant("OUTCOME_FAULT", SMMU_BROKER_OUTCOME_FAULT.rawValue, AccessReply.Outcome.fault.rawValue),
        Constant("OUTCOME_STALLED", SMMU_BROKER_OUTCOME_STALLED.rawValue, AccessReply.Outcome.stalled.rawValue),
        Constant(
            "OUTCOME_NOT_REACHED", SMMU_BROKER_OUTCOME_NOT_REACHED.rawValue, AccessReply.Outcome.notReached.rawValue),
        Constant("EVENT", SMMU_BROKER_EVENT.rawValue, UInt32(EventType.events.rawValue)),
        Constant("LOST", SMMU_BROKER_LOST.rawValue, UInt32(EventType.lost.rawValue)),
        Constant("HEALTH", SMMU_BROKER_HEALTH.rawValue, UInt32(EventType.health.rawValue)),
        Constant("DEVICE_GONE", SMMU_BROKER_DEVICE_GONE.rawValue, UInt32(EventType.deviceGone.rawValue)),
        Constant("EPOCH", SMMU_BROKER_EPOCH.rawValue, UInt32(EventType.epoch.rawValue)),
        Constant("LOSS_KERNEL_QUEUE", SMMU_BROKER_LOSS_KERNEL_QUEUE.rawValue, LossNotice.Place.kernelQueue.rawValue),
        Constant("LOSS_SUBSCRIBER", SMMU_BROKER_LOSS_SUBSCRIBER.rawValue, LossNotice.Place.subscriber.rawValue),
        Constant("HEALTHY", SMMU_BROKER_HEALTHY.rawValue, HealthNotice.State.healthy.rawValue),
        Constant("SUSPECT", SMMU_BROKER_SUSPECT.rawValue, HealthNotice.State.suspect.rawValue),
        Constant("QUARANTINED", SMMU_BROKER_QUARANTINED.rawValue, HealthNotice.State.quarantined.rawValue),
        Constant("RECOVERED", SMMU_BROKER_RECOVERED.rawValue, HealthNotice.State.recovered.rawValue),
        Constant("HEALTH_NONE", SMMU_BROKER_HEALTH_NONE.rawValue, HealthReason.none.rawValue),
        Constant("HEALTH_EVENT_STORM", SMMU_BROKER_HEALTH_EVENT_STORM.rawValue, HealthReason.eventStorm.rawValue),
        Constant("HEALTH_ATC_TIMEOUT", SMMU_BROKER_HEALTH_ATC_TIMEOUT.rawValue, HealthReason.atcTimeout.rawValue),
        Constant("HEALTH_SLOW_ATC", SMMU_BROKER_HEALTH_SLOW_ATC.rawValue, HealthReason.slowATC.rawValue),
        Constant("HEALTH_OPERATOR", SMMU_BROKER_HEALTH_OPERATOR.rawValue, HealthReason.operatorOrder.rawValue),
        Constant("HEALTH_HOST_FAILURE", SMMU_BROKER_HEALTH_HOST_FAILURE.rawValue, HealthReason.hostFailure.rawValue),
        Constant("HEALTH_CALM", SMMU_BROKER_HEALTH_CALM.rawValue, HealthReason.calm.rawValue),
        Constant("HEALTH_PARK_TIME", SMMU_BROKER_HEALTH_PARK_TIME.rawValue, HealthReason.parkTime.rawValue),
        Constant("HEALTH_RESET", SMMU_BROKER_HEALTH_RESET.rawValue, HealthReason.reset.rawValue),
        Constant(
            "HEALTH_CONFIGURATION", SMMU_BROKER_HEALTH_CONFIGURATION.rawValue, HealthReason.configuration.rawValue),
    ]

    static let flags: [Constant] = [
        Constant("FEATURE_MODEL", SMMU_BROKER_FEATURE_MODEL, Features.model.rawValue),
        Constant("FEATURE_SHARED_EVENTS", SMMU_BROKER_FEATURE_SHARED_EVENTS, Features.sharedEvents.rawValue),
        Constant("FEATURE_PAGE_RESPONSE", SMMU_BROKER_FEATURE_PAGE_RESPONSE, Features.pageResponse.rawValue),
        Constant(
            "ERRATUM_REPEAT_TLBI_CFGI", SMMU_BROKER_ERRATUM_REPEAT_TLBI_CFGI,
            VSMMUCreateReply.Errata.repeatTLBIAndCFGI.rawValue),
        Constant("STATE_SMMUEN", SMMU_BROKER_STATE_SMMUEN, VSMMUStateRequest.Flags.smmuEnabled.rawValue),
        Constant("STATE_GBPA_ABORT", SMMU_BROKER_STATE_GBPA_ABORT, VSMMUStateRequest.Flags.bypassAborts.rawValue),
        Constant("MEMORY_READ", SMMU_BROKER_MEMORY_READ, MemoryMapRequest.Flags.read.rawValue),
        Constant("MEMORY_WRITE", SMMU_BROKER_MEMORY_WRITE, MemoryMapRequest.Flags.write.rawValue),
        Constant("MEMORY_DMABUF", SMMU_BROKER_MEMORY_DMABUF, MemoryMapRequest.Flags.dmabuf.rawValue),
        Constant("DEVICE_ATS", SMMU_BROKER_DEVICE_ATS, DeviceAttachReply.Flags.ats.rawValue),
        Constant("DEVICE_FD", SMMU_BROKER_DEVICE_FD, DeviceAttachReply.Flags.descriptor.rawValue),
        Constant("ACCESS_WRITE", SMMU_BROKER_ACCESS_WRITE, AccessRequest.Flags.write.rawValue),
        Constant("ACCESS_PRIVILEGED", SMMU_BROKER_ACCESS_PRIVILEGED, AccessRequest.Flags.privileged.rawValue),
        Constant("ACCESS_INSTRUCTION", SMMU_BROKER_ACCESS_INSTRUCTION, AccessRequest.Flags.instruction.rawValue),
        Constant("ACCESS_SUBSTREAM", SMMU_BROKER_ACCESS_SUBSTREAM, AccessRequest.Flags.substream.rawValue),
        Constant("PERMISSION_READ", SMMU_BROKER_PERMISSION_READ, AccessReply.Permissions.read.rawValue),
        Constant("PERMISSION_WRITE", SMMU_BROKER_PERMISSION_WRITE, AccessReply.Permissions.write.rawValue),
    ]

    static let numbers: [Constant] = [
        Constant("VERSION", SMMU_BROKER_VERSION, Limits.version),
        Constant("NAME_SIZE", SMMU_BROKER_NAME_SIZE, UInt32(Name.byteCount)),
        Constant("MAXIMUM_COMMANDS", SMMU_BROKER_MAXIMUM_COMMANDS, UInt32(Limits.commands)),
        Constant("MAXIMUM_ENTRIES", SMMU_BROKER_MAXIMUM_ENTRIES, UInt32(Limits.entries)),
        Constant("MAXIMUM_DATA", SMMU_BROKER_MAXIMUM_DATA, UInt32(Limits.data)),
        Constant("MAXIMUM_EVENTS", SMMU_BROKER_MAXIMUM_EVENTS, UInt32(Limits.events)),
        Constant("MAXIMUM_PACKET", SMMU_BROKER_MAXIMUM_PACKET, UInt32(Limits.packet)),
        Constant("REPLY", SMMU_BROKER_REPLY, UInt32(ReplyHeader.replyBit)),
        Constant("EVERY_VSMMU", SMMU_BROKER_EVERY_VSMMU, VSMMUID.every.rawValue),
    ]
}
