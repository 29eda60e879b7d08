import Glibc
import LinuxSystem
import Testing

@Suite("Eventfds that others hold")
struct EventSignallerTests {
    @Test("each signal adds one")
    func signal() throws {
        let event = try EventFD()
        let signaller = try EventSignaller(adopting: try event.fd.duplicate())
        for _ in 0..<1000 { try signaller.signal() }
        let count = try event.take()
        #expect(count == 1000)
    }

    @Test("one that is blocking and full is not waited for")
    func full() throws {
        let event = try EventFD()
        let signaller = try EventSignaller(adopting: try event.fd.duplicate())
        let raw = event.fd.raw
        #expect(fcntl(raw, F_SETFL, fcntl(raw, F_GETFL) & ~O_NONBLOCK) == 0)
        var most = UInt64.max - 1
        // SAFETY: the call reads eight bytes.
        let written = unsafe write(raw, &most, 8)
        #expect(written == 8)
        for _ in 0..<1000 { try signaller.signal() }
        let count = try event.take()
        #expect(count > 1 << 62)
    }

    @Test("what is no eventfd is an error, again and again")
    func other() throws {
        let memory = try OwnedFD.memory(named: "no eventfd", size: 4096)
        let signaller = try EventSignaller(adopting: memory)
        for _ in 0..<100 { #expect(throws: Errno.self) { try signaller.signal() } }
    }
}

@Suite("Words of shared memory")
struct SharedWordTests {
    @Test("a word is stored and loaded within the mapping, aligned, and where it may be written")
    func words() throws {
        let file = try OwnedFD.memory(named: "words", size: 4096)
        let mapping = try Mapping(file, count: 4096, writable: true)
        let reader = try Mapping(file, count: 4096, writable: false)
        let stored = mapping.storeReleasing(0x1234_5678, at: 4092)
        let seen = reader.loadAcquiring(at: 4092)
        #expect(stored && seen == 0x1234_5678)
        for offset in [1, 2, 3, 4093, 4096, UInt64.max - 3, .max] as [UInt64] {
            let loaded = reader.loadAcquiring(at: offset)
            let written = mapping.storeReleasing(1, at: offset)
            #expect(loaded == nil && !written)
        }
        let forbidden = reader.storeReleasing(1, at: 0)
        #expect(!forbidden)
    }
}
