import LinuxSystem

/// Ends a loop's wait when a timer is due.
///
/// A deadline that is given with each wait has the kernel set up and take down a timer each time, which costs more than
/// all that a session does for an event. This one is set when a deadline is earlier than the one before, and is left to
/// ring where that was forgotten: a turn for nothing.
struct LoopAlarm: ~Copyable {
    private let timer: TimerFD
    /// When it rings; nil: never.
    private var setFor: MonotonicTime?

    init() throws(Errno) { timer = try TimerFD() }

    var descriptor: Int32 { timer.fd.raw }

    /// Rings at `deadline` or before.
    mutating func ring(at deadline: MonotonicTime) throws(Errno) {
        if let setFor, setFor <= deadline { return }
        try timer.set(deadline)
        setFor = deadline
    }

    /// It has rung.
    mutating func clear() throws(Errno) {
        setFor = nil
        _ = try timer.take()
    }
}
