package import SMMUv3
package import Wire

/// What programs translation for one session: the model, iommufd, or one that fails on purpose.
///
/// One instance belongs to one session and is called by that session's thread alone. A call may block (an ATC
/// invalidation waits for a device). Everything it is given has been validated: no STE bit and no command field that a
/// nested vSMMU does not allow reaches it. It throws when the host fails, and leaves then what was in effect before.
package protocol TranslationBackend: AnyObject {
    /// What it can do beyond the minimum.
    var features: Features { get }
    /// It maps the files of ``map(_:)`` into this process: they must be sealed against shrinking, and no hugetlbfs.
    var mapsMemory: Bool { get }
    /// It takes BARs of the session's devices as memory.
    var mapsDeviceMemory: Bool { get }
    /// The IPAs that the host keeps for MSIs of every device, where no guest memory can be; size 0: none.
    var reservedWindow: MSIWindow { get }

    // MARK: Finding out

    /// What only taking a device tells: its SMMU, and what it can do. nil: the ``DeviceDirectory`` knows all of it. The
    /// device may be kept until ``endProbe()``, for the call that it is needed for next.
    func probe(_ device: Name) throws(BackendFailure) -> HostDevice?
    /// Gives back what ``probe(_:)`` has taken and nothing has used since.
    func endProbe()

    // MARK: Memory: stage 2 of all of the session's devices

    /// Makes a part of a file reachable at an IPA. The file has been checked by ``MemoryRules``.
    func map(_ map: MemoryMap) throws(BackendFailure)
    /// Takes a whole earlier map away. On return no device reaches it, by no cached translation either.
    func unmap(_ map: MemoryMap) throws(BackendFailure)

    /// Maps BARs again, as far as the host lets it: it takes them away without a word when a device is reset.
    func renewDeviceMemory()

    // MARK: vSMMUs

    /// Makes a vSMMU that shows the guest `advertised`, on the physical SMMU `smmu`.
    func createVSMMU(_ id: VSMMUID, on smmu: PhysicalSMMU, advertised: IDRegisters) throws(BackendFailure)
    /// Removes one that has no device.
    func destroyVSMMU(_ id: VSMMUID)
    /// The descriptor that becomes readable when ``readEvents(of:into:)`` has something to give.
    func eventSource(of vsmmu: VSMMUID) -> ResourceID?

    // MARK: Devices

    /// Puts a device under a vSMMU with `initially` in effect.
    func attach(
        _ device: HostDevice, to vsmmu: VSMMUID, as vsid: StreamID, initially: Installation
    ) throws(BackendFailure) -> AttachedDevice
    /// Takes a device away; it is on ABORT from then on.
    func detach(_ vsid: StreamID, from vsmmu: VSMMUID) throws(BackendFailure)
    /// Gives a device another vSID. Its translation stays.
    func rebind(_ vsid: StreamID, to newVSID: StreamID, on vsmmu: VSMMUID) throws(BackendFailure)
    /// Puts a translation into effect in place of the one before, never with ABORT between two valid ones. Drops the
    /// stream's cached CDs, also when nothing changed. ``BackendFailure/isTransient`` says whether to try again.
    func install(_ installation: Installation, for vsid: StreamID, on vsmmu: VSMMUID) throws(BackendFailure)

    /// Asked after a device has been taken away: who knows whether anybody else still has a descriptor of it. nil: nobody
    /// can.
    func takeHold(of device: Name) -> (any DeviceHold)?

    // MARK: Commands

    /// Does commands in order, completely: on ``InvalidationOutcome/completed`` all of them are finished. They name vSIDs,
    /// and there is no CMD_SYNC among them: it is implied at the end.
    func invalidate(_ commands: Span<Command>, on vsmmu: VSMMUID) -> InvalidationOutcome
    /// Invalidates all of the vSMMU's cached translations and CDs, and the ATC of each stream with ATS.
    func resynchronize(_ vsmmu: VSMMUID) throws(BackendFailure)

    // MARK: Events

    /// Moves as many event records as there are and `slots` has room for, oldest first, with vSIDs in them. 0 records
    /// means that there is none at the moment. ``EventsRead/lost`` counts those that the source itself has lost before the
    /// first of them.
    func readEvents(of vsmmu: VSMMUID, into slots: inout MutableSpan<EventRecord>) -> EventsRead
    /// A source that has failed is to be read again (VSMMU_RESET).
    func restartEvents(of vsmmu: VSMMUID)

    /// Whether ``takeNotices()`` has something. Asked after each request.
    var hasNotices: Bool { get }
    /// What has happened in the host beside what calls answer, the oldest first; each is given once.
    func takeNotices() -> [HostNotice]

    // MARK: Stalled transactions

    /// Answers one stalled transaction; false when nothing is stalled under this tag.
    func respond(_ response: PageResponse, to tag: StallTag, of vsid: StreamID, on vsmmu: VSMMUID)
        throws(BackendFailure) -> Bool
    /// Ends all stalled transactions of a stream (CMD_STALL_TERM), or of all streams.
    func terminateStalls(of vsid: StreamID?, on vsmmu: VSMMUID) throws(BackendFailure)

    // MARK: MSIs and the model's devices

    /// The window of MSIs of a device; the model binds a doorbell of the guest.
    func bindDoorbell(_ doorbell: Doorbell, of vsid: StreamID, on vsmmu: VSMMUID) throws(BackendFailure) -> MSIWindow
    /// What hardware would do with an access of a device. Only with ``Features/model``. A read fills the first bytes of
    /// `data`, a write takes them; `data` is empty for TRANSLATE.
    func access(_ access: DeviceAccess, data: inout MutableRawSpan) -> AccessReply

    // MARK: Explaining

    /// What the translation of an access reads, as memory is now. Changes nothing: no cache, no event, no table. For
    /// operators, and so not for the way of a request or an event. nil: guest memory is not at hand.
    func walk(_ access: DeviceAccess) -> TableWalk?
}

