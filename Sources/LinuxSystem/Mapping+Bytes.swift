extension Mapping {
    /// Copies `count` bytes from `offset` on into `data`, from its byte `start` on; false, and nothing is copied, when
    /// either does not have so many. What others write at the same time may be seen in part.
    package borrowing func read(at offset: UInt64, into data: inout MutableRawSpan, from start: Int, count: Int) -> Bool
    {
        guard holds(count, at: offset), start >= 0, start <= data.byteCount &- count else { return false }
        unsafe data.withUnsafeMutableBytes { buffer in
            // SAFETY: both ranges have been checked to lie within what they are of; they cannot overlap, since nobody
            // has a span of the mapping.
            let source = unsafe UnsafeRawBufferPointer(start: base + Int(offset), count: count)
            let target = unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[start..<start + count])
            unsafe target.copyMemory(from: source)
        }
        return true
    }

    /// Copies `count` bytes of `data`, from its byte `start` on, to `offset`; false, and nothing is copied, when either
    /// does not have so many or the mapping is read-only.
    package borrowing func write(_ data: RawSpan, from start: Int, count: Int, at offset: UInt64) -> Bool {
        guard writable, holds(count, at: offset), start >= 0, start <= data.byteCount &- count else { return false }
        unsafe data.withUnsafeBytes { buffer in
            // SAFETY: as above.
            let source = unsafe UnsafeRawBufferPointer(rebasing: buffer[start..<start + count])
            let target = unsafe UnsafeMutableRawBufferPointer(start: base + Int(offset), count: count)
            unsafe target.copyMemory(from: source)
        }
        return true
    }

    /// Whether `bytes` bytes from `offset` on lie within.
    private borrowing func holds(_ bytes: Int, at offset: UInt64) -> Bool {
        bytes >= 0 && bytes <= count && offset <= UInt64(count &- bytes)
    }
}
