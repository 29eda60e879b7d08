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

    @Test("bytes are copied whole or not at all, and never beyond the mapping or what they go to")
    func bytes() throws {
        let file = try OwnedFD.memory(named: "bytes", size: 8192)
        let mapping = try Mapping(file, count: 4096, writable: true)
        let reader = try Mapping(file, count: 4096, writable: false)
        let source: [UInt8] = Array(0..<16)
        var target = [UInt8](repeating: 0xff, count: 16)
        // SAFETY: any bytes are those of an array of bytes.
        let bytes = unsafe source.span.bytes
        let written = mapping.write(bytes, from: 4, count: 8, at: 4088)
        let refused = !reader.write(bytes, from: 0, count: 8, at: 0)
        #expect(written && refused && mapping.loadWord(at: 4088) == 0x0b0a_0908_0706_0504)
        func read(_ offset: UInt64, _ start: Int, _ count: Int) -> Bool {
            var span = target.mutableSpan
            // SAFETY: any bytes are right for an array of bytes.
            var bytes = unsafe span.mutableBytes
            return reader.read(at: offset, into: &bytes, from: start, count: count)
        }
        #expect(read(4090, 13, 3))
        #expect(target == [UInt8](repeating: 0xff, count: 13) + [6, 7, 8])
        for (offset, start, count) in [
            (4089, 0, 8), (4096, 0, 1), (.max, 0, 1), (.max - 3, 0, 8), (0, 9, 8), (0, -1, 4), (0, 0, -1), (0, 17, 0),
            (0, .max, 8), (0, 0, .max),
        ] as [(UInt64, Int, Int)] {
            let copied = read(offset, start, count)
            let stored = mapping.write(bytes, from: start, count: count, at: offset)
            #expect(!copied && !stored, "\(offset) \(start) \(count)")
        }
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
