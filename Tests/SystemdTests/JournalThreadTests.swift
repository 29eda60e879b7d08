import LinuxSystem
import SMMUv3
import Synchronization
import Systemd
import Testing

@Suite struct JournalThreadTests {
    /// Longer than any test may take: whoever waits that long hangs.
    private static let longTime: UInt64 = 60_000

    private func text(_ number: Int) -> JournalEntry { .text(.info, "\(number)") }

    @Test func entriesOfAQueueKeepTheirOrderAndStopWritesAll() throws {
        let sink = try RecordingSink()
        let thread = try JournalThread.start(writingTo: sink)
        let queue = thread.journal.makeQueue(capacity: 1000)
        for number in 0..<1000 { queue.push(text(number)) }
        let complete = thread.stop(withinMilliseconds: Self.longTime)
        #expect(complete)
        #expect(sink.messages == (0..<1000).map(String.init))
    }

    @Test func aSinkThatHangsDelaysNobodyAndWhatIsLostIsCountedAtItsPlace() throws {
        let sink = try RecordingSink(held: true)
        let thread = try JournalThread.start(writingTo: sink)
        let queue = thread.journal.makeQueue(session: 5, capacity: 4)
        queue.push(text(0))
        sink.waitUntilBlocked()
        // The thread holds entry 0. Entries 1 to 4 have room; these pushes would wait for ever if they waited at all.
        for number in 1...100 { queue.push(text(number)) }
        sink.letGo()
        let complete = thread.stop(withinMilliseconds: Self.longTime)
        #expect(complete)
        #expect(sink.messages.prefix(5) == ["0", "1", "2", "3", "4"])
        let last = try #require(sink.records.last)
        #expect(sink.records.count == 6)
        #expect(last.kind == .entriesLost)
        #expect(last["SMMU_COUNT"] == "96")
        #expect(last["SMMU_SESSION"] == "5")
    }

    @Test func whatIsLostIsCountedInFaultsToo() throws {
        let sink = try RecordingSink(held: true)
        let thread = try JournalThread.start(writingTo: sink)
        let journal = thread.journal
        let queue = journal.makeQueue(session: 5, capacity: 2)
        queue.push(text(0))
        sink.waitUntilBlocked()
        for number in 1...2 { queue.push(text(number)) }
        let origin = JournalOrigin(session: 5, vm: JournalName("web"), uid: 0, pid: 1)
        var fault = FaultEntry(
            origin: origin, device: JournalName("disk0"), vsmmu: 1, sequence: 9,
            record: EventRecord(.translation, stream: StreamID(8)), suppressed: 7)
        fault.count = 30
        queue.push(.fault(fault))
        var notice = NoticeEntry(.suppressedFaults, origin: origin)
        notice.count = 5
        queue.push(.notice(notice))
        queue.close()
        #expect(journal.dropped == JournalLoss(entries: 2, faults: 42))
        sink.letGo()
        let complete = thread.stop(withinMilliseconds: Self.longTime)
        #expect(complete)
        let last = try #require(sink.records.last)
        #expect(last.kind == .entriesLost && last["SMMU_COUNT"] == "2" && last["SMMU_FAULTS"] == "42")
        #expect(journal.dropped == JournalLoss(entries: 2, faults: 42), "a queue that has gone is still counted")
    }

    @Test func aLossIsToldBetweenWhatCameBeforeAndAfter() throws {
        let sink = try RecordingSink(held: true)
        let thread = try JournalThread.start(writingTo: sink)
        let queue = thread.journal.makeQueue(session: 5, capacity: 4)
        queue.push(text(0))
        sink.waitUntilBlocked()
        for number in 1...6 { queue.push(text(number)) }
        // Of 1 to 4, which found room, at most 3 and 4 are still there: room for the count of 5 and 6, and for 7.
        sink.letGo(3)
        sink.waitForRecords(3)
        queue.push(text(7))
        sink.letGo()
        let complete = thread.stop(withinMilliseconds: Self.longTime)
        #expect(complete)
        #expect(
            sink.records.map { $0["SMMU_COUNT"].map { "\($0) lost" } ?? $0.message }
                == ["0", "1", "2", "3", "4", "2 lost", "7"])
    }

    @Test func aLossIsToldAlsoWhenNothingComesAfterIt() throws {
        let sink = try RecordingSink(held: true)
        let thread = try JournalThread.start(writingTo: sink)
        let queue = thread.journal.makeQueue(session: 5, capacity: 2)
        queue.push(text(0))
        sink.waitUntilBlocked()
        for number in 1...5 { queue.push(text(number)) }
        sink.letGo()
        sink.waitForRecords(4)
        queue.push(text(6))
        let complete = thread.stop(withinMilliseconds: Self.longTime)
        #expect(complete)
        #expect(sink.records.map { $0["SMMU_COUNT"] ?? $0.message } == ["0", "1", "2", "3", "6"])
    }

    @Test func nothingIsLostUncountedUnderLoad() throws {
        let sink = try RecordingSink()
        let thread = try JournalThread.start(writingTo: sink)
        let (threads, each) = (4, 5000)
        let pushers = try (1...threads).map { number in
            let queue = thread.journal.makeQueue(session: UInt64(number), capacity: 16)
            return Pusher(
                try Thread.start(name: "pusher", stackSize: 256 << 10) {
                    for _ in 0..<each { queue.push(.text(.info, "entry")) }
                    queue.close()
                })
        }
        for pusher in pushers { pusher.join() }
        let complete = thread.stop(withinMilliseconds: Self.longTime)
        #expect(complete)
        let lost = sink.records.compactMap { $0["SMMU_COUNT"].flatMap(Int.init) }.reduce(0, +)
        #expect(sink.messages.count { $0 == "entry" } + lost == threads * each)
    }

    @Test func aSinkThatHangsDoesNotKeepTheDaemonFromItsEnd() throws {
        let sink = try RecordingSink(held: true)
        let thread = try JournalThread.start(writingTo: sink)
        thread.journal.makeQueue().push(text(0))
        sink.waitUntilBlocked()
        let complete = thread.stop(withinMilliseconds: 10)
        #expect(!complete)
        #expect(sink.records.isEmpty)
        sink.letGo()
    }

    @Test func aClosedQueueGoesWhenItIsEmpty() throws {
        let sink = try RecordingSink(held: true)
        let thread = try JournalThread.start(writingTo: sink)
        weak var queue: JournalQueue?
        do {
            let own = thread.journal.makeQueue()
            own.push(text(0))
            own.push(text(1))
            own.close()
            queue = own
        }
        sink.waitUntilBlocked()
        #expect(queue != nil)
        sink.letGo()
        let complete = thread.stop(withinMilliseconds: Self.longTime)
        #expect(complete)
        #expect(sink.messages == ["0", "1"])
        #expect(queue == nil)
    }

    /// A thread in an array.
    private final class Pusher {
        private var thread: Thread?
        init(_ thread: consuming Thread) { self.thread = consume thread }
        func join() { thread.take()?.join() }
    }
}
