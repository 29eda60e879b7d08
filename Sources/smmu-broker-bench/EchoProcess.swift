import CBenchReference
import Glibc
import Wire

/// The echo server in a process of its own.
final class EchoProcess {
    let client: ref_client
    private let pid: Int32

    init(events: Bool) throws {
        var client = ref_client()
        pid = unsafe ref_echo_start(&client, events, UInt32(AccessReply.byteCount))
        try Failure.check("start the echo server", pid)
        self.client = client
    }

    deinit {
        close(client.fd)
        close(client.events)
        _ = ref_end(pid, SIGKILL)
    }
}
