import ModelMachine
import SMMUModel
import SMMUv3
import Testing

/// Transactions that wait for software.
@Suite struct StallTests {
    @Test("stall.event: each waiting transaction has an event with STALL and a tag of its own")
    func tags() {
        var machine = Machine()
        machine.addStallingStreams()
        var tags: [UInt16] = []
        for index in 0..<8 as Range<UInt64> {
            let result = machine.translate(index % 2 == 0 ? 1 : 2, index << 12, write: true)
            guard case .stalled(let record, let tag) = result else {
                Issue.record("\(result)")
                continue
            }
            #expect(record.stallTag == tag && record.id == .translation && !record.read)
            tags.append(tag)
        }
        let events = machine.takeEvents()
        #expect(Set(tags).count == 8 && machine.smmu.stalledCount == 8)
        #expect(events.map(\.stallTag) == tags && events.map(\.inputAddress) == (0..<8).map { $0 << 12 })
        machine.run(.resume(StreamID(2), tag: tags[3], .abort))
        _ = machine.smmu.takeResumption()
        let again = machine.translate(1, 0x9000)
        guard case .stalled(_, let reused) = again else {
            Issue.record("\(again)")
            return
        }
        #expect(reused == tags[3], "the only tag that nobody holds")
    }

    @Test(
        "stall.ignores-a-r: under S=1 the event is written and the transaction waits whatever R and A say",
        arguments: [true, false], [true, false])
    func recordAndAbort(_ record: Bool, _ abort: Bool) {
        var machine = Machine()
        machine.addStallingStreams(record: record, abort: abort)
        let result = machine.translate(1, 0x1000)
        guard case .stalled(let event, _) = result else {
            Issue.record("\(result)")
            return
        }
        let events = machine.takeEvents()
        #expect(events == [event])
    }

    @Test("stall.s2s: a stage 2 fault under S2S waits, with S2 and the IPA in its event", arguments: [true, false])
    func stage2(_ nested: Bool) {
        var machine = Machine()
        let stream = machine.addNestedStream(1)
        machine.map(stream.table, 0x1000, to: 0x8000_0000)
        var ste = nested ? machine.ste(1) : machine.stage2STE(stream.stage2)
        ste.s2Stall = true
        ste.s2Record = false
        machine.setSTE(1, ste)
        let address: UInt64 = nested ? 0x1000 : 0x8000_0000
        let result = machine.translate(1, address)
        guard case .stalled(let event, let tag) = result else {
            Issue.record("\(result)")
            return
        }
        #expect(event.stage2 && event.ipa == 0x8000_0000)
        machine.map(stream.stage2, 0x8000_0000, to: 0x9000_0000)
        machine.run(.resume(StreamID(1), tag: tag, .retry))
        let resumption = machine.smmu.takeResumption()
        #expect(resumption?.action == .retry)
        let pa = machine.pa(1, address)
        #expect(pa == 0x9000_0000)
    }

    @Test("stall.config-errors: configuration errors and aborted fetches end at once, under S=1 and S2S=1 too")
    func configurationErrors() {
        var machine = Machine()
        let table = machine.addStallingStreams()
        machine.setSTE(3, StreamTableEntry())
        let hole = machine.allocate(4096)
        machine.smmu.memory.holes = [hole >> 12]
        var ste = machine.ste(1)
        ste.s1ContextPointer = hole
        machine.setSTE(4, ste)
        let pointer = machine.descriptorAddress(table, 0x4000_0000_0000, level: 0)
        machine.smmu.memory[pointer] = hole | 3
        let ids = [
            machine.fault(3, 0)?.id, machine.fault(4, 0)?.id, machine.fault(1, 0, ssid: 3)?.id,
            machine.fault(1 << 20, 0)?.id, machine.fault(1, 0x4000_0000_0000)?.id,
        ]
        #expect(ids == [.badSTE, .cdFetch, .badSubstreamID, .badStreamID, .walkExternalAbort])
        let events = machine.takeEvents()
        #expect(events.count == 5 && events.allSatisfy { $0.stallTag == nil } && machine.smmu.stalledCount == 0)
    }

    @Test("stall.resume-retry: the transaction is handed back as it came, and succeeds once the tables are mended")
    func retry() {
        var machine = Machine()
        let table = machine.addStallingStreams()
        let transaction = Transaction(StreamID(1), 0x1abc, write: true, privileged: true)
        let first = machine.smmu.translate(transaction)
        guard case .stalled(_, let tag) = first else {
            Issue.record("\(first)")
            return
        }
        machine.run(.resume(StreamID(1), tag: tag, .retry))
        let unmended = machine.smmu.takeResumption()
        #expect(unmended?.transaction == transaction && unmended?.tag == tag && unmended?.action == .retry)
        let second = machine.smmu.translate(transaction)
        guard case .stalled(_, let secondTag) = second else {
            Issue.record("\(second)")
            return
        }
        machine.map(table, 0x1000, to: 0x5000)
        machine.run(.resume(StreamID(1), tag: secondTag, .retry))
        let mended = machine.smmu.takeResumption()
        let third = machine.smmu.translate(transaction)
        guard case .translated(let translation) = third else {
            Issue.record("\(third)")
            return
        }
        let none = machine.smmu.takeResumption()
        #expect(mended?.transaction == transaction && translation.pa == 0x5abc && none == nil)
    }

