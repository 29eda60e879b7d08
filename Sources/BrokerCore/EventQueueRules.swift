import SMMUv3
import Wire

/// What may be an event queue in shared memory: decided on plain values before any of it is mapped.
enum EventQueueRules {
    /// PROD, then CONS.
    static let registerBytes: UInt64 = 8
    static let recordBytes: UInt64 = 32

    /// The queue that an EVENTS_SUBSCRIBE asks for, if the rules allow it. `files`: records, registers, eventfd, and
    /// perhaps a socket.
    static func queue(
        _ place: EventsSubscribeRequest.Queue, _ files: [ReceivedFile]
    ) throws(Refusal) -> SessionState.SharedQueue {
        let size = recordBytes << UInt64(place.log2)
        try check(files[0], "The records'", "queue_base", place.base, size, aligned: size)
        try check(files[1], "The registers'", "queue_registers", place.registers, registerBytes, aligned: registerBytes)
        guard files[2].kind == .eventFD else {
            throw Refusal(
                .notEventFD, .invalid,
                "The third descriptor is no eventfd: pass one that eventfd(2) made, non-blocking.")
        }
        if files.count > 3 { try requireSocket(files[3]) }
        return SessionState.SharedQueue(
            records: files[0].resource, registers: files[1].resource, signal: files[2].resource,
            notices: files.count > 3 ? files[3].resource : nil, place: place)
    }

    static func requireSocket(_ file: ReceivedFile) throws(Refusal) {
        if file.kind == .seqPacketSocket { return }
        throw Refusal(
            .notSocket, .invalid,
            "The descriptor is no end of a pair of SOCK_SEQPACKET sockets of AF_UNIX: pass one that socketpair made.")
    }

    private static func check(
        _ file: ReceivedFile, _ whose: String, _ field: String, _ offset: UInt64, _ size: UInt64, aligned: UInt64
    ) throws(Refusal) {
        switch file.kind {
        case .shmem: break
        case .hugetlb:
            throw Refusal(
                .hugetlbUnsupported, .notSupported,
                "\(whose) descriptor is of hugetlbfs, which the daemon does not map: pass a memfd without MFD_HUGETLB.")
        case .seqPacketSocket, .eventFD, .deviceMemory, .other:
            throw Refusal(.notMemory, .invalid, "\(whose) descriptor is no memfd: pass one.")
        }
        if !file.readable || !file.writable {
            throw Refusal(
                .descriptorNotWritable, .notPermitted,
                "\(whose) descriptor is not open for reading and writing: open it with O_RDWR.")
        }
        if !file.sealedAgainstShrinking {
            throw Refusal(
                .notSealed, .notPermitted,
                "\(whose) file is mapped by the daemon, and can still shrink: add the seal F_SEAL_SHRINK with fcntl.")
        }
        if offset % aligned != 0 {
            throw Refusal(
                .notAligned, .invalid, "`\(field)` is \(offset.hex) and must be a multiple of \(aligned): align it.")
        }
        let (end, overflow) = offset.addingReportingOverflow(size)
        if overflow {
            throw Refusal(
                .addressOverflow, .invalid,
                "`\(field)` \(offset.hex) and the \(size) bytes from there on go beyond 64 bits: correct it.")
        }
        if end > file.size {
            throw Refusal(
                .beyondFile, .invalid,
                "\(whose) place ends at byte \(end) of a file of \(file.size) bytes: correct `\(field)`, or make the file "
                    + "longer with ftruncate.")
        }
    }
}
