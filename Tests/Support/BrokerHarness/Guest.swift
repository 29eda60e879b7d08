package import BrokerClient
import Foundation
package import LinuxSystem
package import SMMUv3
package import Wire

/// A guest and its VMM: RAM in a memfd of a name of its own, one device behind one vSMMU, and the tables to translate for
/// it.
package final class Guest {
    package static let ramBase: UInt64 = 0x4000_0000
    package static let vsid = StreamID(8)
    package static let asid: UInt16 = 1
    /// In the RAM.
    private static let contextDescriptor: UInt64 = 0x3000
    private static let tables: [UInt64] = [0x4000, 0x5000, 0x6000]

    package let broker: BrokerConnection
    /// The same connection, for what a client should not do.
    package let raw: RawClient
    /// Of the memfd.
    package let name: String
    package let file: OwnedFD
    private let ram: Mapping
    package private(set) var vsmmu = VSMMUID(0)
    private var outputSize: UInt64 = 0

    /// Connects and says HELLO.
    package init(_ harness: BrokerHarness, ramSize: UInt64 = 1 << 20) throws {
        let socket = try SeqPacketSocket(connectingTo: harness.path)
        raw = RawClient(adopting: SeqPacketSocket(adopting: try socket.fd.duplicate()))
        broker = try BrokerConnection(adopting: socket)
        broker.timeout = 60_000
        name = "guest-\(UUID().uuidString)"
        file = try OwnedFD.memory(named: name, size: ramSize)
        try file.seal(.shrink)
        ram = try Mapping(file, count: 1 << 20, writable: true)
        _ = try broker.hello("guest", features: [.model, .pageResponse, .sharedEvents])
    }

    /// A guest whose device `vsid` is attached, with its RAM mapped.
    package static func attached(_ harness: BrokerHarness, device: Name = "model") throws -> Guest {
        let guest = try Guest(harness)
        try guest.createVSMMU(on: device)
        try guest.mapRAM()
        try guest.broker.attach(device, to: guest.vsmmu, as: vsid)
        return guest
    }

    /// One whose vSMMU is on, with stage 1 for the page at `iova` of `page`.
    package static func translating(
        _ harness: BrokerHarness, iova: UInt64 = 0x10_0000, page: UInt64 = 0x1_0000, device: Name = "model"
    ) throws -> Guest {
        let guest = try attached(harness, device: device)
        guest.map(iova: iova, toPageAt: page)
        let contexts = try guest.enable()
        precondition(contexts.contexts.first?.state == .translate, "stage 1 is not accepted")
        return guest
    }

    package func createVSMMU(on device: Name) throws {
        let created = try broker.createVSMMU(on: device)
        vsmmu = created.reply.vsmmu
        outputSize = UInt64(created.reply.advertised.idr5 & 7)
    }

    package func mapRAM() throws { try broker.mapMemory(file, at: IPA(Self.ramBase), size: 1 << 20) }

    @discardableResult
    package func enable() throws -> BrokerConnection.Contexts {
        try broker.setState(of: vsmmu, .smmuEnabled, entries: [ContextEntry(vsid: Self.vsid, ste: stage1)])
    }

    // MARK: What the guest's driver writes

    /// Writes a word of RAM at an offset.
    package func store(_ word: UInt64, at offset: UInt64) { precondition(ram.storeWord(word, at: offset)) }
    package func load(_ offset: UInt64) -> UInt64 { ram.loadWord(at: offset) ?? 0 }
    /// Registers in RAM, which others read and write at the same time.
    package func storeRegister(_ word: UInt32, at offset: UInt64) { precondition(ram.storeReleasing(word, at: offset)) }
    package func loadRegister(_ offset: UInt64) -> UInt32 { ram.loadAcquiring(at: offset) ?? 0 }

    /// V, Config 5 (stage 1), one CD.
    package var stage1: StreamTableEntry {
        let cd = Self.ramBase + Self.contextDescriptor
        return StreamTableEntry(words: SIMD8(cd | 5 << 1 | 1, 3 << 6 | 1 << 4 | 1 << 2, 0, 0, 0, 0, 0, 0))
    }

    /// The CD, and three levels of 4K tables that map one page of RAM, at the offset `page`, for everybody.
    package func map(iova: UInt64, toPageAt page: UInt64) {
        let base = Self.ramBase
        let walk: UInt64 = 3 << 12 | 1 << 10 | 1 << 8
        let flags: UInt64 = 1 << 46 | 1 << 45 | 1 << 41 | 1 << 31 | 1 << 30
        store(UInt64(Self.asid) << 48 | flags | outputSize << 32 | walk | 25, at: Self.contextDescriptor)
        store(base + Self.tables[0], at: Self.contextDescriptor + 8)
        store(0xff, at: Self.contextDescriptor + 24)
        store((base + Self.tables[1]) | 3, at: Self.tables[0] + (iova >> 30 & 511) * 8)
        store((base + Self.tables[2]) | 3, at: Self.tables[1] + (iova >> 21 & 511) * 8)
        store((base + page) | 1 << 11 | 1 << 10 | 3 << 8 | 1 << 6 | 3, at: Self.tables[2] + (iova >> 12 & 511) * 8)
    }

    // MARK: What its device does

    package func target(_ iova: UInt64, vsid: StreamID = Guest.vsid) -> AccessRequest.Target {
        AccessRequest.Target(vsmmu: vsmmu, vsid: vsid, iova: IOVA(iova))
    }

    package func translate(_ iova: UInt64, write: Bool = false) throws -> AccessReply {
        try broker.translate(target(iova), write: write)
    }

    /// The 8-byte word that the device reads; nil when it does not come through.
    package func deviceReads(_ iova: UInt64) throws -> UInt64? {
        let data = try broker.read(target(iova), size: 8).data
        guard data.count == 8 else { return nil }
        return data.reversed().reduce(0) { $0 << 8 | UInt64($1) }
    }
}

extension FixedName: ExpressibleByUnicodeScalarLiteral, ExpressibleByExtendedGraphemeClusterLiteral,
    ExpressibleByStringLiteral
{
    package init(stringLiteral text: String) {
        guard let name = Self(text) else { preconditionFailure("'\(text)' is no name") }
        self = name
    }
}
