import Glibc
import LinuxSystem

/// What the command asks of the system. All that is unsafe in this target is in this file.
enum System {
    /// Whether colours may be written: to a terminal only, and not if the user has said no (no-color.org).
    static var wantsColour: Bool { isTerminal(STDOUT_FILENO) && (environment("NO_COLOR") ?? "").isEmpty }

    static func isTerminal(_ descriptor: Int32) -> Bool { isatty(descriptor) == 1 }

    private static func environment(_ name: String) -> String? {
        // SAFETY: this program has one thread and sets no variable, so that the string stays; it is copied here.
        unsafe getenv(name).map { unsafe String(cString: $0) }
    }

    /// What a path leads to.
    enum FileKind { case nothing, directory, other }

    static func kind(ofFile path: String) -> FileKind {
        var status = stat()
        // SAFETY: stat reads the string, which ends with NUL, fills the structure, and keeps neither pointer.
        guard unsafe stat(path, &status) == 0 else { return .nothing }
        return status.st_mode & S_IFMT == S_IFDIR ? .directory : .other
    }

    /// Waits, whatever interrupts it.
    static func sleep(until deadline: MonotonicTime) {
        while true {
            let now = MonotonicTime.now
            if now >= deadline { return }
            usleep(UInt32(clamping: (deadline.nanoseconds - now.nanoseconds) / 1000 + 1))
        }
    }

    /// Has what was printed read by whoever reads a pipe.
    static func flush() { fflush(nil) }

    /// Writes text to standard error, after all that was printed before. Nobody can be told when this fails.
    static func writeError(_ text: String) {
        fflush(nil)
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            // SAFETY: write reads the bytes of the buffer that it is given, and keeps no pointer.
            let count = unsafe rest.withUnsafeBytes { unsafe write(STDERR_FILENO, $0.baseAddress, $0.count) }
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { return }
            rest = rest.dropFirst(count)
        }
    }
}
