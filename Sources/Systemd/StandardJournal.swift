import Glibc

extension JournalThread {
    /// Whether standard error leads to journald, as it does for a service unless its unit says otherwise
    /// (systemd.exec(5), `$JOURNAL_STREAM`): then its own protocol may be used as well.
    package static var standardErrorIsJournal: Bool {
        // SAFETY: the string is read at once; nobody changes the environment of a running daemon.
        guard let stream = unsafe getenv("JOURNAL_STREAM") else { return false }
        var status = stat()
        // SAFETY: the call writes one structure.
        guard unsafe fstat(STDERR_FILENO, &status) == 0 else { return false }
        return unsafe String(cString: stream) == "\(status.st_dev):\(status.st_ino)"
    }
}
