import CLinux

/// What a descriptor is, of those that are not memory.
package enum DescriptorKind: Hashable, Sendable {
    /// One end of a pair of AF_UNIX, SOCK_SEQPACKET sockets: neither has a name.
    case seqPacketSocket
    case eventFD
    case other
}

extension OwnedFD {
    /// What the kernel says this is. For memory there is ``inspectMemory()``.
    package borrowing func kind() throws(Errno) -> DescriptorKind {
        let kind = try Errno.check(clinux_descriptor_kind(raw))
        if kind == Int32(CLINUX_DESCRIPTOR_SEQPACKET.rawValue) { return .seqPacketSocket }
        return kind == Int32(CLINUX_DESCRIPTOR_EVENTFD.rawValue) ? .eventFD : .other
    }
}
