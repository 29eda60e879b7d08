import CLinux

// Single words that other processes read and write at the same time.

extension Mapping {
    /// The 4-byte word at `offset`, ordered before all that is loaded afterwards; nil beyond the end or off the alignment.
    package borrowing func loadAcquiring(at offset: UInt64) -> UInt32? {
        guard holdsWord(at: offset) else { return nil }
        // SAFETY: the four bytes lie within the mapping, aligned.
        return unsafe clinux_load_acquire(base + Int(offset))
    }

    /// Stores a 4-byte word: whoever sees it sees what was stored before. False beyond the end, off the alignment, or where
    /// the mapping is read-only.
    package borrowing func storeReleasing(_ value: UInt32, at offset: UInt64) -> Bool {
        guard writable, holdsWord(at: offset) else { return false }
        // SAFETY: as above.
        unsafe clinux_store_release(base + Int(offset), value)
        return true
    }

    private borrowing func holdsWord(at offset: UInt64) -> Bool {
        offset & 3 == 0 && count >= 4 && offset <= UInt64(count &- 4)
    }
}
