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
    private let aborting: TwinHWPTs
    private let bypassing: TwinHWPTs
    private(set) var streams: [IOMMUFDStream] = []
    // Reused.
    var forwarded: [Command] = []

    /// Records that wait in the kernel before it drops some.
    private static let eventDepth: UInt32 = 1024

    /// `device` is any that is behind the SMMU, for the kernel to know which one is meant.
    init(
        _ id: VSMMUID, on smmu: PhysicalSMMU, with device: BoundDevice, over ioas: IOAS, _ descriptors: DescriptorTable
    ) throws(IOMMUError) {
        (self.id, self.smmu) = (id, smmu)
        viommu = try VIOMMU(for: device, over: try NestParent(for: device, over: ioas))
        aborting = try TwinHWPTs(for: device, in: viommu, word0: Self.abort)
        bypassing = try TwinHWPTs(for: device, in: viommu, word0: Self.bypass)
        events = try IOMMUFDEventSource(of: try EventQueue(in: viommu, depth: Self.eventDepth), in: descriptors)
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
        streams.removeAll { $0 === stream }
    }

    /// Puts a translation into effect: what is attached is replaced at once, so that no access is aborted between. On an
    /// error what was in effect before still is.
    func install(_ installation: Installation, for stream: IOMMUFDStream) throws(IOMMUError) {
        let before = stream.bound.attached
        try stream.bound.attach(try hwpt(for: installation, of: stream))
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
            if !reattach(before, to: stream) { stream.installation = installation }
            throw error
        }
        stream.installation = installation
    }

    /// What is to be attached, which is never what is.
    private func hwpt(for installation: Installation, of stream: IOMMUFDStream) throws(IOMMUError) -> NestedHWPT {
        switch installation {
        // No bit of an ILLEGAL STE is for the hardware: it aborts without an event.
        case .abort, .illegal: return aborting.other(than: stream.bound.attached)
        case .bypass: return bypassing.other(than: stream.bound.attached)
        case .stage1(let word0, let word1):
            try stream.requireVDevice(in: viommu)
            return try NestedHWPT(for: stream.bound, in: viommu, word0: word0, word1: word1)
        }
    }

    /// False: what should be undone stays in effect.
    private func reattach(_ before: IOMMUObject?, to stream: IOMMUFDStream) -> Bool {
        do throws(IOMMUError) {
            if let before { try stream.bound.attach(before) } else { try stream.bound.detach() }
            return true
        } catch { return false }
    }

    /// Gives a device another number. The kernel uses it from the next attachment of something else on, which has to be
    /// the same for the device.
    func rebind(_ stream: IOMMUFDStream, to new: StreamID) throws(IOMMUError) {
        let old = stream.vsid
        try stream.renumber(new, in: viommu)
        do throws(IOMMUError) {
            try stream.bound.attach(try hwpt(for: stream.installation, of: stream))
        } catch {
            stream.restore(old, in: viommu)
            throw error
        }
    }
}
