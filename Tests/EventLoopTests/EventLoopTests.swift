import EventLoop
import LinuxSystem
import Testing

/// Notes what it was called with, and does what a test wants then.
private final class Recorder: EventHandler {
    var calls: [Readiness] = []
    var action: (EventLoop) -> Void = { _ in }

    func handle(_ readiness: Readiness, on loop: EventLoop) {
        calls.append(readiness)
        action(loop)
    }
}

/// Owns a registration, so that a test can drop it from a closure.
private final class Watch {
    var registration: Registration?
    init(_ registration: consuming Registration) { self.registration = consume registration }
}

@Suite struct EventLoopTests {
    @Test("a ready descriptor is handled once a turn until it is read, and not after its registration is dropped")
    func readiness() throws {
        let loop = try EventLoop()
        let event = try EventFD()
        let recorder = Recorder()
        let watch = Watch(try loop.register(event.fd.raw, for: .readable, recorder))
        try loop.turn(waitingAtMost: 0)
        #expect(recorder.calls.isEmpty)
        try event.signal()
        try loop.turn(waitingAtMost: 0)
        try loop.turn(waitingAtMost: 0)
        #expect(recorder.calls == [.readable, .readable])
        try event.take()
        try loop.turn(waitingAtMost: 0)
        #expect(recorder.calls.count == 2)
        try event.signal()
        watch.registration = nil
        try loop.turn(waitingAtMost: 0)
        #expect(recorder.calls.count == 2 && loop.registrationCount == 0)
    }

    @Test(
        "of two descriptors ready in one turn, the one that the other's handler deregisters is not called, nor its slot's next owner"
    )
    func staleEvents() throws {
        let loop = try EventLoop()
        let events = [try makeSignalled(), try makeSignalled()]
        let recorders = [Recorder(), Recorder()]
        let newcomer = Recorder()
        let fresh = try EventFD()
        var watches: [Watch] = []
        for index in 0..<2 {
            watches.append(Watch(try loop.register(events[index].fd.fd.raw, for: .readable, recorders[index])))
        }
        var replacement: Watch?
        for index in 0..<2 {
            recorders[index].action = { [watches] loop in
                // Whoever comes first ends the other's watch, and gives its slot to a third.
                watches[1 - index].registration = nil
                if let registration = try? loop.register(fresh.fd.raw, for: .readable, newcomer) {
                    replacement = Watch(registration)
                }
            }
        }
        try loop.turn(waitingAtMost: 0)
        #expect(recorders[0].calls.count + recorders[1].calls.count == 1)
        #expect(newcomer.calls.isEmpty && replacement != nil)
        replacement?.registration = nil
        watches.forEach { $0.registration = nil }
    }

    private final class Signalled {
        let fd: EventFD
        init(_ fd: consuming EventFD) { self.fd = fd }
    }

    private func makeSignalled() throws -> Signalled {
        let event = try EventFD()
        try event.signal()
        return Signalled(event)
    }

    @Test("a registration can wait for something else")
    func modify() throws {
        let loop = try EventLoop()
        let pair = try SeqPacketSocket.pair()
        let recorder = Recorder()
        let watch = Watch(try loop.register(pair.first.fd.raw, for: .readable, recorder))
        try loop.turn(waitingAtMost: 0)
        #expect(recorder.calls.isEmpty)
        try watch.registration?.wait(for: [.readable, .writable])
        try loop.turn(waitingAtMost: 0)
        #expect(recorder.calls == [.writable])
        watch.registration = nil
    }

    @Test("timers fire in the order of their deadlines, then of their making, once, and not when they were cancelled")
    func timers() throws {
        let loop = try EventLoop()
        var fired: [Int] = []
        let past = MonotonicTime(nanoseconds: 10)
        _ = loop.schedule(at: MonotonicTime(nanoseconds: 20)) { _ in fired.append(3) }
        _ = loop.schedule(at: past) { _ in fired.append(1) }
        _ = loop.schedule(at: past) { _ in fired.append(2) }
        let cancelled = loop.schedule(at: past) { _ in fired.append(99) }
        _ = loop.schedule(at: MonotonicTime.now.advanced(bySeconds: 3600)) { _ in fired.append(98) }
        loop.cancel(cancelled)
        loop.cancel(cancelled)
        try loop.turn()
        #expect(fired == [1, 2, 3])
        try loop.turn(waitingAtMost: 0)
        #expect(fired == [1, 2, 3])
    }

