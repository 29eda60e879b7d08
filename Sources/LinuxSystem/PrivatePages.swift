import CLinux

/// Memory of this process alone, in whole pages. A page that nobody has touched takes no room, so that a buffer for the
/// largest packet costs what the packets that came were large.
@usableFromInline @safe
package struct PrivatePages: ~Copyable, @unchecked Sendable {
    @usableFromInline let base: UnsafeMutableRawPointer
    /// Bytes.
    @usableFromInline package let count: Int

    package init(count: Int) throws(Errno) {
        var address: UnsafeMutableRawPointer?
        // SAFETY: the call writes one pointer.
        try Errno.check(unsafe clinux_pages(count, &address))
        guard let address = unsafe address else { throw .invalid }
        unsafe base = address
        self.count = count
    }

    deinit {
        // SAFETY: the range is the one that was mapped; the closures below let nobody keep a pointer into it.
        _ = unsafe clinux_unmap(base, count)
    }

    /// The first `bytes` bytes, to read. Not to be called while they are being written.
    @inlinable
    package borrowing func read<Result: ~Copyable, Failure: Error>(
        _ bytes: Int, _ body: (RawSpan) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        precondition(bytes >= 0 && bytes <= count, "\(bytes) bytes of \(count)")
        // SAFETY: the range lies within the mapping, which is zeroed memory from the start.
        return try body(unsafe UnsafeRawBufferPointer(start: base, count: bytes).bytes)
    }

    /// All of it, to write. Not to be called while it is being read or written.
    @inlinable
    package borrowing func write<Result: ~Copyable, Failure: Error>(
        _ body: (inout MutableRawSpan) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        // SAFETY: as above.
        var span = unsafe UnsafeMutableRawBufferPointer(start: base, count: count).mutableBytes
        return try body(&span)
    }
}
