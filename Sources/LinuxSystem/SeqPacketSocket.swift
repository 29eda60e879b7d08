import CLinux

/// A connected AF_UNIX, SOCK_SEQPACKET socket: one packet in, one packet out, descriptors beside it. Non-blocking.
package struct SeqPacketSocket: ~Copyable, Sendable {
    package let fd: OwnedFD

    package init(adopting fd: consuming OwnedFD) { self.fd = fd }

    /// Connects to the socket at `path`.
    package init(connectingTo path: String) throws(Errno) {
        let raw = unsafe path.withCString { name in
            // SAFETY: the call reads a string that ends in 0 and keeps nothing of it.
            unsafe clinux_socket_connect(name)
        }
        fd = OwnedFD(adopting: try Errno.check(raw))
    }

    /// Two sockets connected to each other.
    package struct Pair: ~Copyable {
        package let first: SeqPacketSocket
        package let second: SeqPacketSocket

        /// The first socket alone; the second is closed.
        package consuming func closingSecond() -> SeqPacketSocket { first }
    }

    package static func pair() throws(Errno) -> Pair {
        var raw: InlineArray<2, Int32> = [-1, -1]
        var span = raw.mutableSpan
        let status = unsafe span.withUnsafeMutableBufferPointer { buffer in
            // SAFETY: the call writes two numbers.
            unsafe clinux_socket_pair(buffer.baseAddress)
        }
        try Errno.check(status)
        return Pair(
            first: SeqPacketSocket(adopting: OwnedFD(adopting: raw[0])),
            second: SeqPacketSocket(adopting: OwnedFD(adopting: raw[1])))
    }

    /// Gives the socket a name of the kernel's choice: then the other end can be told from one of a pair.
    package borrowing func giveName() throws(Errno) { try Errno.check(clinux_socket_name(fd.raw)) }

    /// From now on nothing can be sent to this socket, and what had been sent is gone, with all descriptors that came
    /// along. A socket that is never read would keep those open: a peer could so hold its own end, and never hang up.
    package borrowing func stopReceiving() throws(Errno) { try Errno.check(clinux_socket_send_only(fd.raw)) }

    /// Who is at the other end, as the kernel noted when it connected.
    package borrowing func peer() throws(Errno) -> PeerCredentials {
        var credentials = clinux_credentials()
        // SAFETY: the call writes one structure.
        try Errno.check(unsafe clinux_socket_peer(fd.raw, &credentials))
        return PeerCredentials(pid: credentials.pid, uid: credentials.uid, gid: credentials.gid)
    }

    /// Receives one packet into `buffer`; nil when none is there.
    ///
    /// Descriptors that came along are the result's to own: those nobody takes are closed with it. A peer that has
    /// closed gives a packet of 0 bytes without descriptors, and so does one that sends an empty packet.
    package borrowing func receive(into buffer: inout MutableRawSpan) throws(Errno) -> ReceivedPacket? {
        var received = clinux_received()
        let status = unsafe buffer.withUnsafeMutableBytes { bytes in
            // SAFETY: the call writes at most `bytes.count` bytes, and one structure.
            unsafe clinux_socket_receive(fd.raw, bytes.baseAddress, bytes.count, &received)
        }
        if status == -Errno.again.code { return nil }
        try Errno.check(status)
        return ReceivedPacket(received)
    }

    /// Sends one packet, with copies of `descriptors` if there are any; false when the socket has no room at the moment.
    ///
    /// Errors: ``Errno/brokenPipe`` when the peer is gone, ``Errno/messageTooLong`` for a packet the socket can never
    /// take.
    package borrowing func send(_ bytes: RawSpan, descriptors: [Int32] = []) throws(Errno) -> Bool {
        let sent = unsafe bytes.withUnsafeBytes { buffer in
            unsafe descriptors.withUnsafeBufferPointer { fds in
                // SAFETY: the call reads `buffer.count` bytes and `fds.count` numbers.
                unsafe clinux_socket_send(fd.raw, buffer.baseAddress, buffer.count, fds.baseAddress, fds.count)
            }
        }
        if sent == -Int64(Errno.again.code) { return false }
        try Errno.check(sent)
        return true
    }
}

/// Who connected. A process may have handed its socket on since: it says who made the connection.
package struct PeerCredentials: Hashable, Sendable {
    package let pid: UInt32
    package let uid: UInt32
    package let gid: UInt32

    package init(pid: UInt32, uid: UInt32, gid: UInt32) { (self.pid, self.uid, self.gid) = (pid, uid, gid) }
}

/// A packet as it was received: its size, and the descriptors that came with it.
package struct ReceivedPacket: ~Copyable {
    package let byteCount: Int
    /// The packet was larger than the buffer; what is beyond it is lost.
    package let truncated: Bool
    /// Descriptors were lost: more came than a packet may carry, or this process has no room for more.
    package let descriptorsTruncated: Bool
    /// Descriptors that came with the packet, taken or not.
    package let descriptorCount: Int
    private var descriptors: InlineArray<16, Int32> = InlineArray(repeating: -1)

    package static var maximumDescriptors: Int { Int(CLINUX_MAXIMUM_FDS) }

    init(_ received: clinux_received) {
        byteCount = Int(received.bytes)
        truncated = received.truncated
        descriptorsTruncated = received.fds_truncated
        descriptorCount = min(Int(received.fd_count), 16)
        if descriptorCount == 0 { return }
        let fds = received.fds
        unsafe withUnsafeBytes(of: fds) { bytes in
            for index in 0..<min(Int(received.fd_count), 16) {
                // SAFETY: the array has 16 numbers.
                descriptors[index] = unsafe bytes.load(fromByteOffset: index * 4, as: Int32.self)
            }
        }
    }

    /// Takes the descriptor at `index`; nil when there is none, or it has been taken.
    package mutating func takeDescriptor(_ index: Int) -> OwnedFD? {
        guard index >= 0, index < descriptorCount, descriptors[index] >= 0 else { return nil }
        let raw = descriptors[index]
        descriptors[index] = -1
        return OwnedFD(adopting: raw)
    }

    deinit {
        for index in 0..<descriptorCount where descriptors[index] >= 0 { _ = OwnedFD(adopting: descriptors[index]) }
    }
}