    @Test("stall.resume-terminate: terminate ends it quietly, abort with an abort; TERM_MODEL 1 knows no quiet end")
    func terminate() {
        for (termModel, action, expected) in [
            (false, Command.ResumeAction.terminate, Command.ResumeAction.terminate), (false, .abort, .abort),
            (true, .terminate, .abort), (true, .abort, .abort), (true, .retry, .retry),
        ] {
            var machine = Machine(ids: .with(termModel: termModel))
            machine.addStallingStreams()
            let result = machine.translate(1, 0x1000)
            guard case .stalled(_, let tag) = result else {
                Issue.record("\(result)")
                continue
            }
            machine.run(.resume(StreamID(1), tag: tag, action))
            let resumption = machine.smmu.takeResumption()
            #expect(resumption?.action == expected && machine.smmu.stalledCount == 0)
        }
    }

    @Test("stall.resume-mismatch: a tag that waits for another stream, or does not wait, changes nothing")
    func mismatch() {
        var machine = Machine()
        machine.addStallingStreams()
        _ = machine.translate(1, 0x1000)
        _ = machine.translate(2, 0x2000)
        let events = machine.takeEvents()
        let tag = events.first?.stallTag ?? 0xffff
        let error = machine.run(
            .resume(StreamID(2), tag: tag, .abort), .resume(StreamID(3), tag: tag, .retry),
            .resume(StreamID(1), tag: 999, .abort), .resume(StreamID(1), tag: 0xffff, .retry))
        let none = machine.smmu.takeResumption()
        #expect(error == .none && machine.smmu.stalledCount == 2 && none == nil)
        machine.run(.resume(StreamID(1), tag: tag, .abort), .resume(StreamID(1), tag: tag, .retry))
        let first = machine.smmu.takeResumption()
        let second = machine.smmu.takeResumption()
        #expect(first?.action == .abort && second == nil, "a tag is answered once")
    }

    @Test("stall.term: STALL_TERM aborts all that wait of its stream and leaves the others")
    func stallTerm() {
        var machine = Machine()
        machine.addStallingStreams()
        for index in 0..<6 as Range<UInt64> { _ = machine.translate(index % 3 == 0 ? 1 : 2, index << 12) }
        machine.run(.stallTerm(StreamID(2)), .stallTerm(StreamID(3)))
        #expect(machine.smmu.stalledCount == 2)
        var addresses: [UInt64] = []
        while let resumption = machine.smmu.takeResumption() {
            #expect(resumption.action == .abort && resumption.transaction.streamID == StreamID(2))
            addresses.append(resumption.transaction.address >> 12)
        }
        #expect(addresses == [1, 2, 4, 5])
    }

    @Test("stall.limit: STALL_MAX transactions wait; the next is held back, and is not lost")
    func limit() {
        var machine = Machine()
        let table = machine.addStallingStreams()
        for index in 0..<8 as Range<UInt64> { _ = machine.translate(1, index << 12) }
        let ninth = machine.translate(1, 8 << 12)
        #expect(ninth == .backpressured && machine.smmu.stalledCount == 8)
        let events = machine.takeEvents()
        #expect(events.count == 8)
        machine.map(table, 0x10_0000, to: 0x5000)
        let other = machine.pa(1, 0x10_0000)
        #expect(other == 0x5000, "what does not fault goes on")
        machine.run(.resume(StreamID(1), tag: events.first?.stallTag ?? 0, .abort))
        _ = machine.smmu.takeResumption()
        let again = machine.translate(1, 8 << 12)
        guard case .stalled = again else {
            Issue.record("\(again)")
            return
        }
        let later = machine.takeEvents()
        #expect(later.map(\.inputAddress) == [8 << 12])
    }

    @Test("stall.full-queue: the event of a waiting transaction is kept for a full queue until there is room")
    func fullQueue() {
        var machine = Machine(eventsLog2: 1)
        machine.addStallingStreams()
        for index in 0..<5 as Range<UInt64> { _ = machine.translate(1, index << 12) }
        #expect(machine.smmu.registers.eventQueueProd & 1 << 31 == 0, "waiting is no overflow")
        var addresses: [UInt64] = []
        for _ in 0..<3 {
            addresses += machine.takeEvents().map { $0.inputAddress >> 12 }
            machine.smmu.writePendingEvents()
        }
        #expect(addresses == [0, 1, 2, 3, 4])
    }

    @Test("stall.full-queue: a transaction that is answered before its event was written leaves no event")
    func answeredBeforeEvent() {
        var machine = Machine(eventsLog2: 0)
        machine.addStallingStreams()
        _ = machine.translate(1, 0x1000)
        _ = machine.translate(2, 0x2000)
        machine.run(.stallTerm(StreamID(2)))
        let first = machine.takeEvents()
        machine.smmu.writePendingEvents()
        let second = machine.takeEvents()
        #expect(first.map(\.inputAddress) == [0x1000] && second.isEmpty)
    }

    @Test("stall.term: turning SMMUEN off aborts everything that waits")
    func turnedOff() {
        var machine = Machine()
        machine.addStallingStreams()
        for index in 0..<3 as Range<UInt64> { _ = machine.translate(1, index << 12) }
        machine.smmu.disable()
        #expect(machine.smmu.stalledCount == 0 && !machine.smmu.registers.smmuEnabled)
        for _ in 0..<3 {
            let resumption = machine.smmu.takeResumption()
            #expect(resumption?.action == .abort)
        }
        let none = machine.smmu.takeResumption()
        #expect(none == nil)
    }
}

extension Machine {
    /// Streams 1 and 2, with one table in which nothing is mapped; their faults stall.
    @discardableResult
    fileprivate mutating func addStallingStreams(record: Bool = true, abort: Bool = true) -> TestTable {
        let table = stage1Table()
        var cd = cd(table)
        cd.words[0].setBit(44, true)
        cd.words[0].setBit(45, record)
        cd.words[0].setBit(46, abort)
        let context = place(cd)
        setSTE(1, stage1STE(context: context))
        setSTE(2, stage1STE(context: context))
        return table
    }
}