    @Test("a loop that has waited for a timer wakes for an earlier one and for that one, and for nothing else")
    func earlierTimer() throws {
        let loop = try EventLoop()
        var fired: [Int] = []
        let start = MonotonicTime.now
        _ = loop.schedule(at: start.advanced(byMilliseconds: 60)) { _ in fired.append(2) }
        try loop.turn(waitingAtMost: 0)
        _ = loop.schedule(at: start.advanced(byMilliseconds: 20)) { _ in fired.append(1) }
        while fired.count < 2 { try loop.turn() }
        #expect(Set(fired) == [1, 2])
        #expect(loop.turns <= 3)
    }

    @Test("a timer that was forgotten wakes the loop once at most, and the next one is on time")
    func forgottenTimer() throws {
        let loop = try EventLoop()
        var fired: [Int] = []
        let start = MonotonicTime.now
        let forgotten = loop.schedule(at: start.advanced(byMilliseconds: 50)) { _ in fired.append(99) }
        try loop.turn(waitingAtMost: 0)
        // A machine that stood still for so long has nothing to show here.
        if !fired.isEmpty { return }
        loop.cancel(forgotten)
        let deadline = start.advanced(byMilliseconds: 80)
        _ = loop.schedule(at: deadline) { _ in fired.append(1) }
        while fired.isEmpty { try loop.turn() }
        #expect(fired == [1] && loop.now >= deadline)
        #expect(loop.turns <= 3)
    }

    @Test("a timer that makes another one due at once leaves the turn to others")
    func timerFairness() throws {
        let loop = try EventLoop()
        let recorder = Recorder()
        let event = try EventFD()
        try event.signal()
        let watch = Watch(try loop.register(event.fd.raw, for: .readable, recorder))
        var count = 0
        func again(_ loop: EventLoop) {
            count += 1
            _ = loop.schedule(at: MonotonicTime(nanoseconds: 0), again)
        }
        _ = loop.schedule(at: MonotonicTime(nanoseconds: 0), again)
        for _ in 0..<5 { try loop.turn(waitingAtMost: 0) }
        #expect(count == 5 && recorder.calls.count == 5)
        watch.registration = nil
    }

    @Test("random timers, cancelled and not, fire exactly once each and in order", arguments: [UInt64(1), 2, 3])
    func randomTimers(seed: UInt64) throws {
        var state = seed
        func random(_ bound: UInt64) -> UInt64 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return (state >> 33) % bound
        }
        let loop = try EventLoop()
        var fired: [UInt64] = []
        var expected: [UInt64] = []
        var timers: [(TimerID, UInt64)] = []
        for _ in 0..<500 {
            let deadline = 1 + random(1000)
            timers.append(
                (loop.schedule(at: MonotonicTime(nanoseconds: deadline)) { _ in fired.append(deadline) }, deadline))
            if random(3) == 0 {
                let victim = timers.remove(at: Int(random(UInt64(timers.count))))
                loop.cancel(victim.0)
            }
        }
        expected = timers.map(\.1).sorted()
        try loop.turn(waitingAtMost: 0)
        #expect(fired == expected, "seed \(seed)")
    }

    @Test("work posted from another thread is done in the loop's thread, in order, and wakes a waiting loop")
    func posting() throws {
        let loop = try EventLoop()
        let poster = loop.poster
        let results = Results()
        let thread = startThread {
            for number in 0..<1000 { poster.post { _ in results.append(number) } }
            poster.stop()
        }
        try loop.run()
        thread.join()
        #expect(results.numbers == Array(0..<1000))
    }
}
