import BrokerClient
import SMMUv3
import Wire

/// The subscriber's end of the event socket: takes what the broker sends, in order and without duplicates.
final class EventInbox {
    /// Records of stage 1 that have come and not been taken, oldest first.
    private var records: [EventRecord] = []
    /// Records of stage 2, which is the broker's: for IPAs that the capture's RAM does not have.
    private(set) var stage2Records = 0
    /// Records that the broker says are lost.
    private(set) var lost: UInt64 = 0

    private let receiver: EventReceiver
    /// The number of each vSMMU's next record; those before it have come already.
    private var nextNumbers: [VSMMUID: UInt64] = [:]

    /// Subscribes to all events of a session.
    init(of session: ReplaySession) throws(ReplayError) { receiver = try session.subscribe() }

    /// The oldest record of stage 1; waits until there is one, each time at most `milliseconds`.
    func next(milliseconds: Int32) throws(ReplayError) -> EventRecord? {
        try receive()
        while records.isEmpty {
            guard try take(waitingAtMost: milliseconds) else { return nil }
        }
        return records.removeFirst()
    }

    /// All records of stage 1 that have come and not been taken.
    func takeAll() throws(ReplayError) -> [EventRecord] {
        try receive()
        defer { records = [] }
        return records
    }

    /// Takes what is there.
    private func receive() throws(ReplayError) {
        while try take(waitingAtMost: 0) {}
    }

    /// Takes one packet; false when none has come in time.
    private func take(waitingAtMost milliseconds: Int32) throws(ReplayError) -> Bool {
        let outcome: EventReceiver.Outcome
        do throws(BrokerError) { outcome = try receiver.next(waitingAtMost: milliseconds) } catch {
            throw ReplayError(reason: "the event socket: \(error.text)", advice: Self.advice)
        }
        switch outcome {
        case .nothing: return false
        case .ended:
            throw ReplayError(reason: "the event socket: the broker has closed it.", advice: Self.advice)
        case .delivery(let delivery): take(delivery)
        }
        return true
    }

    private static let advice = "Look into the broker's journal, and whether it still runs."

    private func take(_ delivery: EventReceiver.Delivery) {
        let (vsmmu, first) = (delivery.header.vsmmu, delivery.header.sequence.rawValue)
        let next = nextNumbers[vsmmu, default: 0]
        switch delivery.content {
        case .events(let records):
            let known = next &- min(next, first)
            for record in records.dropFirst(Int(clamping: known)) {
                if record.stage2 { stage2Records += 1 } else { self.records.append(record) }
            }
            nextNumbers[vsmmu] = max(next, first &+ UInt64(records.count))
        case .lost(let notice):
            lost += notice.count
            nextNumbers[vsmmu] = max(next, first &+ notice.count)
        case .health, .deviceGone, .epoch: break
        }
    }
}
