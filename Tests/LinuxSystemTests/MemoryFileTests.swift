import Foundation
import LinuxSystem
import Testing

@Suite struct MemoryFileTests {
    @Test(
        "a memfd is memory, with the seals it was given, and what is written through one mapping is read through another"
    )
    func memfd() throws {
        let file = try OwnedFD.memory(named: "guest", size: 65536)
        try file.seal([.shrink, .grow])
        let info = try file.inspectMemory()
        #expect(info.kind == .shmem && info.size == 65536 && info.readable && info.writable)
        #expect(info.seals == [.shrink, .grow])
        let writer = try Mapping(file, count: 65536, writable: true)
        let reader = try Mapping(file, offset: 4096, count: 4096, writable: false)
        let stored = writer.storeWord(0x1122_3344_5566_7788, at: 4096 + 8)
        #expect(stored)
        #expect(reader.loadWord(at: 8) == 0x1122_3344_5566_7788)
        #expect(reader.storeWord(1, at: 8) == false)
    }

    @Test(
        "no offset reaches beyond a mapping", arguments: [4096, 4089, 4090, 1, 7, UInt64.max, UInt64.max - 7, 1 << 63])
    func bounds(offset: UInt64) throws {
        let file = try OwnedFD.memory(named: "small", size: 4096)
        let mapping = try Mapping(file, count: 4096, writable: true)
        #expect(mapping.loadWord(at: offset) == nil)
        #expect(mapping.storeWord(1, at: offset) == false)
        #expect(mapping.loadWord(at: 4088) == 0)
    }

    @Test("what is no memory says so: an eventfd, a socket, a regular file; and a read-only descriptor is not writable")
    func otherFiles() throws {
        let event = try EventFD()
        #expect(try event.fd.inspectMemory().kind == .other)
        let pair = try SeqPacketSocket.pair()
        #expect(try pair.first.fd.inspectMemory().kind == .other)
        let path = #filePath
        let raw = unsafe open(path, O_RDONLY)
        #expect(raw >= 0)
        let file = OwnedFD(adopting: raw)
        let info = try file.inspectMemory()
        #expect(info.readable && !info.writable && info.seals == [])
        // The sources may lie on a tmpfs, which is memory; nothing of the kind is ever hugetlb.
        #expect(info.kind != .hugetlb)
    }
}
