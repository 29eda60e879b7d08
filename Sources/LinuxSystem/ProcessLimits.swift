import CLinux

/// What a daemon settles for its whole process before it starts a thread.
package enum ProcessLimits {
    /// Raises the number of files that may be open to what the system allows; the number from then on.
    @discardableResult
    package static func raiseOpenFiles() throws(Errno) -> Int {
        Int(clamping: try Errno.check(clinux_raise_file_limit()))
    }

    /// At most so many heaps for all threads together: otherwise each thread keeps the free memory of one to itself.
    package static func limitHeaps(_ count: Int32) throws(Errno) { try Errno.check(clinux_limit_heaps(count)) }

    /// From then on writing to what nobody reads is an error and not the end.
    package static func ignoreBrokenPipes() throws(Errno) { try Errno.check(clinux_ignore_broken_pipes()) }
}

extension OwnedFD {
    /// A descriptor that stands for nothing: to be given up when there is no other left.
    package static func null() throws(Errno) -> OwnedFD { OwnedFD(adopting: try Errno.check(clinux_open_null())) }
}
