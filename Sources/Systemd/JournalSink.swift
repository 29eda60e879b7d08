import CSystemd
import Glibc

/// Where records go. Called by the journal's thread alone; may block.
package protocol JournalSink: Sendable {
    func write(_ record: JournalRecord)
}

/// journald, by its own protocol. What it does not take goes to standard error.
package struct JournaldSink: JournalSink {
    private let fallback = StandardErrorSink(withPriority: true)

    package init() {}

    package func write(_ record: JournalRecord) {
        var bytes: [UInt8] = []
        var ends: [Int] = []
        for assignment in record.assignments.prefix(Int(CSYSTEMD_MAXIMUM_FIELDS)) {
            bytes += assignment.utf8
            ends.append(bytes.count)
        }
        // SAFETY: field i ends at ends[i], which never exceeds the bytes there are, and the call keeps neither.
        let status = unsafe bytes.withUnsafeBufferPointer { bytes in
            unsafe ends.withUnsafeBufferPointer { ends in
                unsafe csystemd_journal_send(bytes.baseAddress, ends.baseAddress, ends.count)
            }
        }
        if status < 0 { fallback.write(record) }
    }
}

/// Standard error, a line each: `<priority>message [NAME=value…]`.
package struct StandardErrorSink: JournalSink {
    private let withPriority: Bool

    /// `withPriority`: for a reader that knows `<4>` (sd-daemon(3)); not for people.
    package init(withPriority: Bool) { self.withPriority = withPriority }

    package func write(_ record: JournalRecord) {
        let bytes = Array(record.line(withPriority: withPriority).utf8)
        var written = 0
        while written < bytes.count {
            // SAFETY: what is left of the bytes, which the call only reads.
            let count = unsafe bytes.withUnsafeBytes { bytes in
                unsafe Glibc.write(STDERR_FILENO, bytes.baseAddress?.advanced(by: written), bytes.count - written)
            }
            // There is nobody left to tell.
            if count <= 0 { return }
            written += count
        }
    }
}
