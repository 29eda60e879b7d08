import SMMUv3
import Testing

@testable import Captures
@testable import Replay

@Suite("Rows that a broker cannot be asked")
struct SkipReasonTests {
    private static let stage1 = GuestSTE.words(StreamTableEntry(0x4000_000b, 0xd4))
    private static let stage2 = GuestSTE.words(StreamTableEntry(0x0d, 0))
    private static let nested = GuestSTE.words(StreamTableEntry(0x4000_000f, 0xd4))
    private static let bypass = GuestSTE.words(StreamTableEntry(0x09, 0))
    private static let abort = GuestSTE.words(StreamTableEntry(0x01, 0))
    private static let invalid = GuestSTE.words(StreamTableEntry(0x4000_000e, 0))

    private static func fault(_ event: String) -> CaptureAnswer { .fault(event: event, record: []) }
    private static let fine = CaptureAnswer.ok(pa: 0x1000, permissions: .read, stage: 1)

    private func row(_ answer: CaptureAnswer, _ alternative: CaptureAnswer? = nil) throws -> CaptureRow {
        CaptureRow(
            sid: 3, ssid: nil, iova: 0x1000, write: false, answer: answer, alternative: alternative, src: "", line: 1)
    }

    @Test(
        "By the STE in effect",
        arguments: [
            (stage1, nil), (bypass, nil), (abort, nil), (stage2, .ownStage2), (nested, .ownStage2),
            (invalid, .invalidSTE),
            (.absent, .badStreamID), (.unreadable, .steFetch),
        ] as [(GuestSTE, SkipReason?)])
    func entries(entry: GuestSTE, reason: SkipReason?) throws {
        #expect(SkipReason(try row(Self.fine), entry: entry) == reason)
    }

    @Test(
        "By the recorded event",
        arguments: [
            ("F_STE_FETCH", .steFetch), ("F_CD_FETCH", .cdFetch), ("F_WALK_EABT", .walkAbort),
            ("C_BAD_STREAMID", .badStreamID), ("F_TRANSLATION", nil), ("C_BAD_STE", nil), ("C_BAD_CD", nil),
            ("V=0", nil), ("the guest's own stage 2", nil),
        ] as [(String, SkipReason?)])
    func events(event: String, reason: SkipReason?) throws {
        #expect(SkipReason(try row(Self.fault(event)), entry: Self.stage1) == reason)
        #expect(SkipReason(try row(Self.fine, Self.fault(event)), entry: Self.stage1) == reason)
    }

    @Test("A stream with a stage 2 of its own is skipped for that, whatever its rows say")
    func stage2First() throws {
        #expect(SkipReason(try row(Self.fault("F_WALK_EABT")), entry: Self.nested) == .ownStage2)
    }

    @Test("While the SMMU is off no answer depends on an STE")
    func disabled() throws {
        #expect(SkipReason(try row(.bypass(pa: 0x1000)), entry: nil) == nil)
    }
}
