import BrokerClient
import JSON
import SMMUv3
import Wire

/// Batches of invalidations, seen from a fault: how long before or after it they were.
struct PastInvalidations {
    private struct Batch {
        let invalidation: AdminInvalidation
        /// Nanoseconds since 1970.
        let time: UInt64
    }

    private let batches: [Batch]
    /// Of the fault; nil: it is not known when that was, and now counts.
    private let fault: UInt64?
    private let now: UInt64

    init(_ live: LiveWalk, fault: UInt64?) {
        now = live.time
        self.fault = fault
        batches = (live.explained?.invalidations ?? []).map {
            Batch(invalidation: $0, time: live.time &- min($0.age, live.time))
        }
    }

    /// The newest first.
    var lines: [(when: String, what: String)] {
        batches.map { (when($0), Self.text($0.invalidation)) }
    }

    private func when(_ batch: Batch) -> String {
        guard let fault else { return "\(Self.milliseconds(now &- batch.time)) ago" }
        return batch.time <= fault
            ? "\(Self.milliseconds(fault - batch.time)) before" : "\(Self.milliseconds(batch.time - fault)) after"
    }

    private static func text(_ invalidation: AdminInvalidation) -> String {
        if invalidation.count == 1 { return invalidation.first.brief }
        return "\(invalidation.first.brief) to \(invalidation.last.brief), \(invalidation.count) commands"
    }

    /// `3.204 ms`.
    private static func milliseconds(_ nanoseconds: UInt64) -> String {
        let rest = String(nanoseconds / 1000 % 1000)
        return "\(nanoseconds / 1_000_000).\(String(repeating: "0", count: 3 - rest.count))\(rest) ms"
    }

    /// The last batch before the fault, within a second, of which an end drops the translation of `address`.
    func dropping(_ address: UInt64) -> String? {
        guard let fault else { return nil }
        let batch = batches.first {
            $0.time <= fault && fault - $0.time < 1_000_000_000
                && ($0.invalidation.first.drops(address) || $0.invalidation.last.drops(address))
        }
        return batch.map { "\(Self.milliseconds(fault - $0.time)) before the fault (\(Self.text($0.invalidation)))" }
    }

    var json: JSONValue {
        .array(
            batches.map {
                [
                    "first": .hexWords([$0.invalidation.first.d0, $0.invalidation.first.d1]),
                    "last": .hexWords([$0.invalidation.last.d0, $0.invalidation.last.d1]),
                    "summary": .string(Self.text($0.invalidation)),
                    "commands": JSONValue(UInt64($0.invalidation.count)),
                    "time": .string(EventLine.timestamp($0.time)),
                ]
            })
    }
}

extension Command {
    /// Whether it drops the translation of the page at `address` alone, or of pages around it; not what drops everything.
    fileprivate func drops(_ address: UInt64) -> Bool {
        guard opcode == .tlbiNHVA || opcode == .tlbiNHVAA else { return false }
        guard let granule = Granule(commandTG: tg) else { return self.address == address & ~0xfff }
        let size = (UInt64(num + 1) << UInt64(scale)) << UInt64(granule.shift)
        return address >= self.address && address - self.address < size
    }
}
