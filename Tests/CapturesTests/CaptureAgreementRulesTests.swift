import Captures
import Testing

/// What counts as the same answer, and what a script's store does to pages that the capture does not list.
@Suite struct CaptureAgreementRulesTests {
    private static let record: [UInt8] = [0x13] + [UInt8](repeating: 0, count: 31)

    @Test("a part that the recording leaves unsaid agrees with anything, one that it has only with itself")
    func partsLeftUnsaid() {
        let given = CaptureAnswer.ok(pa: 0x1000, permissions: .read, stage: 3)
        #expect(CaptureCheck.agree(given, .ok(pa: 0x1000, permissions: nil, stage: nil)))
        #expect(CaptureCheck.agree(given, .ok(pa: 0x1000, permissions: .read, stage: 3)))
        #expect(!CaptureCheck.agree(given, .ok(pa: 0x1008, permissions: nil, stage: nil)))
        #expect(!CaptureCheck.agree(given, .ok(pa: 0x1000, permissions: [.read, .write], stage: nil)))
        #expect(!CaptureCheck.agree(given, .ok(pa: 0x1000, permissions: nil, stage: 1)))
        let fault = CaptureAnswer.fault(event: "F_ACCESS", record: Self.record)
        #expect(CaptureCheck.agree(fault, .fault(event: "F_ACCESS", record: nil)))
        #expect(!CaptureCheck.agree(fault, .fault(event: "F_ACCESS", record: [])))
        #expect(!CaptureCheck.agree(fault, .fault(event: "F_TRANSLATION", record: nil)))
    }

    @Test("of a permission fault's record, TTRnW alone is forgiven, and only where the recording has it clear")
    func forgivenBit() {
        var withBit = Self.record
        withBit[8 + 5] = 1 << 4
        let given = CaptureAnswer.fault(event: "F_PERMISSION", record: withBit)
        #expect(CaptureCheck.agree(given, .fault(event: "F_PERMISSION", record: Self.record)))
        #expect(!CaptureCheck.agree(.fault(event: "F_PERMISSION", record: Self.record), given))
        var another = Self.record
        another[8 + 5] = 1 << 3
        #expect(!CaptureCheck.agree(given, .fault(event: "F_PERMISSION", record: another)))
    }

    @Test("a script's store makes the pages it needs, and leaves their other bytes zero")
    func storeAddsPages() {
        var pages = CapturePages(zeroPagesAt: [0x4000])
        let stored = pages.storeAddingPages(bytes: [1, 2, 3, 4], at: 0x8ffe)
        #expect(stored)
        #expect(pages.addresses == [0x4000, 0x8000, 0x9000])
        #expect(pages.word(at: 0x8ff8) == 0x0201_0000_0000_0000 && pages.word(at: 0x9000) == 0x0403)
        #expect(pages.word(at: 0x4000) == 0 && pages.word(at: 0xa000) == nil)
        let storedBeyond = pages.storeAddingPages(bytes: [1, 2], at: .max)
        #expect(!storedBeyond)
    }
}
