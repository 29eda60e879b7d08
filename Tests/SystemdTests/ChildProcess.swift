import Glibc
import LinuxSystem
import Systemd

// For tests whose body is a process of its own, in which descriptors from 3 on belong to the test: the test library's own
// reports may not get through, so that the exit status says how it went.

func fail(_ what: String, line: Int = #line) {
    print("line \(line): \(what)")
    exit(EXIT_FAILURE)
}

/// Ends a process that has called ``passDescriptors(_:names:)``, at once: the numbers from 3 on may have been somebody's
/// who would use them at an orderly end.
func succeed() -> Never { _exit(EXIT_SUCCESS) }

func check(_ condition: Bool, _ what: String, line: Int = #line) {
    if !condition { fail(what, line: line) }
}

/// Makes `descriptors` numbers 3, 4… as a service manager would.
func passDescriptors(_ descriptors: [Int32], names: String) {
    // Out of the way first: they may be 3 and 4 already, in another order.
    let copies = descriptors.map { fcntl($0, F_DUPFD_CLOEXEC, 100) }
    for (index, copy) in copies.enumerated() { check(dup2(copy, 3 + Int32(index)) > 0, "dup2") }
    unsafe setenv("LISTEN_FDS", "\(descriptors.count)", 1)
    unsafe setenv("LISTEN_PID", "\(getpid())", 1)
    unsafe setenv("LISTEN_FDNAMES", names, 1)
}

/// A blocking listener, as systemd passes it, at a path that is removed at once.
func listener(_ name: String) -> Int32 {
    let path = "/tmp/smmu-broker-test-\(getpid())-\(name)"
    do {
        let listener = try SeqPacketListener(at: path)
        let raw = try listener.fd.duplicate().release()
        unsafe unlink(path)
        check(fcntl(raw, F_SETFL, fcntl(raw, F_GETFL) & ~O_NONBLOCK) == 0, "fcntl")
        return raw
    } catch {
        fail("\(error)")
        return -1
    }
}

func pipeEnd() -> Int32 {
    var ends: [Int32] = [-1, -1]
    check(unsafe pipe(&ends) == 0, "pipe")
    return ends[0]
}

func refuses(_ descriptor: Int32, _ problem: SocketActivationError.Problem, _ advice: String, line: Int = #line) {
    let passed = file(descriptor)
    passDescriptors([descriptor], names: "client")
    do {
        _ = try SocketActivation.take()
        fail("not refused", line: line)
    } catch {
        check(error == .unsuitable(name: "client", problem), "\(error)", line: line)
        check("\(error)".contains(advice) && "\(error)".contains("'client'"), "\(error)", line: line)
        // The number may be somebody else's by now: the process has threads that are not the test's.
        check(file(3) != passed, "still open", line: line)
    }
}

/// Which file a descriptor is of; empty when it is none.
private func file(_ descriptor: Int32) -> [UInt64] {
    var status = stat()
    return unsafe fstat(descriptor, &status) == 0 ? [UInt64(status.st_dev), UInt64(status.st_ino)] : []
}

/// Receives what a service manager would.
struct FakeManager: ~Copyable {
    private let socket: SeqPacketSocket

    init() {
        let name = "smmu-broker-test-\(getpid())"
        let raw = Glibc.socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let path = [0] + Array(name.utf8)
        unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: path) }
        let length = socklen_t(MemoryLayout<sa_family_t>.size + path.count)
        let status = unsafe withUnsafePointer(to: &address) { address in
            unsafe address.withMemoryRebound(to: sockaddr.self, capacity: 1) { unsafe bind(raw, $0, length) }
        }
        check(status == 0, "bind")
        socket = SeqPacketSocket(adopting: OwnedFD(adopting: raw))
        unsafe setenv("NOTIFY_SOCKET", "@\(name)", 1)
    }

    func expects(_ text: String, descriptors: Int = 0, line: Int = #line) {
        do {
            var bytes = [UInt8](repeating: 0, count: 4096)
            var span = bytes.mutableSpan
            var raw = unsafe span.mutableBytes
            guard let packet = try socket.receive(into: &raw) else { return fail("nothing", line: line) }
            let count = packet.byteCount
            check(packet.descriptorCount == descriptors, "\(packet.descriptorCount) descriptors", line: line)
            let got = String(decoding: bytes.prefix(count), as: UTF8.self)
            check(got == text, "got \(got)", line: line)
        } catch { fail("\(error)", line: line) }
    }
}
