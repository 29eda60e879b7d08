import BrokerCore
import Foundation
import Glibc
import LinuxSystem
import SMMUv3
import Testing
import Wire

@testable import Backends

/// How the model's backend maps memory, and what is left of it afterwards.
@Suite struct ModelMemoryTests {
    /// How many mappings of this process are of the memfd of this name, and how many descriptors refer to it.
    private func uses(ofMemory name: String) throws -> (mappings: Int, descriptors: Int) {
        let file = try #require(FileHandle(forReadingAtPath: "/proc/self/maps"))
        let maps = String(decoding: try file.readToEnd() ?? Data(), as: UTF8.self)
        let all = try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd")
        let descriptors = all.count { number in
            let target = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/fd/\(number)")
            return target?.hasPrefix("/memfd:\(name) ") ?? false
        }
        return (maps.split(separator: "\n").count { $0.contains("/memfd:\(name) ") }, descriptors)
    }

    /// Bytes of the file that take memory.
    private func residentBytes(_ file: ResourceID, _ descriptors: DescriptorTable) throws -> Int {
        var status = stat()
        let raw = try #require(descriptors.raw(file.rawValue))
        // SAFETY: the call writes one structure.
        let result = unsafe fstat(raw, &status)
        #expect(result == 0)
        return Int(status.st_blocks) * 512
    }

    @Test("nothing of a map is left once it is unmapped, or its session is gone", arguments: [false, true])
    func leaks(_ unmaps: Bool) throws {
        let name = "leak-\(unmaps)-\(getpid())"
        var host: ModelHost? = ModelHost()
        if let host {
            let file = try host.memory(named: name, bytes: 0x10000)
            let map = MemoryMap(ipa: 0x4000_0000, size: 0x10000, offset: 0, writable: true, file: file)
            try host.backend.map(map)
            try host.backend.createVSMMU(VSMMUID(1), on: host.smmu, advertised: host.advertised)
            host.descriptors.remove(file.rawValue)
            let during = try uses(ofMemory: name)
            #expect(during == (1, 0), "the descriptor was needed only to map")
            if unmaps { try host.backend.unmap(map) }
        }
        if unmaps {
            let after = try uses(ofMemory: name)
            #expect(after == (0, 0))
        }
        host = nil
        let after = try uses(ofMemory: name)
        #expect(after == (0, 0))
    }

    @Test("the event source is closed with its vSMMU's successor, or with the session")
    func eventSources() throws {
        let descriptors = DescriptorTable()
        var backend: ModelBackend? = ModelBackend(descriptors: descriptors)
        let smmu = PhysicalSMMU(name: .test("smmu0"), registers: .nested())
        for _ in 0..<5 {
            try backend?.createVSMMU(VSMMUID(1), on: smmu, advertised: .nested())
            #expect(descriptors.count == 1)
            backend?.destroyVSMMU(VSMMUID(1))
        }
        try backend?.createVSMMU(VSMMUID(1), on: smmu, advertised: .nested())
        backend = nil
        #expect(descriptors.count == 0)
    }

    @Test("a sparse file of 1 GiB takes memory only where it is touched")
    func sparse() throws {
        let host = ModelHost()
        let guest = try Guest(host)
        let size: UInt64 = 1 << 30
        let file = try host.memory(named: "sparse", bytes: size)
        try host.backend.map(MemoryMap(ipa: 0x1_0000_0000, size: size, offset: 0, writable: true, file: file))
        try guest.attach(0, as: 7, .bypass)
        let before = try residentBytes(file, host.descriptors)
        var bytes: [UInt8] = [1, 2, 3, 4]
        for offset in [0, size / 2, size - 4] {
            let reply = guest.transfer(7, 0x1_0000_0000 + offset, write: true, &bytes)
            #expect(reply.size == 4)
        }
        let after = try residentBytes(file, host.descriptors)
        #expect(before == 0 && after == 3 * 4096)
    }

