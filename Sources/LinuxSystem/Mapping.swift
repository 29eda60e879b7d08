import CLinux

/// Shared memory of a file, mapped as long as this lives.
///
/// The file must not shrink below the mapping (``FileSeals/shrink``): touching memory that is gone ends the process. Other
/// processes may write at any time, so what is read is copied first and judged afterwards.
@safe
package struct Mapping: ~Copyable, @unchecked Sendable {
    /// The first byte.
    package let base: UnsafeMutableRawPointer
    /// Bytes.
    package let count: Int
    package let writable: Bool

    /// Maps `count` bytes of `file` from `offset` on, which is a multiple of the page size.
    package init(_ file: borrowing OwnedFD, offset: UInt64 = 0, count: Int, writable: Bool) throws(Errno) {
        var address: UnsafeMutableRawPointer?
        // SAFETY: the call writes one pointer.
        try Errno.check(unsafe clinux_map(file.raw, offset, count, writable, &address))
        guard let address = unsafe address else { throw .invalid }
        unsafe base = address
        self.count = count
        self.writable = writable
    }

    deinit {
        // SAFETY: the range is the one that was mapped, and nobody outlives the mapping with a pointer into it.
        _ = unsafe clinux_unmap(base, count)
    }

    /// The 8-byte word at `offset`, read once; nil beyond the end or off the alignment.
    package borrowing func loadWord(at offset: UInt64) -> UInt64? {
        guard offset & 7 == 0, offset <= UInt64(count &- 8), count >= 8 else { return nil }
        // SAFETY: the eight bytes lie within the mapping, aligned.
        return unsafe base.load(fromByteOffset: Int(offset), as: UInt64.self)
    }

    /// Stores a word; false beyond the end, off the alignment, or where the mapping is read-only.
    package borrowing func storeWord(_ value: UInt64, at offset: UInt64) -> Bool {
        guard writable, offset & 7 == 0, count >= 8, offset <= UInt64(count &- 8) else { return false }
        // SAFETY: as above.
        unsafe base.storeBytes(of: value, toByteOffset: Int(offset), as: UInt64.self)
        return true
    }
}
