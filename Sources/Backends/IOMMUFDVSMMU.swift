import BrokerCore
import IOMMUFD
import LinuxSystem
import SMMUv3
import Wire

/// One vSMMU of a session in iommufd: a stage 2, a vIOMMU, its event queue, and its devices.
final class IOMMUFDVSMMU {
    let id: VSMMUID
    let smmu: PhysicalSMMU
    let viommu: VIOMMU
    let events: IOMMUFDEventSource
    /// nil: nothing stalls that the guest could answer.
    let stalls: IOMMUFDStalls?
    let calls: SlowCalls
    private let aborting: TwinHWPTs
    private let bypassing: TwinHWPTs
    private(set) var streams: [IOMMUFDStream] = []
    /// Of the last ``install(_:for:)`` that failed: what was in effect before is not any more.
    private(set) var isUnsettled = false
    /// Devices that have let others wait for an ATC_INV since the last time that somebody asked.
    var slowStreams: [StreamID] = []
    // Reused.
    var forwarded: [Command] = []

    /// Records that wait in the kernel before it drops some.
    private static let eventDepth: UInt32 = 1024

    /// `device` is any that is behind the SMMU, for the kernel to know which one is meant.
    init(
        _ id: VSMMUID, on smmu: PhysicalSMMU, advertised: IDRegisters, with device: BoundDevice, over ioas: IOAS,
        _ descriptors: DescriptorTable, _ calls: SlowCalls
    ) throws(IOMMUError) {
        (self.id, self.smmu, self.calls) = (id, smmu, calls)
        viommu = try VIOMMU(for: device, over: try NestParent(for: device, over: ioas))
        aborting = try TwinHWPTs(for: device, in: viommu, word0: Self.abort)
        bypassing = try TwinHWPTs(for: device, in: viommu, word0: Self.bypass)
        let answers = smmu.stalls && advertised.stallModel != .terminateOnly
        stalls = answers ? IOMMUFDStalls(try FaultQueue(ioas.kernel)) : nil
        events = try IOMMUFDEventSource(
            of: try EventQueue(in: viommu, depth: Self.eventDepth), and: stalls, in: descriptors)
    }

    /// Word 0 of STEs that are valid: Config 0b000 and 0b100.
    private static let abort: UInt64 = 1
    private static let bypass: UInt64 = 1 | 0b100 << 1

    /// The errata that concern everybody who issues commands.
    var repeatsCommands: Bool { smmu.errata.contains(.repeatTLBIAndCFGI) }

    func stream(_ vsid: StreamID) -> IOMMUFDStream? {
        for stream in streams where stream.vsid == vsid { return stream }
        return nil
    }

    // MARK: Devices

    func attach(
        _ device: HostDevice, _ bound: BoundDevice, as vsid: StreamID, _ installation: Installation
    ) throws(IOMMUError) {
        let stream = try IOMMUFDStream(device, bound, as: vsid, in: viommu)
        streams.append(stream)
        do throws(IOMMUError) {
            try install(installation, for: stream)
        } catch {
            // With the last reference the device is closed, and what it was attached to goes.
            streams.removeLast()
            throw error
        }
    }

    func detach(_ stream: IOMMUFDStream) throws(IOMMUError) {
        try stream.bound.detach()
        stalls?.forget(stream)
        streams.removeAll { $0 === stream }
    }

    /// Aborts all that stalls, of one stream or of all.
    func terminateStalls(_ stream: IOMMUFDStream?) throws(IOMMUError) {
        guard let stalls else { return }
        do throws(IOMMUError) { try stalls.terminate(stream, of: streams) } catch {
            try events.signalRemainder()
            throw error
        }
        try events.signalRemainder()
    }

    /// Puts a translation into effect: what is attached is replaced at once, so that no access is aborted between. On an
    /// error what was in effect before still is, or else the device aborts if the kernel lets it: see ``isUnsettled``.
    func install(_ installation: Installation, for stream: IOMMUFDStream) throws(IOMMUError) {
        isUnsettled = false
        let before = stream.bound.attached
        try attach(installation, to: stream)
        guard case .stage1 = installation else {
            stream.installation = installation
            return
        }
        // The kernel tells the hardware nothing when the words are the same, and the CDs that it caches stay.
        do throws(IOMMUError) {
            forwarded.removeAll(keepingCapacity: true)
            forwarded.append(.cfgiCDAll(stream.vsid))
            try issueForwarded()
        } catch {
            // Also if it is tried again and fails earlier then.
            stream.isUnsynchronized = true
            if !reattach(before, to: stream) { settle(stream, at: installation) }
            throw error
        }
        stream.isUnsynchronized = false
        stream.installation = installation
    }

    /// What is to be in effect could not be made whole, and what was before could not be had again.
    private func settle(_ stream: IOMMUFDStream, at installation: Installation) {
        isUnsettled = true
        stream.installation = reattach(aborting.other(than: stream.bound.attached), to: stream) ? .abort : installation
    }

    /// Attaches what is not attached now. A kernel that cannot hand over stalled transactions says so here; then they are
    /// not to be.
    private func attach(_ installation: Installation, to stream: IOMMUFDStream) throws(IOMMUError) {
        let hwpt = try hwpt(for: installation, of: stream)
        do throws(IOMMUError) {
            try stream.bound.attach(hwpt)
        } catch  where error.cause == .noStalls && hwpt.faults != nil {
            stream.stallsAreRefused = true
            try stream.bound.attach(try self.hwpt(for: installation, of: stream))
        }
        stalls?.forget(stream)
    }

    /// What is to be attached, which is never what is.
    private func hwpt(for installation: Installation, of stream: IOMMUFDStream) throws(IOMMUError) -> NestedHWPT {
        switch installation {
        // No bit of an ILLEGAL STE is for the hardware: it aborts without an event.
        case .abort, .illegal: return aborting.other(than: stream.bound.attached)
        case .bypass: return bypassing.other(than: stream.bound.attached)
        case .stage1(let word0, let word1):
            try stream.requireVDevice(in: viommu)
            let answers = stalls != nil && stream.canStall
            return try NestedHWPT(
                for: stream.bound, in: viommu, word0: word0, word1: answers ? word1 : unstalling(word1),
                faults: answers ? stalls?.queue : nil)
        }
    }

    /// STE.S1STALLD, where the SMMU leaves it to software. The kernel does not answer stalled transactions of a device that
    /// it does not know to stall: they would wait for ever.
    private func unstalling(_ word1: UInt64) -> UInt64 {
        smmu.registers.stallModel == .stallAndTerminate ? word1 | 1 << 27 : word1
    }

    /// False: what should be undone stays in effect.
    private func reattach(_ before: IOMMUObject?, to stream: IOMMUFDStream) -> Bool {
        do throws(IOMMUError) {
            if let before { try stream.bound.attach(before) } else { try stream.bound.detach() }
            stalls?.forget(stream)
            return true
        } catch { return false }
    }

    /// Gives a device another number. The kernel uses it from the next attachment of something else on, which has to be
    /// the same for the device.
    func rebind(_ stream: IOMMUFDStream, to new: StreamID) throws(IOMMUError) {
        let old = stream.vsid
        try stream.renumber(new, in: viommu)
        do throws(IOMMUError) {
            try attach(stream.installation, to: stream)
        } catch {
            stream.restore(old, in: viommu)
            throw error
        }
    }
}