    @Test("maps that touch each other, of parts of files in any order, are each their own")
    func adjacency() throws {
        let host = ModelHost()
        let guest = try Guest(host)
        try guest.attach(0, as: 7, .bypass)
        let file = try host.memory(named: "parts", bytes: 4 * 4096)
        let base: UInt64 = 0x8000_0000
        let parts: [UInt64] = [2, 0, 3, 1]
        for (place, part) in parts.enumerated() {
            let map = MemoryMap(
                ipa: base + UInt64(place) * 4096, size: 4096, offset: part * 4096, writable: true, file: file)
            try host.backend.map(map)
        }
        // A DMA over a border goes on in the next map.
        var bytes: [UInt8] = Array(1...16)
        let reply = guest.transfer(7, base + 4096 - 8, write: true, &bytes)
        #expect(reply.size == 16)
        let mapping = try Mapping(host.descriptors.duplicate(file.rawValue), count: 4 * 4096, writable: false)
        let (end, start) = (mapping.loadWord(at: 3 * 4096 - 8), mapping.loadWord(at: 0))
        #expect(end == 0x0807_0605_0403_0201 && start == 0x100f_0e0d_0c0b_0a09)
        try host.backend.unmap(MemoryMap(ipa: base + 4096, size: 4096, offset: 0, writable: true, file: file))
        let cut = guest.transfer(7, base + 4096 - 8, write: true, &bytes)
        #expect(cut.size == 8 && cut.stage2 == .fault && cut.ipa == IPA(base + 4096), "it stops at the border")
    }

    @Test("addresses of every size work up to where the SMMU keeps its own tables, and not there", arguments: 0...6)
    func addressSizes(_ code: Int) throws {
        let ids = IDRegisters.nested(oas: UInt32(code), bigEndian: code == 3)
        let host = ModelHost(ids: ids)
        let guest = try Guest(host)
        let space = guest.makeSpace()
        try guest.attach(0, as: 7, space.installation)
        let bits = min(ids.outputAddressSize, 48)
        let end: UInt64 = 1 << UInt64(bits)
        let own = end - min(1 << 34, end / 16)
        let file = try host.memory(named: "high", bytes: 0x2000)
        func map(at ipa: UInt64) -> MemoryMap {
            MemoryMap(ipa: ipa, size: 0x2000, offset: 0, writable: true, file: file)
        }
        try host.backend.map(map(at: own - 0x2000))
        guest.map(space, 0x1000, to: own - 0x1000)
        var bytes: [UInt8] = [1]
        let below = guest.transfer(7, 0x1000, write: true, &bytes)
        #expect(below.size == 1 && below.ipa == IPA(own - 0x1000))
        for ipa in [own - 0x1000, own, end - 0x2000] {
            try host.backend.unmap(map(at: own - 0x2000))
            let failure = #expect(throws: BackendFailure.self) { try host.backend.map(map(at: ipa)) }
            #expect(failure?.status == .invalid && failure?.isTransient == false)
            try host.backend.map(map(at: own - 0x2000))
        }
        // Nothing that the guest writes into its tables leads there.
        guest.map(space, 0x2000, to: own)
        let inside = guest.access(7, 0x2000)
        #expect(inside.stage2 != .done)
        // Memory beyond the address size does no harm and is out of reach.
        if bits < 48 {
            try host.backend.map(map(at: end))
            guest.map(space, 0x3000, to: end)
            let beyond = guest.access(7, 0x3000)
            #expect(beyond.stage1 == .fault || beyond.stage2 == .fault)
        }
    }

