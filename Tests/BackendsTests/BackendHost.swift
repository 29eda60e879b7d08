import Backends
import BrokerCore
import LinuxSystem
import SMMUv3
import Wire

/// A backend and what is around it: files that are memory, devices, and a look at both. What runs against this protocol
/// runs against any backend.
protocol BackendHost: AnyObject {
    var backend: any TranslationBackend { get }
    var descriptors: DescriptorTable { get }
    /// What the physical SMMU is.
    var smmu: PhysicalSMMU { get }
    /// What a guest on it is shown.
    var advertised: IDRegisters { get }
    /// Whether faults of stage 2 come out of the event source: the kernel keeps those of iommufd for itself.
    var forwardsStage2Faults: Bool { get }
    /// A device of its own for each number; up to four of them.
    func device(_ number: UInt32, ats: Bool) -> HostDevice
    /// Has a device access memory.
    func access(_ access: DeviceAccess, data: inout MutableRawSpan) -> AccessReply
}

extension BackendHost {
    /// A new memfd that cannot shrink, with a name that no other has.
    func memory(named name: String, bytes: UInt64) throws -> ResourceID {
        let file = try OwnedFD.memory(named: name, size: bytes)
        try file.seal(.shrink)
        return ResourceID(rawValue: descriptors.insert(file))
    }

    /// Whether somebody who waits for the descriptor would wake up.
    func isReadable(_ resource: ResourceID?) throws -> Bool {
        guard let resource, let raw = descriptors.raw(resource.rawValue) else { return false }
        let epoll = try Epoll()
        try epoll.add(raw, .readable, data: 1)
        var batch = Epoll.emptyBatch
        return try epoll.wait(&batch, milliseconds: 0) > 0
    }
}

/// The model, as it is or behind a backend that never fails.
final class ModelHost: BackendHost {
    let descriptors = DescriptorTable()
    let model: ModelBackend
    let backend: any TranslationBackend
    let smmu: PhysicalSMMU
    let advertised: IDRegisters
    let forwardsStage2Faults = true

    init(wrapped: Bool = false, ids: IDRegisters = .nested(), stalls: Bool = false) {
        model = ModelBackend(descriptors: descriptors)
        backend = wrapped ? FaultyBackend(wrapping: model) : model
        smmu = PhysicalSMMU(name: .test("smmu0"), registers: ids, stalls: stalls)
        advertised = ids
    }

    func device(_ number: UInt32, ats: Bool) -> HostDevice {
        HostDevice(
            name: .test("disk:\(number)"), smmu: smmu, streamID: StreamID(0x100 + number), hasATS: ats, pasidBits: 8)
    }

    func access(_ access: DeviceAccess, data: inout MutableRawSpan) -> AccessReply {
        backend.access(access, data: &data)
    }
}

/// The backends that the conformance suite runs against.
enum HostKind: CaseIterable {
    case model, wrappedModel, iommufd

    func make() throws -> any BackendHost {
        switch self {
        case .model, .wrappedModel: ModelHost(wrapped: self == .wrappedModel)
        case .iommufd: try IOMMUFDHost()
        }
    }
}

extension Name {
    /// A name that is known to be one.
    static func test(_ text: String) -> Name {
        guard let name = Name(text) else { preconditionFailure("\(text) is no name") }
        return name
    }
}

extension IDRegisters {
    /// What a guest is shown: stage 1 with 4 KiB granules and more, ATS, SubstreamIDs, ranges.
    ///
    /// - Parameters:
    ///   - oas: code of IDR5.OAS; 4 is 44 bits.
    ///   - stallModel: 0 stall and terminate, 1 terminate only, 2 stall forced.
    static func nested(oas: UInt32 = 4, stallModel: UInt32 = 1, bigEndian: Bool = false) -> IDRegisters {
        let endianness: UInt32 = bigEndian ? 3 : 2
        return IDRegisters(
            idr0: 1 << 1 | 2 << 2 | 1 << 4 | 1 << 10 | 1 << 12 | 1 << 19 | endianness << 21 | stallModel << 24 | 1
                << 27,
            idr1: 8 | 8 << 6 | 10 << 16 | 10 << 21, idr3: 1 << 10, idr5: oas | 7 << 4 | 4 << 16, aidr: 2)
    }
}
