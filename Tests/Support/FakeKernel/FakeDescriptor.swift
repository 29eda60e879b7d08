import Glibc
import LinuxSystem

/// The kernel's side of a descriptor that was given away: one end of a pipe of which the other end is with the owner, so
/// that the kernel sees when the last copy is closed, and makes it readable.
final class FakeDescriptor {
    private let kept: OwnedFD
    private let inode: UInt64

    private init(keeping kept: consuming OwnedFD) {
        inode = FakeDescriptor.inode(of: kept.raw) ?? 0
        self.kept = kept
    }

    /// A new one and the end to give away.
    static func make() throws(Errno) -> FakePipe {
        var ends: [Int32] = [-1, -1]
        // SAFETY: the call writes two numbers.
        if unsafe pipe(&ends) != 0 { throw .noDescriptors }
        let (owner, kept) = (ends[0], ends[1])
        for end in [owner, kept] { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        let pipe = FakePipe(
            kernel: FakeDescriptor(keeping: OwnedFD(adopting: kept)), owner: OwnedFD(adopting: owner))
        try pipe.owner.setNonBlocking()
        return pipe
    }

    /// Whether a descriptor is a copy of what was given away.
    func isSame(as raw: Int32) -> Bool { Self.inode(of: raw) == inode }

    /// Both ends of a pipe have the same.
    static func inode(of raw: Int32) -> UInt64? {
        var status = stat()
        // SAFETY: the call writes one structure.
        return unsafe fstat(raw, &status) == 0 ? UInt64(status.st_ino) : nil
    }

    /// No copy is open any more.
    var isClosed: Bool {
        var state = pollfd(fd: kept.raw, events: 0, revents: 0)
        // SAFETY: the call writes one structure.
        return unsafe poll(&state, 1, 0) > 0 && Int32(state.revents) & POLLERR != 0
    }

    /// Makes the owner's end readable.
    func signal() {
        if isClosed { return }
        var byte: UInt8 = 1
        // SAFETY: the call reads one byte.
        _ = unsafe write(kept.raw, &byte, 1)
    }

    /// Takes the owner's end's readability back.
    static func quieten(_ raw: Int32) {
        var bytes = [UInt8](repeating: 0, count: 64)
        // SAFETY: the call writes at most 64 bytes.
        while unsafe read(raw, &bytes, 64) > 0 {}
    }
}

/// Both ends of a new descriptor.
struct FakePipe: ~Copyable {
    let kernel: FakeDescriptor
    let owner: OwnedFD
    init(kernel: FakeDescriptor, owner: consuming OwnedFD) {
        self.kernel = kernel
        self.owner = owner
    }
}
