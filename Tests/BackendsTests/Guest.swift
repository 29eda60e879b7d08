import BrokerCore
import LinuxSystem
import SMMUv3
import Wire

/// A virtual machine of one vSMMU: memory, page tables in it, devices.
final class Guest {
    let host: any BackendHost
    let vsmmu: VSMMUID
    /// 16 MiB at 1 GiB.
    let ram: MemoryMap
    private let mapping: Mapping
    private var next: UInt64

    static let ramBase: UInt64 = 0x4000_0000
    static let ramSize: UInt64 = 16 << 20
    static let page: UInt64 = 4096

    init(_ host: any BackendHost, named name: String = "guest", vsmmu: VSMMUID = VSMMUID(1)) throws {
        (self.host, self.vsmmu) = (host, vsmmu)
        let file = try host.memory(named: name, bytes: Self.ramSize)
        ram = MemoryMap(ipa: Self.ramBase, size: Self.ramSize, offset: 0, writable: true, file: file)
        mapping = try Mapping(host.descriptors.duplicate(file.rawValue), count: Int(Self.ramSize), writable: true)
        next = Self.ramBase + (1 << 20)
        try host.backend.map(ram)
        try host.backend.createVSMMU(vsmmu, on: host.smmu, advertised: host.advertised)
    }

    // MARK: Memory

    /// Pages of zeroes.
    func allocate(_ bytes: UInt64 = 4096) -> UInt64 {
        defer { next += (bytes + 4095) & ~4095 }
        return next
    }

    subscript(ipa: UInt64) -> UInt64 {
        get { mapping.loadWord(at: ipa - Self.ramBase) ?? 0 }
        set { _ = mapping.storeWord(newValue, at: ipa - Self.ramBase) }
    }

    // MARK: Stage 1: 39 bits, tables from level 1 on

    struct Space {
        let root: UInt64
        let context: UInt64
        var word0: UInt64 { 1 | 5 << 1 | context }
        var installation: Installation { .stage1(word0: word0, word1: 0) }
        var installationWithATS: Installation { .stage1(word0: word0, word1: 1 << 28) }
    }

    /// An address space with nothing in it. `flags`: bits of word 0 of the CD to turn over: A is 46, R 45, S 44.
    func makeSpace(asid: UInt16 = 1, flipping flags: [Int] = []) -> Space {
        let space = Space(root: allocate(), context: allocate())
        var word: UInt64 = 25 | 1 << 30 | 1 << 31 | 5 << 32 | 1 << 41 | 1 << 45 | 1 << 46 | UInt64(asid) << 48
        if host.advertised.tableEndianness == .bigOnly { word |= 1 << 15 }
        for flag in flags { word ^= 1 << UInt64(flag) }
        self[space.context] = word
        self[space.context + 8] = space.root
        self[space.context + 24] = 0xff
        return space
    }

    /// AF, nG, AP: both levels may read, and write unless read-only.
    static func leaf(writable: Bool = true) -> UInt64 { 1 << 10 | 1 << 11 | 1 << 6 | (writable ? 0 : 1 << 7) }

    /// Maps one page, of which both addresses may be anything within; nil unmaps it.
    func map(_ space: Space, _ iova: UInt64, to ipa: UInt64?, writable: Bool = true) {
        var table = space.root
        for level in 1...2 {
            let entry = table + (iova >> UInt64(12 + 9 * (3 - level)) & 511) * 8
            if self[entry] == 0 { self[entry] = swapped(allocate() | 3) }
            table = swapped(self[entry]) & 0x0000_ffff_ffff_f000
        }
        let entry = table + (iova >> 12 & 511) * 8
        self[entry] = ipa.map { swapped($0 & ~4095 | Self.leaf(writable: writable) | 3) } ?? 0
    }

    private func swapped(_ word: UInt64) -> UInt64 {
        host.advertised.tableEndianness == .bigOnly ? word.byteSwapped : word
    }

    // MARK: Devices

    @discardableResult
    func attach(_ number: UInt32, as vsid: UInt32, _ installation: Installation, ats: Bool = false) throws
        -> AttachedDevice
    {
        let attached = try host.backend.attach(
            host.device(number, ats: ats), to: vsmmu, as: StreamID(vsid), initially: installation)
        // A VMM that does not want it.
        if let copy = attached.descriptor { host.descriptors.remove(copy.rawValue) }
        return attached
    }

    func install(_ installation: Installation, for vsid: UInt32) throws {
        try host.backend.install(installation, for: StreamID(vsid), on: vsmmu)
    }

    func access(_ vsid: UInt32, _ iova: UInt64, write: Bool = false, substream: UInt32? = nil, on other: VSMMUID? = nil)
        -> AccessReply
    {
        var none: [UInt8] = []
        return transfer(vsid, iova, write: write, substream: substream, on: other, &none)
    }

    /// A DMA of as many bytes as there are.
    func transfer(
        _ vsid: UInt32, _ iova: UInt64, write: Bool, substream: UInt32? = nil, on other: VSMMUID? = nil,
        _ bytes: inout [UInt8]
    ) -> AccessReply {
        let access = DeviceAccess(
            vsmmu: other ?? vsmmu, vsid: StreamID(vsid), iova: IOVA(iova), substream: substream.map { SubstreamID($0) },
            write: write, privileged: false, instruction: false, size: bytes.count)
        var span = bytes.mutableSpan
        // SAFETY: any bytes are right for an array of bytes.
        var data = unsafe span.mutableBytes
        return host.access(access, data: &data)
    }

    /// Whether a device reads the word that is at `ipa`.
    func reaches(_ ipa: UInt64, by vsid: UInt32, at iova: UInt64) -> Bool {
        self[ipa] = 0x0123_4567_89ab_cdef ^ iova ^ ipa << 16
        var bytes = [UInt8](repeating: 0, count: 8)
        let reply = transfer(vsid, iova, write: false, &bytes)
        let word = bytes.reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        return reply.size == 8 && word == self[ipa]
    }

    // MARK: Commands and events

    func invalidate(_ commands: Command...) -> InvalidationOutcome {
        host.backend.invalidate(commands.span, on: vsmmu)
    }

    struct Events {
        var records: [EventRecord] = []
        /// Where some were lost: how many records had come before, and how many were lost.
        var losses: [(before: Int, count: UInt64)] = []
    }

    /// Everything that is there, by `step` records at a time.
    func takeEvents(by step: Int = 16) -> Events {
        var events = Events()
        while true {
            var slots = [EventRecord](repeating: EventRecord(), count: step)
            var span = slots.mutableSpan
            let read = host.backend.readEvents(of: vsmmu, into: &span)
            if read.lost > 0 { events.losses.append((events.records.count, read.lost)) }
            events.records += slots[..<read.count]
            if read.count == 0, read.lost == 0 { return events }
        }
    }

    var eventSourceIsReadable: Bool {
        get throws { try host.isReadable(host.backend.eventSource(of: vsmmu)) }
    }
}
