import Backends
import BrokerCore
import SMMUModel
import SMMUv3
import Testing
import Wire

/// The words that the model reads for an access, for who follows the walk elsewhere.
@Suite struct ModelWalkTests {
    private func access(_ guest: Guest, _ iova: UInt64, write: Bool = false, vsid: UInt32 = 7) -> DeviceAccess {
        DeviceAccess(
            vsmmu: guest.vsmmu, vsid: StreamID(vsid), iova: IOVA(iova), substream: nil, write: write,
            privileged: false, instruction: false, size: 0)
    }

    /// Follows the access by the words alone.
    private func replay(_ walk: TableWalk, _ iova: UInt64, write: Bool = false) -> (TranslationResult, [WalkStep]) {
        var smmu = SoftwareSMMU(memory: Words(walk.words), ids: walk.registers)
        smmu.registers.streamTableBase = walk.streamTableBase
        smmu.registers.streamTableBaseConfig = walk.streamTableBaseConfig
        smmu.registers.smmuEnabled = true
        smmu.registers.eventQueueEnabled = true
        var recorder = StepRecorder()
        let result = smmu.translate(Transaction(walk.stream, iova, write: write), observer: &recorder)
        return (result, recorder.steps)
    }

    private struct Words: PhysicalMemory {
        let words: [UInt64: UInt64]
        init(_ words: [TableWalk.Word]) {
            self.words = Dictionary(uniqueKeysWithValues: words.map { ($0.address, $0.value) })
        }
        func loadWord(at address: UInt64) -> UInt64? { words[address] }
        func storeWord(_ value: UInt64, at address: UInt64) -> Bool { true }
    }

    @Test("The words of a walk are enough to follow it to the same end")
    func enough() throws {
        let host = ModelHost()
        let guest = try Guest(host)
        let space = guest.makeSpace()
        let ipa = guest.allocate()
        guest.map(space, 0x1000, to: ipa)
        try guest.attach(0, as: 7, space.installation)
        let found = try #require(host.backend.walk(access(guest, 0x1234)))
        guard case .translated(let translation) = replay(found, 0x1234).0 else {
            Issue.record("not translated")
            return
        }
        #expect(translation.ipa == ipa + 0x234)
        let missing = try #require(host.backend.walk(access(guest, 0x5000)))
        let (result, steps) = replay(missing, 0x5000)
        guard case .faulted(let termination) = result, case .descriptor(let word, .invalid, false, 3, _, _) = steps.last
        else {
            Issue.record("another end: \(steps)")
            return
        }
        #expect(termination.record.id == .translation && word == 0)
        #expect(missing.words.count < 100 && Set(missing.words.map(\.address)).count == missing.words.count)
        #expect(host.backend.walk(access(guest, 0, vsid: 9)) == nil)
    }

    @Test("Looking changes nothing: no event, no cached translation, no stalled transaction")
    func harmless() throws {
        let host = ModelHost(ids: .nested(stallModel: 0), stalls: true)
        let guest = try Guest(host)
        let space = guest.makeSpace(flipping: [44])
        let ipa = guest.allocate()
        try guest.attach(0, as: 7, space.installation)
        #expect(host.backend.walk(access(guest, 0x1000)) != nil)
        #expect(guest.takeEvents().records.isEmpty)
        // What the look saw is not what counts: nothing of it has been kept.
        guest.map(space, 0x1000, to: ipa)
        var bytes = [UInt8](repeating: 0, count: 8)
        #expect(guest.transfer(7, 0x1000, write: false, &bytes).stage1 == .done)
        #expect(guest.takeEvents().records.isEmpty)
    }

    @Test("Tables that lead round in circles, or to no memory, end the walk")
    func hostile() throws {
        let host = ModelHost()
        let guest = try Guest(host)
        let space = guest.makeSpace()
        try guest.attach(0, as: 7, space.installation)
        for entry in [space.root | 3, 0x7_0000_0003, UInt64.max, Guest.ramBase + Guest.ramSize | 3] {
            for index in 0..<512 as Range<UInt64> { guest[space.root + index * 8] = entry }
            let walk = try #require(host.backend.walk(access(guest, 0x1_2345_6000)))
            #expect(walk.words.count <= TableWalk.capacity)
            _ = replay(walk, 0x1_2345_6000)
        }
    }
}