extension TranslationBackend {
    package var mapsMemory: Bool { true }
    package var mapsDeviceMemory: Bool { false }
    package func renewDeviceMemory() {}
    package var reservedWindow: MSIWindow { MSIWindow(base: 0, size: 0) }
    package func probe(_ device: Name) throws(BackendFailure) -> HostDevice? { nil }
    package func endProbe() {}
    package func takeHold(of device: Name) -> (any DeviceHold)? { nil }
    package func restartEvents(of vsmmu: VSMMUID) {}
    package var hasNotices: Bool { false }
    package func takeNotices() -> [HostNotice] { [] }
    package func walk(_ access: DeviceAccess) -> TableWalk? { nil }
}

/// What is put into effect for a stream. The words of a stage 1 have been stripped to what a nested vSMMU may have.
package enum Installation: Hashable, Sendable {
    case abort
    /// ABORT because the STE is ILLEGAL. An SMMU records C_BAD_STE for each access then; a backend does so where it can.
    case illegal
    case bypass
    case stage1(word0: UInt64, word1: UInt64)

    package var state: ContextState {
        switch self {
        case .abort, .illegal: .abort
        case .bypass: .bypass
        case .stage1: .translate
        }
    }
    /// Whether the stream's device may cache translations (STE.EATS).
    package var usesATS: Bool {
        if case .stage1(_, let word1) = self { word1.bits(29, 28) == 1 } else { false }
    }
}

/// A call of the host that failed.
package struct BackendFailure: Error, Hashable, Sendable {
    /// The errno, or the nearest one.
    package var status: Status
    /// What was being done, as part of a sentence: "map 2 MiB at IPA 0x40000000".
    package var operation: String
    /// Why, and what to do about it.
    package var advice: String
    /// Trying again soon may help: a device in reset, memory that is short.
    package var isTransient: Bool
    /// What was in effect before could not be had again, so that nobody may rely on it: the vSMMU has to be given up.
    package var isUnsettled = false
    /// What was in effect before is so again, but something else was meanwhile, of which caches may hold something: the
    /// vSMMU has to be resynchronized.
    package var isUnsynchronized = false

    package init(_ status: Status, _ operation: String, advice: String, isTransient: Bool = false) {
        (self.status, self.operation, self.advice) = (status, operation, advice)
        self.isTransient = isTransient
    }
}

/// How a batch of commands ended.
package enum InvalidationOutcome: Hashable, Sendable {
    case completed
    /// A device did not answer an ATC_INV in time. All other commands are complete.
    case deviceTimedOut
    /// The host failed. What of the batch was done is not to be relied on.
    case failed(BackendFailure)
}

/// What ``TranslationBackend/readEvents(of:into:)`` gave.
package struct EventsRead: Hashable, Sendable {
    package var count: Int
    /// Records that the source lost before the first of these, exactly.
    package var lost: UInt64
    package init(count: Int, lost: UInt64 = 0) { (self.count, self.lost) = (count, lost) }
}

/// A device as it has been attached.
package struct AttachedDevice: Hashable, Sendable {
    package var msi: MSIWindow
    /// The vfio device's descriptor for the VMM, where the backend has one.
    package var descriptor: ResourceID?
    package init(msi: MSIWindow = MSIWindow(base: 0, size: 0), descriptor: ResourceID? = nil) {
        (self.msi, self.descriptor) = (msi, descriptor)
    }
}

/// Where a device's MSIs go; size 0: nowhere in particular.
package struct MSIWindow: Hashable, Sendable {
    package var base: UInt64
    package var size: UInt64
    package init(base: UInt64, size: UInt64) { (self.base, self.size) = (base, size) }
}

/// A doorbell of the guest: reached at `iova`, answered at `ipa`.
package struct Doorbell: Hashable, Sendable {
    package var iova: IOVA
    package var ipa: IPA
    package init(iova: IOVA, ipa: IPA) { (self.iova, self.ipa) = (iova, ipa) }
}

/// How a stalled transaction is answered (IHI 0070, 4.7).
package enum PageResponse: Hashable, Sendable { case retry, terminate, abort }

/// One access of a device of the model, within one page of 4 KiB or not.
package struct DeviceAccess: Hashable, Sendable {
    package var vsmmu: VSMMUID
    package var vsid: StreamID
    package var iova: IOVA
    package var substream: SubstreamID?
    package var write: Bool
    package var privileged: Bool
    package var instruction: Bool
    /// Bytes; 0 for TRANSLATE.
    package var size: Int

    package init(
        vsmmu: VSMMUID, vsid: StreamID, iova: IOVA, substream: SubstreamID?, write: Bool, privileged: Bool,
        instruction: Bool, size: Int
    ) {
        (self.vsmmu, self.vsid, self.iova, self.substream) = (vsmmu, vsid, iova, substream)
        (self.write, self.privileged, self.instruction, self.size) = (write, privileged, instruction, size)
    }
}
