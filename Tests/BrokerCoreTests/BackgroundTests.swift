import BrokerCore
import SMMUv3
import Testing
import Wire

private let vsmmu = VSMMUID(1)

@Suite("What is known beside a fault")
struct BackgroundTests {
    private func fault(_ harness: Harness, stream: UInt32 = 1, page: UInt64 = 0) throws -> ObservedFault {
        var record = EventRecord(.translation, stream: StreamID(stream))
        record.words[2] = page << 12
        harness.backend.source[vsmmu] = [record]
        _ = harness.session.readSource(of: vsmmu, at: harness.now)
        return try #require(harness.observer.faults.last)
    }

    @Test("The STE that the guest gave, what is in effect, and the invalidations before it, the newest first")
    func background() throws {
        let harness = try Harness.translating()
        harness.now = Instant(nanoseconds: 1000)
        try harness.commands([.tlbi, .tlbi(.tlbiNHVA, asid: 7, address: 0x5000), .sync()])
        harness.now = Instant(nanoseconds: 3000)
        try harness.setSTE(.illegal)
        let background = try #require(try fault(harness).background)
        #expect(background.effect == .abort && background.illegal)
        #expect(background.word0 == StreamTableEntry.illegal.words[0])
        #expect(
            background.invalidations == [
                PastInvalidation(
                    first: .cfgiSTE(StreamID(1), leaf: true), last: .cfgiSTE(StreamID(1), leaf: true), count: 1,
                    at: Instant(nanoseconds: 3000)),
                PastInvalidation(
                    first: .tlbi, last: .tlbi(.tlbiNHVA, asid: 7, address: 0x5000), count: 2,
                    at: Instant(nanoseconds: 1000)),
            ])
        let stray = try #require(try fault(harness, stream: 9).background)
        #expect(stray.effect == nil && stray.word0 == nil && stray.invalidations.count == 2)
    }

    @Test("A fault that the journal does not take has none")
    func suppressed() throws {
        let harness = try Harness.ready(journalLimit: JournalLimit(burst: 1, intervalMilliseconds: 1000))
        #expect(try fault(harness).background != nil)
        // Of another page, so that it is not merged.
        #expect(try fault(harness, page: 1).background == nil)
    }

    @Test("The last eight batches that reached the backend are remembered, of this vSMMU alone")
    func ring() throws {
        let harness = try Harness.translating()
        try harness.create()
        for number in 0..<20 as Range<UInt64> {
            harness.now = Instant(nanoseconds: number)
            try harness.commands([.tlbi(.tlbiNHVA, asid: 1, address: number << 12)])
            // Neither reaches the backend: a SYNC alone, and a device without ATS.
            try harness.commands([.sync()])
            try harness.commands([.atcInv(StreamID(2))])
            try harness.commands([.tlbi], vsmmu: 2)
        }
        let known = try #require(
            harness.session.explain(
                ExplanationRequest(vsmmu: vsmmu, vsid: StreamID(1), iova: IOVA(0)), at: harness.now))
        #expect(known.invalidations.map(\.at.nanoseconds) == Array((12..<20).reversed()))
        #expect(known.invalidations.map(\.first.address) == (12..<20).reversed().map { $0 << 12 })
        #expect(known.ste == .stage1 && known.context.state == .translate)
        #expect(known.walk == nil, "this backend has no memory at hand")
        try harness.reset()
        #expect(
            harness.session.explain(
                ExplanationRequest(vsmmu: vsmmu, vsid: StreamID(1), iova: IOVA(0)), at: harness.now)?.ste == nil)
        #expect(
            harness.session.explain(
                ExplanationRequest(vsmmu: vsmmu, vsid: StreamID(9), iova: IOVA(0)), at: harness.now) == nil)
    }

    @Test("Commands are counted by opcode, event records by kind")
    func tallies() throws {
        let harness = try Harness.translating()
        try harness.commands([.tlbi, .tlbi, .sync(), .atcInv(StreamID(2))])
        // The illegal command is not taken, nor what follows it.
        try harness.commands([.sync(), Command(d0: 0xff, d1: 0), .tlbi])
        harness.backend.source[vsmmu] = [
            EventRecord(.translation, stream: StreamID(1)), EventRecord(.badCD, stream: StreamID(9)),
            EventRecord(0xe5, 0, 0, 0), EventRecord(.badCD, stream: StreamID(1)),
        ]
        _ = harness.session.readSource(of: vsmmu, at: harness.now)
        let tallies = harness.session.tallies
        let opcodes = Command.Opcode.allCases.map { tallies.opcodes[$0.place] }
        #expect(opcodes.reduce(0, +) == 5)
        #expect(tallies.opcodes[Command.Opcode.tlbiNHASID.place] == 2)
        #expect(tallies.opcodes[Command.Opcode.sync.place] == 2)
        #expect(tallies.opcodes[Command.Opcode.atcInv.place] == 1)
        #expect(tallies.events[EventID.badCD.place] == 2 && tallies.events[EventID.translation.place] == 1)
        #expect(tallies.events[EventID.others] == 1)
        #expect((tallies + tallies).events[EventID.others] == 2)
    }

    @Test("Every opcode and every kind has a place of its own")
    func places() {
        #expect(Set(Command.Opcode.allCases.map(\.place)) == Set(SessionTallies().opcodes.indices))
        #expect(Set(EventID.allCases.map(\.place) + [EventID.others]) == Set(SessionTallies().events.indices))
    }
}
