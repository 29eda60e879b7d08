import Synchronization
package import Systemd

/// A journal that remembers.
package final class CollectedJournal: JournalSink {
    private let collected = Mutex<[JournalRecord]>([])

    package init() {}
    package func write(_ record: JournalRecord) { collected.withLock { $0.append(record) } }
    package var records: [JournalRecord] { collected.withLock { $0 } }
    package func records(of kind: JournalKind) -> [JournalRecord] { records.filter { $0.kind == kind } }
}
