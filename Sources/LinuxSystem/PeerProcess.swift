import CLinux

extension SeqPacketSocket {
    /// Supplementary groups of whoever connected, as the kernel noted them then.
    package borrowing func peerGroups() throws(Errno) -> [UInt32] {
        var capacity = 32
        while true {
            var groups = [UInt32](repeating: 0, count: capacity)
            let count = unsafe groups.withUnsafeMutableBufferPointer { buffer in
                // SAFETY: the call writes at most `buffer.count` numbers.
                unsafe clinux_socket_peer_groups(fd.raw, buffer.baseAddress, buffer.count)
            }
            // The kernel allows a process 65536 of them.
            if count == -Errno.outOfRange.code, capacity < 65536 {
                capacity = 65536
                continue
            }
            groups.removeLast(capacity - Int(try Errno.check(count)))
            return groups
        }
    }
}

extension PeerCredentials {
    /// The systemd unit of the process that has this pid *now*; nil when it is in none, or has gone.
    ///
    /// The kernel notes no unit when a socket is connected. If the process that connected has ended meanwhile and its
    /// number has been given to another, this is the other's unit: a rule about units needs one about users beside it.
    package var unit: String? {
        guard pid > 0 else { return nil }
        var bytes = [UInt8](repeating: 0, count: 4096)
        let count = unsafe "/proc/\(pid)/cgroup".withCString { path in
            unsafe bytes.withUnsafeMutableBytes { buffer in
                // SAFETY: the call reads a string that ends in 0, and writes at most `buffer.count` bytes.
                unsafe clinux_read_start(path, buffer.baseAddress, buffer.count)
            }
        }
        guard count > 0 else { return nil }
        return Self.unit(ofControlGroups: String(decoding: bytes[..<Int(count)], as: UTF8.self))
    }

    /// The unit that a `/proc/PID/cgroup` tells of: in systemd's hierarchy the first part of the path that is no slice.
    package static func unit(ofControlGroups text: String) -> String? {
        let lines = text.split(separator: "\n")
        let named = lines.first { $0.contains(":name=systemd:") }
        guard let line = lines.first(where: { $0.hasPrefix("0::") && $0.count > 4 }) ?? named,
            let path = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false).last
        else { return nil }
        for part in path.split(separator: "/") {
            // A name that would collide with a file of the kernel's has an underscore before it.
            let name = part.first == "_" ? part.dropFirst() : part
            if name.hasSuffix(".slice") { continue }
            return name.hasSuffix(".service") || name.hasSuffix(".scope") ? String(name) : nil
        }
        return nil
    }
}
