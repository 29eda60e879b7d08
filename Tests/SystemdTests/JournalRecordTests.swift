import SMMUv3
import Systemd
import Testing

@Suite struct JournalRecordTests {
    private let origin = JournalOrigin(session: 7, vm: JournalName("web"), uid: 64055, pid: 4711)

    private func fault(_ record: EventRecord, device: String = "0000:01:00.0", suppressed: UInt64 = 0) -> JournalRecord
    {
        JournalRecord(
            .fault(
                FaultEntry(
                    origin: origin, device: JournalName(device), vsmmu: 1, sequence: 99, record: record,
                    suppressed: suppressed)))
    }

    @Test func aFaultIsASentenceAndFields() {
        var event = EventRecord(.translation, stream: StreamID(8))
        event.substreamID = SubstreamID(3)
        event.inputAddress = 0xdead_f000
        event.privileged = true
        event.setClass(.input)
        event.stallTag = 0x2a
        let record = fault(event, suppressed: 12)
        #expect(
            record.message == "VM web, device 0000:01:00.0: F_TRANSLATION: no valid translation for the address; "
                + "write at IOVA 0xdeadf000, SubstreamID 0x3, stalled. 12 earlier ones were not logged.")
        #expect(record.priority == .warning)
        #expect(record.kind == .fault)
        let fields = Dictionary(uniqueKeysWithValues: record.fields.map { ($0.name, $0.value) })
        #expect(
            fields == [
                "SMMU_EVENT": "F_TRANSLATION", "SMMU_SESSION": "7", "SMMU_VM": "web", "SMMU_PEER_UID": "64055",
                "SMMU_PEER_PID": "4711", "SMMU_DEVICE": "0000:01:00.0", "SMMU_VSMMU": "1", "SMMU_VSID": "0x8",
                "SMMU_SUBSTREAM": "0x3", "SMMU_IOVA": "0xdeadf000", "SMMU_ACCESS": "write",
                "SMMU_PRIVILEGE": "privileged", "SMMU_STAGE": "1", "SMMU_CLASS": "IN", "SMMU_STAG": "0x2a",
                "SMMU_SEQUENCE": "99", "SMMU_SUPPRESSED": "12", "SMMU_COUNT": "1",
            ])
    }

    @Test func faultsThatAreToldAsOneHaveTheirCountAndTimes() {
        var entry = FaultEntry(
            origin: origin, device: JournalName("disk0"), vsmmu: 1, sequence: 99,
            record: EventRecord(.translation, stream: StreamID(8)), suppressed: 0)
        (entry.count, entry.firstTime, entry.lastTime) = (40, 1000, 2000)
        var record = JournalRecord(.fault(entry))
        #expect(record.message.hasSuffix(". The last of 40 of the same."))
        #expect(record["SMMU_COUNT"] == "40" && record["SMMU_SAMPLE"] == nil)
        #expect(record["SMMU_FIRST_USEC"] == "1000" && record["SMMU_LAST_USEC"] == "2000")
        entry.isSample = true
        record = JournalRecord(.fault(entry))
        #expect(record.message.hasSuffix(". The last of 40 of this kind, at any address."))
        #expect(record["SMMU_SAMPLE"] == "1")
    }

    @Test func aFaultSaysWhatWasInstalledAndInvalidated() {
        var entry = FaultEntry(
            origin: origin, device: JournalName("disk0"), vsmmu: 1, sequence: 1,
            record: EventRecord(.translation, stream: StreamID(8)), suppressed: 0)
        entry.background.effect = .illegal
        entry.background.ste = StreamTableEntry(0x4000_000b, 0x10)
        entry.background.invalidations[0] = FaultEntry.Invalidation(
            first: .tlbi(.tlbiNHVA, asid: 5, address: 0x1000), last: .tlbi(.tlbiNHASID, asid: 5), count: 12,
            age: 1_204_999)
        entry.background.invalidations[1] = FaultEntry.Invalidation(
            first: .cfgiSTE(StreamID(8), leaf: true), last: .cfgiSTE(StreamID(8), leaf: true), count: 1, age: 999)
        let record = JournalRecord(.fault(entry))
        #expect(record["SMMU_STATE"] == "illegal")
        #expect(record["SMMU_STE"] == "0x4000000b 0x10")
        #expect(record["SMMU_STE_SUMMARY"] == "stage 1 only: one CD at 0x40000000")
        #expect(
            record["SMMU_LAST_INVALIDATIONS"]
                == "TLBI_NH_VA ASID 5, 0x1000 to TLBI_NH_ASID ASID 5 (12 commands, 1.204 ms before); "
                + "CFGI_STE StreamID 0x8 (0.000 ms before)")
        #expect(fault(EventRecord(.translation, stream: StreamID(8)))["SMMU_STE"] == nil)
        // csystemd_journal_send takes no more: the rest would be left out.
        #expect(record.fields.count + 3 <= 32)
    }

    @Test func aStage2FaultHasItsIPA() {
        var event = EventRecord(.permission, stream: StreamID(8))
        event.stage2 = true
        event.ipa = 0x4000_0000
        event.instruction = true
        event.read = true
        event.setClass(.tableDescriptor)
        let record = fault(event)
        #expect(record["SMMU_IPA"] == "0x40000000")
        #expect(record["SMMU_STAGE"] == "2")
        #expect(record["SMMU_ACCESS"] == "execute")
        #expect(record["SMMU_CLASS"] == "TTD")
        #expect(record["SMMU_SUPPRESSED"] == nil)
    }

    @Test func aRecordWithoutAddressHasNoFieldsOfOne() {
        let record = fault(EventRecord(.badSTE, stream: StreamID(8)), device: "")
        #expect(record.message.hasPrefix("VM web, vSID 0x8: C_BAD_STE: the STE is ILLEGAL"))
        for name in ["SMMU_IOVA", "SMMU_ACCESS", "SMMU_CLASS", "SMMU_DEVICE", "SMMU_STAG"] {
            #expect(record[name] == nil, "\(name)")
        }
    }

    /// Records come from hardware and from guests' tables: any word must do.
    @Test func everyEventNumberMakesARecord() {
        for number in UInt64(0)...255 {
            let record = fault(EventRecord(number | 0xffff_ff00, .max, .max, .max))
            #expect(record["SMMU_EVENT"]?.isEmpty == false)
        }
    }

    @Test(arguments: JournalKind.allCases)
    func everyNoticeSaysWhomItConcerns(kind: JournalKind) {
        var notice = NoticeEntry(kind, origin: origin)
        notice.device = JournalName("0000:01:00.0")
        notice.vsmmu = 1
        notice.vsid = 8
        notice.count = 3
        notice.detail = "why"
        let record = JournalRecord(.notice(notice))
        #expect(record.message.hasPrefix("VM web: "))
        #expect(record.message.hasSuffix(": why"))
        #expect(!record.message.contains("\\"), "\(record.message)")
        #expect(record.kind == kind)
        #expect(record["SMMU_COUNT"] == "3")
        #expect(record["SMMU_VSID"] == "0x8")
        #expect(record["SMMU_DETAIL"] == "why")
    }

    @Test func aNoticeOfTheDaemonHasNoSession() {
        let record = JournalRecord(.notice(NoticeEntry(.configurationReloaded, origin: nil)))
        #expect(record.message == "the configuration was reloaded.")
        #expect(record.fields.isEmpty)
        #expect(record.priority == .notice)
    }

    @Test func controlCharactersForgeNoLines() {
        var notice = NoticeEntry(.requestRefused, origin: origin)
        notice.detail = "no\n<0>PRIORITY=0\u{1b}[31m\u{9b}"
        let record = JournalRecord(.notice(notice))
        #expect(record["SMMU_DETAIL"] == "no?<0>PRIORITY=0?[31m?")
        #expect(record.line(withPriority: true).count { $0 == "\n" } == 1)
        #expect(JournalRecord(.text(.info, "a\nb")).message == "a?b")
    }

    @Test func aLineHasPriorityMessageAndFields() {
        let record = JournalRecord(.lost(JournalLoss(entries: 2, faults: 5), session: 7))
        let message =
            "2 journal entries of session 7 lost: the journal is slower than what happens. "
            + "They stood for 5 faults."
        #expect(record.line(withPriority: true) == "<4>\(message) [SMMU_COUNT=2 SMMU_FAULTS=5 SMMU_SESSION=7]\n")
        #expect(record.line(withPriority: false) == "\(message) [SMMU_COUNT=2 SMMU_FAULTS=5 SMMU_SESSION=7]\n")
        #expect(JournalRecord(.text(.info, "Ready.")).line(withPriority: true) == "<6>Ready.\n")
    }

    @Test func namesAreOf64BytesAtMost() {
        #expect(JournalName().text == "")
        #expect(JournalName().isEmpty)
        #expect(JournalName(String(repeating: "x", count: 70)).text == String(repeating: "x", count: 64))
        let filled = JournalName { bytes in
            bytes.storeBytes(of: UInt8(ascii: "v"), toByteOffset: 0, as: UInt8.self)
            bytes.storeBytes(of: UInt8(ascii: "!"), toByteOffset: 2, as: UInt8.self)
        }
        #expect(filled.text == "v")
    }
}
