import CBenchReference
import SMMUv3
import Wire

/// Packets that a client sends one after the other, each when the one before has been answered.
struct Script {
    private(set) var bytes: [UInt8] = []
    private(set) var packets: [ref_packet] = []
    private var cookie: UInt64 = 1 << 32

    /// Commands of the guest, and how many of these packets there are.
    private(set) var commands = 0

    /// COMMANDS.
    mutating func append(_ commands: [Command], on vsmmu: VSMMUID) {
        self.commands += commands.count
        append(reply: ReplyHeader.Layout.byteCount) { cookie, packet in
            CommandsRequest.encode(vsmmu: vsmmu, commands: commands.span, cookie, into: &packet)
        }
    }

    /// TRANSLATE of a read; `faults`: its event comes on the event socket.
    mutating func appendTranslate(_ iova: UInt64, of vsid: StreamID, on vsmmu: VSMMUID, faults: Bool = false) {
        let event = faults ? EventHeader.byteCount + 32 : 0
        append(reply: AccessReply.byteCount, event: event) { cookie, packet in
            AccessRequest.encodeTranslate(
                AccessRequest.Target(vsmmu: vsmmu, vsid: vsid, iova: IOVA(rawValue: iova)), write: false, cookie,
                into: &packet)
        }
    }

    private mutating func append(
        reply: Int, event: Int = 0, _ encode: (Cookie, inout MutableRawSpan) -> Int
    ) {
        var packet = [UInt8](repeating: 0, count: Limits.packet)
        let size = packet.withRawSpan { encode(Cookie(rawValue: cookie), &$0) }
        cookie += 1
        packets.append(
            ref_packet(offset: UInt32(bytes.count), size: UInt32(size), reply: UInt32(reply), event: UInt32(event)))
        bytes += packet.prefix(size)
    }

    /// The script for C, valid as long as `body` runs.
    func withReference<Result>(_ body: (ref_script) throws -> Result) rethrows -> Result {
        try unsafe bytes.withUnsafeBufferPointer { bytes in
            try unsafe packets.withUnsafeBufferPointer { packets in
                try unsafe body(
                    unsafe ref_script(
                        bytes: bytes.baseAddress, packets: packets.baseAddress, count: UInt32(packets.count)))
            }
        }
    }
}

extension [UInt8] {
    mutating func withRawSpan<Result>(_ body: (inout MutableRawSpan) throws -> Result) rethrows -> Result {
        var bytes = mutableSpan
        var raw = unsafe bytes.mutableBytes
        return try body(&raw)
    }
}
