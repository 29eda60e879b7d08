package import LinuxSystem

/// What a loop calls when a descriptor is ready.
package protocol EventHandler: AnyObject {
    /// Does a bounded amount of work: what is left makes the descriptor ready again in the next turn, after everybody
    /// else has had theirs. `readiness` may hold ``Readiness/error`` and ``Readiness/hangup`` without being asked.
    func handle(_ readiness: Readiness, on loop: EventLoop)
}

/// An epoll loop for one thread: descriptors, timers, and work that other threads post.
///
/// Order within a turn: expired timers, then ready descriptors in the kernel's order, then posted work; each gets one
/// call. Whoever is deregistered in the middle of a turn is not called any more in it, even when the kernel had reported
/// it already. Not for use by two threads; only its ``poster`` is.
package final class EventLoop {
    /// What other threads reach the loop by.
    package let poster: LoopPoster
    private let registrations: RegistrationTable
    private var timers = TimerQueue()
    private var alarm: LoopAlarm
    private var stopped = false
    /// Empty: memory for what is posted.
    private var posted: [LoopPoster.Work] = []
    /// When the current turn began; what handlers take for now.
    package var now: MonotonicTime { turnBegan }
    private var turnBegan = MonotonicTime.now
    /// What posted work finds in the loop's thread: whoever runs the loop puts itself here.
    package weak var owner: AnyObject?
    /// Turns so far, those in which nothing happened included.
    package var turns: UInt64 { turnCount }
    private var turnCount: UInt64 = 0

    package init() throws(Errno) {
        poster = try LoopPoster()
        registrations = try RegistrationTable()
        alarm = try LoopAlarm()
        // Slot 0 is the loop's own: it has no handler.
        try registrations.addOwn(poster.descriptor, RegistrationTable.wakeup)
        try registrations.addOwn(alarm.descriptor, RegistrationTable.alarm)
    }

    // MARK: - Descriptors

    /// Watches `descriptor` until the registration is dropped, which must happen before the descriptor is closed. The
    /// loop keeps `handler` alive as long.
    package func register(
        _ descriptor: Int32, for readiness: Readiness, _ handler: any EventHandler
    ) throws(Errno) -> Registration {
        try registrations.add(descriptor, readiness, handler)
    }

    /// Descriptors watched at the moment.
    package var registrationCount: Int { registrations.count }

    // MARK: - Timers

    /// Calls `handler` once, in the first turn at or after `deadline`.
    package func schedule(at deadline: MonotonicTime, _ handler: @escaping (EventLoop) -> Void) -> TimerID {
        timers.insert(deadline, handler)
    }

    /// Forgets a timer; one that has fired or was forgotten before is nobody's.
    package func cancel(_ timer: TimerID) { timers.cancel(timer) }

    // MARK: - Running

    /// Turns until ``stop()`` is called, by a handler or through the poster.
    package func run() throws(Errno) {
        stopped = false
        var batch = Epoll.emptyBatch
        while !stopped { try turn(nil, &batch) }
    }

    package func stop() { stopped = true }

    /// One turn: waits at most `milliseconds` for something to do (nil: as long as it takes), and does it.
    package func turn(waitingAtMost milliseconds: Int32? = nil) throws(Errno) {
        var batch = Epoll.emptyBatch
        try turn(milliseconds, &batch)
    }

    /// What changes in every turn is local or private, as far as it can be: the compiler then sees that nobody else has it
    /// in hand, and leaves out the check at run time.
    private func turn(_ milliseconds: Int32?, _ batch: inout Epoll.Batch) throws(Errno) {
        let deadline = timers.next
        if let deadline { try alarm.ring(at: deadline) }
        let ready = try registrations.wait(&batch, milliseconds: milliseconds)
        turnBegan = .now
        turnCount &+= 1
        if let deadline, deadline <= turnBegan { fireTimers() }
        var isPosted = false
        for index in 0..<ready {
            let event = batch[index]
            if event.token == RegistrationTable.wakeup {
                poster.clear()
                isPosted = true
            } else if event.token == RegistrationTable.alarm {
                try alarm.clear()
            } else if let handler = registrations.handler(of: event.token) {
                handler.handle(event.readiness, on: self)
            }
        }
        if isPosted { doPosted() }
    }

    private func doPosted() {
        var works: [LoopPoster.Work] = []
        swap(&works, &posted)
        poster.takeAll(for: &works)
        for index in works.indices { works[index](self) }
        works.removeAll(keepingCapacity: true)
        swap(&works, &posted)
    }

    private func fireTimers() {
        // A timer made during this turn waits for the next, however early its deadline.
        let newest = timers.nextOrder
        while let handler = timers.popExpired(turnBegan, madeBefore: newest) { handler(self) }
    }
}
