import CLinux

/// The one owner of a file descriptor: closes it at the end of its life.
///
/// No other type of the project keeps a descriptor open; those with names (``EventFD``, ``SeqPacketSocket``…) contain
/// one of these.
package struct OwnedFD: ~Copyable, Sendable {
    /// The number, for a system call made while `self` lives. Whoever keeps it longer has a number that may mean
    /// something else.
    package let raw: Int32

    /// Takes over an open descriptor that nobody else will close.
    package init(adopting raw: Int32) { self.raw = raw }

    deinit {
        // EBADF means that somebody else closed what is ours: two owners of one number, a bug that would sooner or later
        // close a stranger's descriptor.
        precondition(
            clinux_close(raw) != -Errno.badDescriptor.code, "descriptor \(raw) was closed behind its owner's back")
    }

    /// Hands the descriptor to a new owner outside of Swift's sight.
    package consuming func release() -> Int32 {
        let raw = raw
        discard self
        return raw
    }

    /// Another descriptor of the same open file.
    package borrowing func duplicate() throws(Errno) -> OwnedFD {
        OwnedFD(adopting: try Errno.check(clinux_duplicate(raw)))
    }

    /// Has calls that would wait fail with ``Errno/again``, for all descriptors of the same open file.
    package borrowing func setNonBlocking() throws(Errno) { try Errno.check(clinux_set_nonblocking(raw)) }
}
