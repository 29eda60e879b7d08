import CSMMUBroker

extension GuestMemory {
    /// How the C client reads guest memory. Valid as long as this object lives.
    var callbacks: smmu_broker_memory {
        // SAFETY: the object outlives the call that it is made for; its callers see to that.
        let user = unsafe Unmanaged.passUnretained(self).toOpaque()
        // SAFETY: the closure gets `user` back as it is given here, and `size` bytes to write to.
        return unsafe smmu_broker_memory(
            read: { user, address, bytes, size in
                // SAFETY: `user` is the object, which lives; `bytes` has room for `size`.
                guard let user = unsafe user, let bytes = unsafe bytes else { return -14 }
                let guest = unsafe Unmanaged<GuestMemory>.fromOpaque(user).takeUnretainedValue()
                return unsafe guest.read(address, into: UnsafeMutableRawBufferPointer(start: bytes, count: size))
            },
            write: nil, user: user)
    }

    /// Whole words: commands, STEs and descriptors are nothing else.
    private func read(_ address: UInt64, into bytes: UnsafeMutableRawBufferPointer) -> Int32 {
        let count = bytes.count
        guard count.isMultiple(of: 8) else { return -22 }
        for offset in stride(from: 0, to: count, by: 8) {
            guard let word = word(at: address &+ UInt64(offset)) else { return -14 }
            // SAFETY: the word lies within the buffer.
            unsafe bytes.storeBytes(of: word, toByteOffset: offset, as: UInt64.self)
        }
        return 0
    }
}
