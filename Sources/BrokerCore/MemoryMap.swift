/// A part of a file that is guest memory.
package struct MemoryMap: Hashable, Sendable {
    package var ipa: UInt64
    /// Bytes.
    package var size: UInt64
    /// In the file.
    package var offset: UInt64
    package var writable: Bool
    package var readable: Bool
    /// The file.
    package var file: ResourceID
    /// It is a BAR: the kernel takes the map away when the device is reset or its memory disabled.
    package var isDeviceMemory: Bool

    package init(
        ipa: UInt64, size: UInt64, offset: UInt64, readable: Bool = true, writable: Bool, file: ResourceID,
        isDeviceMemory: Bool = false
    ) {
        (self.ipa, self.size, self.offset) = (ipa, size, offset)
        (self.readable, self.writable, self.file) = (readable, writable, file)
        self.isDeviceMemory = isDeviceMemory
    }

    /// The first address behind it; checked not to overflow when it was made.
    package var end: UInt64 { ipa &+ size }
}

/// What is known of a descriptor that came with a packet, found out before anything else looks at it.
package struct ReceivedFile: Hashable, Sendable {
    package enum Kind: Hashable, Sendable {
        /// A memfd, or a file of a tmpfs.
        case shmem
        case hugetlb
        /// A dma-buf of vfio-pci: a part of a BAR.
        case deviceMemory
        /// One end of a pair of AF_UNIX, SOCK_SEQPACKET sockets.
        case seqPacketSocket
        case eventFD
        case other
    }

    package var resource: ResourceID
    package var kind: Kind
    /// Bytes, of memory.
    package var size: UInt64
    /// F_SEAL_SHRINK is set.
    package var sealedAgainstShrinking: Bool
    package var readable: Bool
    package var writable: Bool

    package init(
        resource: ResourceID, kind: Kind, size: UInt64 = 0, sealedAgainstShrinking: Bool = false,
        readable: Bool = true, writable: Bool = true
    ) {
        (self.resource, self.kind, self.size) = (resource, kind, size)
        self.sealedAgainstShrinking = sealedAgainstShrinking
        (self.readable, self.writable) = (readable, writable)
    }
}
