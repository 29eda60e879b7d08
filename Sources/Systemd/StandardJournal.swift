import Glibc
package import LinuxSystem

extension JournalThread {
    /// Writes to journald where standard error leads there, as it does for a service; else to standard error, for a
    /// person when that is a terminal.
    package static func start() throws(Errno) -> JournalThread {
        if standardErrorIsJournal { return try start(writingTo: JournaldSink()) }
        return try start(writingTo: StandardErrorSink(withPriority: isatty(STDERR_FILENO) == 0))
    }

    /// Whether `$JOURNAL_STREAM` names the file that standard error is (systemd.exec(5)).
    package static var standardErrorIsJournal: Bool {
        // SAFETY: the string is read at once; nobody changes the environment of a running daemon.
        guard let stream = unsafe getenv("JOURNAL_STREAM").map({ unsafe String(cString: $0) }) else { return false }
        var status = stat()
        // SAFETY: the call writes one structure.
        guard unsafe fstat(STDERR_FILENO, &status) == 0 else { return false }
        return stream == "\(status.st_dev):\(status.st_ino)"
    }
}
