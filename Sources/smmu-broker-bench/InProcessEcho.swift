import CBenchReference
import Glibc
import LinuxSystem
import Wire

/// Client and echo server in one thread, so that what the server does can be counted apart.
@safe final class InProcessEcho {
    private let script: Script
    private let pair: SeqPacketSocket.Pair
    private let events: SeqPacketSocket.Pair
    private let echo: OpaquePointer?

    init(_ one: SocketCase) throws {
        script = try one.makeScript(VSMMUID(rawValue: 1))
        pair = try SeqPacketSocket.pair()
        events = try SeqPacketSocket.pair()
        unsafe echo = ref_echo_create(
            pair.second.fd.raw, one.faults ? events.second.fd.raw : -1, UInt32(AccessReply.byteCount))
        guard unsafe echo != nil else { throw Failure.system("make the echo server", errno) }
    }

    deinit { unsafe ref_echo_destroy(echo) }

    func run(_ count: UInt64) throws {
        let client = ref_client(fd: pair.first.fd.raw, events: events.first.fd.raw)
        let echo = unsafe UnsafeMutableRawPointer(echo)
        try script.run(client, count) {
            unsafe ref_counted({ _ = unsafe ref_echo_turn(OpaquePointer($0)) }, echo)
        }
    }
}

extension Script {
    /// Does the first `count` requests with a server that has its `turn` in this thread.
    func run(_ client: ref_client, _ count: UInt64, turn: () throws -> Void) throws {
        try unsafe withReference { script in
            for number in 0..<count {
                try Failure.check("send a request", unsafe ref_client_send(client, script, number))
                try Self.await(turn) { unsafe ref_client_receive_reply(client, script, number) }
                try Self.await(turn) { unsafe ref_client_receive_event(client, script, number) }
            }
        }
    }

    private static func await(_ turn: () throws -> Void, _ receive: () -> Int32) throws {
        var status = receive()
        while status == -EAGAIN {
            try turn()
            status = receive()
        }
        try Failure.check("receive an answer", status)
    }
}