    @Test("a vSMMU that memory is in the way of is not made, and leaves nothing behind")
    func collisionAtCreation() throws {
        let host = ModelHost(ids: .nested(oas: 0))
        let file = try host.memory(named: "low", bytes: 0x1000)
        try host.backend.map(MemoryMap(ipa: 0xf000_0000, size: 0x1000, offset: 0, writable: true, file: file))
        let count = host.descriptors.count
        let failure = #expect(throws: BackendFailure.self) {
            try host.backend.createVSMMU(VSMMUID(1), on: host.smmu, advertised: host.advertised)
        }
        #expect(failure?.advice.contains("0xf0000000") == true)
        #expect(host.descriptors.count == count && host.backend.eventSource(of: VSMMUID(1)) == nil)
    }

    @Test("files that cannot be mapped are refused with the kernel's reason")
    func unmappable() throws {
        let host = ModelHost()
        var map = MemoryMap(ipa: 0x1000, size: 0x1000, offset: 0, writable: true, file: ResourceID(rawValue: 999))
        let unknown = #expect(throws: BackendFailure.self) { try host.backend.map(map) }
        #expect(unknown?.status == Status(rawValue: 9))
        map.file = ResourceID(rawValue: host.descriptors.insert(try EventFD().fd.duplicate()))
        let noMemory = #expect(throws: BackendFailure.self) { try host.backend.map(map) }
        #expect(noMemory?.status == .noDevice)
        map.size = 0x1234
        let unaligned = #expect(throws: BackendFailure.self) { try host.backend.map(map) }
        #expect(unaligned?.status == .invalid)
        (map.ipa, map.size) = (.max - 0xfff, 0x2000)
        let overflow = #expect(throws: BackendFailure.self) { try host.backend.map(map) }
        #expect(overflow?.status == .invalid)
    }

    @Test("stage 2 takes the largest blocks that fit, and gives its tables back", arguments: [4, 2] as [UInt32])
    func tables(_ oas: UInt32) throws {
        let layout = ModelLayout(outputAddressSize: oas == 4 ? 44 : 40)
        let tables = Stage2Tables(layout: layout, bigEndian: false)
        var memory = ModelMemory(guest: GuestMemory(), layout: layout).own
        let access = Stage2Tables.Access(read: true, write: true)
        let roots = tables.startLevel == 0 ? 1 : 0
        let aligned = tables.map(0x4000_0000..<0x1_4000_0000, access, in: &memory)
        #expect(aligned && memory.residentPages == 1 + roots, "4 GiB in blocks of 1 GiB")
        // 4 KiB before a border of 1 GiB: pages, blocks of 2 MiB, one of 1 GiB, a block of 2 MiB, a page.
        let odd: Range<UInt64> = 0x1_fffe_f000..<0x2_4020_1000
        let mixed = tables.map(odd, access, in: &memory)
        #expect(mixed && memory.residentPages == 1 + roots + 4)
        tables.unmap(odd, in: &memory)
        tables.unmap(0x4000_0000..<0x1_4000_0000, in: &memory)
        let empty = memory.isEmpty(pageAt: layout.stage2Root)
        #expect(empty)
        for _ in 0..<100 {
            let again = tables.map(odd, access, in: &memory)
            #expect(again)
            tables.unmap(odd, in: &memory)
        }
        #expect(memory.residentPages == 1 + roots + 4, "the same pages over and over")
    }

    @Test("when there is no room for tables a map fails as a whole")
    func noRoom() {
        let layout = ModelLayout(outputAddressSize: 44)
        let tables = Stage2Tables(layout: layout, bigEndian: false)
        var memory = PrivateMemory(base: layout.base, size: ModelLayout.reserved + 8192, reserved: ModelLayout.reserved)
        let range: Range<UInt64> = 0x1000..<0x2000
        let mapped = tables.map(range, Stage2Tables.Access(read: true, write: true), in: &memory)
        #expect(!mapped)
        tables.unmap(range, in: &memory)
        let empty = memory.isEmpty(pageAt: layout.stage2Root)
        let pages = [memory.allocatePage(), memory.allocatePage(), memory.allocatePage()]
        #expect(empty && pages[0] != nil && pages[1] != nil && pages[2] == nil, "both pages have been given back")
    }
}
