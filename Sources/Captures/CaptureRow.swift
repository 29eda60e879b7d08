/// What the recorded answer allows at an address, for unprivileged data accesses.
package struct CapturePermissions: OptionSet, Hashable, Sendable {
    package let rawValue: UInt8
    package init(rawValue: UInt8) { self.rawValue = rawValue }

    package static let read = CapturePermissions(rawValue: 1)
    package static let write = CapturePermissions(rawValue: 2)
}

/// What an SMMU does with one access. A recording may leave parts unsaid; they are nil then.
package enum CaptureAnswer: Equatable, Sendable {
    /// Translated. Stage: 1, 2, or 3 for both.
    case ok(pa: UInt64, permissions: CapturePermissions?, stage: Int?)
    /// Passed on unchanged.
    case bypass(pa: UInt64)
    /// Terminated by STE.Config or GBPA, and nothing is recorded.
    case abort
    /// Terminated by an event (its name in IHI 0070). The record has 32 bytes in memory order; it is empty when the
    /// configuration suppresses it.
    case fault(event: String, record: [UInt8]?)
}

/// One question and its answer.
package struct CaptureRow: Equatable, Sendable {
    /// The StreamID.
    package let sid: UInt32
    /// The SubstreamID; nil when the transaction has none.
    package let ssid: UInt32?
    /// The input address, in bytes. The access is 4 bytes, unprivileged, non-secure data.
    package let iova: UInt64
    package let write: Bool
    package let answer: CaptureAnswer
    /// The earlier answer, when it is right as well: between the change of a valid entry and its invalidation.
    package let alternative: CaptureAnswer?
    /// Who gave the answer, joined by `+`; empty if the row does not say.
    package let src: String
    /// The line of the file, from 1.
    package let line: Int

}

/// One operation of a script.
package enum CaptureStep: Equatable, Sendable {
    /// Store these bytes, in memory order.
    case write(pa: UInt64, bytes: [UInt8])
    /// Put this 16-byte command into the command queue; two little-endian words.
    case command(d0: UInt64, d1: UInt64)
    /// Ask.
    case translate(CaptureRow)
}

/// A question where QEMU and the reference walker differ; never to be used as truth.
package struct DisputedRow: Equatable, Sendable {
    package let sid: UInt32
    package let ssid: UInt32?
    package let iova: UInt64
    package let write: Bool
    /// The label of the known difference, such as `K4`.
    package let known: String?
    /// How the two sides differ, such as `fault/ok`.
    package let why: String?
    /// The reference walker's side.
    package let reference: Reference
    /// The line of the file, from 1.
    package let line: Int

    package struct Reference: Equatable, Sendable {
        /// `ok`, `bypass`, `abort` or `fault`, as in the file.
        package let kind: String
        /// The name of the event, with `fault`.
        package let event: String?
        /// Whether the event is written to the event queue.
        package let recorded: Bool
        /// Whether the event is of stage 2.
        package let s2: Bool
        /// The event's CLASS field: 0 for a CD, 1 for a translation table, 2 for the input address.
        package let `class`: Int?
        /// The 32 bytes of the record; empty if there is none.
        package let record: [UInt8]
        /// Output address, permissions and stage, with `ok`; the address also with `bypass`.
        package let pa: UInt64?
        package let permissions: CapturePermissions
        package let stage: Int?

        /// The same as an answer; nil if it is not complete.
        package var answer: CaptureAnswer? {
            switch kind {
            case "ok":
                guard let pa, let stage else { return nil }
                return .ok(pa: pa, permissions: permissions, stage: stage)
            case "bypass": return pa.map { .bypass(pa: $0) }
            case "abort": return .abort
            case "fault": return event.map { .fault(event: $0, record: recorded ? record : []) }
            default: return nil
            }
        }
    }
}
