import CSystemd
package import LinuxSystem

/// What the daemon tells the service manager (sd_notify(3)).
///
/// Without `$NOTIFY_SOCKET`, that is when no service manager waits for it, all of it does nothing. Each call sends one
/// datagram and may wait for a service manager that does not read: for the main loop, never for a session's thread.
package enum ServiceNotification {
    /// The daemon serves: after the start, and at the end of a reload.
    package static func ready(status: String) throws(Errno) {
        try send("READY=1\nSTATUS=\(oneLine(status))")
    }

    /// The daemon ends, on request.
    package static func stopping(status: String) throws(Errno) {
        try send("STOPPING=1\nSTATUS=\(oneLine(status))")
    }

    /// A reload begins; ``ready(status:)`` ends it. `now` tells the manager that this answers its own request.
    package static func reloading(now: MonotonicTime) throws(Errno) {
        try send("RELOADING=1\nMONOTONIC_USEC=\(now.nanoseconds / 1000)")
    }

    /// One line for `systemctl status`.
    package static func status(_ status: String) throws(Errno) {
        try send("STATUS=\(oneLine(status))")
    }

    /// The daemon is alive: at least every half ``watchdogInterval``.
    package static func keepAlive() throws(Errno) {
        try send("WATCHDOG=1")
    }

    /// Hands a copy of a descriptor to the service manager, which gives it to this process's successor under `name`.
    ///
    /// `name` is at most 255 printable ASCII characters without `:`; what else it has becomes `_`.
    package static func store(_ fd: borrowing OwnedFD, as name: String) throws(Errno) {
        let raw = fd.raw
        // SAFETY: the call reads a string that ends in 0 and one number, and keeps neither.
        let status = unsafe "FDSTORE=1\nFDNAME=\(descriptorName(name))".withCString { state in
            unsafe withUnsafePointer(to: raw) { raw in
                unsafe sd_pid_notify_with_fds(0, 0, state, raw, 1)
            }
        }
        try check(status)
    }

    /// Has the service manager close all descriptors that it stores under `name`.
    package static func removeStored(_ name: String) throws(Errno) {
        try send("FDSTOREREMOVE=1\nFDNAME=\(descriptorName(name))")
    }

    /// How long the service manager waits for ``keepAlive()`` before it kills the daemon; nil when it does not watch.
    package static var watchdogInterval: Duration? {
        var microseconds: UInt64 = 0
        // SAFETY: the call writes one number.
        let status = unsafe sd_watchdog_enabled(0, &microseconds)
        return status > 0 ? .microseconds(Int64(clamping: microseconds)) : nil
    }

    private static func send(_ state: String) throws(Errno) {
        // SAFETY: the call reads a string that ends in 0 and keeps nothing of it.
        let status = unsafe state.withCString { state in
            unsafe sd_notify(0, state)
        }
        try check(status)
    }

    private static func check(_ status: Int32) throws(Errno) {
        if status < 0 { throw Errno(-status) }
    }

    /// `text` without control characters: a line break would begin another assignment.
    private static func oneLine(_ text: String) -> String {
        String(String.UnicodeScalarView(text.unicodeScalars.map { $0.value < 0x20 || $0.value == 0x7f ? " " : $0 }))
    }

    private static func descriptorName(_ name: String) -> String {
        let scalars = name.unicodeScalars.prefix(255).map { scalar -> Unicode.Scalar in
            scalar.value > 0x20 && scalar.value < 0x7f && scalar != ":" ? scalar : "_"
        }
        return String(String.UnicodeScalarView(scalars))
    }
}
