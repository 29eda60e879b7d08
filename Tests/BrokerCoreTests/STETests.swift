import BrokerCore
import SMMUv3
import Testing
import Wire

private let disk = ContextKey(VSMMUID(1), StreamID(1))
private let net = ContextKey(VSMMUID(1), StreamID(2))

private func words(_ ste: StreamTableEntry) -> Installation { .stage1(word0: ste.words[0], word1: ste.words[1]) }

private func report(_ reply: Reply) throws -> ContextReport {
    guard case .steSet(let body) = reply.body else { throw reply.refusal ?? Refusal(.badValue, .invalid, "\(reply)") }
    return body.context
}

@Suite("STEs")
struct STETests {
    @Test(
        "I1, P17: what an STE makes of a device while SMMUEN is 1",
        arguments: [
            (StreamTableEntry.stage1, ContextState.translate, false), (.bypass, .bypass, false),
            (.aborting, .abort, false), (.invalid, .abort, false), (.illegal, .abort, true),
        ])
    func verdicts(ste: StreamTableEntry, state: ContextState, illegal: Bool) throws {
        let harness = try Harness.translating()
        let context = try report(harness.setSTE(ste))
        #expect(context == ContextReport(vsid: StreamID(1), state: state, illegal: illegal))
        #expect(harness.inEffect()?.state == state)
        #expect(try harness.context().ste == ste)
    }

    @Test("I1, P17: while SMMUEN is 0 GBPA decides, whatever STE is set")
    func disabled() throws {
        let harness = try Harness.ready()
        #expect(harness.inEffect() == .bypass)
        for ste in [StreamTableEntry.stage1, .illegal, .invalid] {
            #expect(try report(harness.setSTE(ste)) == ContextReport(vsid: StreamID(1), state: .bypass))
        }
        // CDs are dropped by putting the same into effect again.
        #expect(harness.backend.calls == Array(repeating: .install(disk, .bypass), count: 3))
        try harness.switchState(.bypassAborts)
        #expect(harness.inEffect(1) == .abort && harness.inEffect(2) == .abort)
        #expect(try report(harness.setSTE(.bypass)).state == .abort)
        try harness.switchState([])
        #expect(harness.inEffect(1) == .bypass)
    }

    @Test("I1: a device attached while SMMUEN is 1 aborts until its STE is set")
    func attachedLate() throws {
        let harness = try Harness.translating()
        try harness.attach("virt", vsid: 3)
        #expect(harness.inEffect(3) == .abort)
        #expect(try report(harness.setSTE(.bypass, vsid: 3)).state == .bypass)
    }

    @Test("I2, P16: from one stage 1 to the next nothing comes in between")
    func hitless() throws {
        let harness = try Harness.translating()
        try harness.setSTE(.otherStage1)
        #expect(harness.backend.calls == [.install(disk, words(.otherStage1))])
    }

    @Test("P14: an STE that has not changed is put into effect all the same")
    func neverFromMemory() throws {
        let harness = try Harness.translating()
        for _ in 0..<3 { try harness.setSTE(.stage1) }
        #expect(harness.backend.calls == Array(repeating: .install(disk, words(.stage1)), count: 3))
    }

    @Test("I2, P16: when the host refuses, the stage 1 stays and the request is refused")
    func keepsStage1() throws {
        let harness = try Harness.translating()
        harness.backend.fail = { if case .install = $0 { .busy() } else { nil } }
        let before = harness.session.state
        let refusal = try harness.setSTE(.otherStage1).refusal
        #expect(refusal?.reason == .hostFailure && refusal?.status == .busy)
        #expect(harness.session.state == before && harness.inEffect() == words(.stage1))
        #expect(harness.backend.calls.count == 3, "tried again within a bound")
    }

    @Test("I2, P16: when the host refuses for a bypassing device, it goes to ABORT")
    func parksBypass() throws {
        let harness = try Harness.translating()
        try harness.setSTE(.bypass)
        harness.backend.fail = { if case .install(_, .stage1) = $0 { .broken } else { nil } }
        harness.backend.calls = []
        #expect(try harness.setSTE(.otherStage1).reason == .hostFailure)
        #expect(harness.backend.calls == [.install(disk, words(.otherStage1)), .install(disk, .abort)])
        #expect(try harness.context().installed == .abort)
    }

    @Test("I2: a failure in passing is tried again")
    func transient() throws {
        let harness = try Harness.translating()
        var failures = 2
        harness.backend.fail = { _ in
            failures -= 1
            return failures >= 0 ? .busy() : nil
        }
        #expect(try report(harness.setSTE(.otherStage1)).state == .translate)
        #expect(harness.backend.calls.count == 3)
    }

    @Test("I4, P10: bits that a nested vSMMU may not have are stripped, EATS without ATS too")
    func stripped() throws {
        let harness = try Harness.translating()
        var ste = StreamTableEntry.stage1
        for word in 0..<8 { ste.words[word] |= 0xffff_0000_0000_0000 & (word == 0 ? 0 : .max) }
        ste.words[1] |= 1 << 19
        try harness.setSTE(ste)
        #expect(harness.inEffect(1) == words(.stage1))
        try harness.setSTE(.stage1, vsid: 2)
        #expect(harness.inEffect(2)?.usesATS == false && harness.inEffect(1)?.usesATS == true)
    }

    @Test("An STE for what is not there")
    func unknown() throws {
        let harness = try Harness.ready()
        #expect(try harness.setSTE(.stage1, vsid: 9).reason == .unknownVSID)
        #expect(try harness.setSTE(.stage1, vsmmu: 9).reason == .unknownVSMMU)
        #expect(harness.backend.calls.isEmpty)
    }

    @Test("Quarantine: ABORT whatever the guest says, and its latest STE on release")
    func quarantine() throws {
        let harness = try Harness.translating()
        try harness.subscribe()
        #expect(
            harness.session.quarantine(name("disk"), at: harness.now)
                && !harness.session.quarantine(name("nobody"), at: harness.now))
        #expect(harness.inEffect() == .abort)
        #expect(try report(harness.setSTE(.otherStage1)).state == .abort)
        try harness.switchState([])
        #expect(harness.inEffect() == .abort && harness.inEffect(2) == .bypass)
        try harness.switchState(.smmuEnabled, [(1, .otherStage1), (2, .bypass)])
        #expect(harness.inEffect() == .abort)
        let told = try #require(try harness.nextDelivery())
        #expect(
            told.0.body
                == .health(
                    HealthNotice(
                        vsid: StreamID(1), state: .quarantined, reason: .operatorOrder,
                        reasons: HealthReasons(.operatorOrder))))
        harness.session.delivered()
        #expect(harness.session.release(name("disk"), at: harness.now))
        #expect(harness.inEffect() == words(.otherStage1))
        #expect(
            try harness.nextDelivery()?.0.body
                == .health(
                    HealthNotice(
                        vsid: StreamID(1), state: .recovered, reason: .operatorOrder,
                        reasons: HealthReasons(.operatorOrder))))
        #expect(try harness.reset().isDone)
    }
}

@Suite("VSMMU_STATE and VSMMU_RESET")
struct VSMMUStateTests {
    private func reports(_ reply: Reply, _ harness: Harness) throws -> (Generation, [ContextReport]) {
        guard case .contexts(let body) = reply.body else { throw reply.refusal ?? Refusal(.badValue, .invalid, "") }
        let bytes = harness.reply
        // SAFETY: the bytes are integers, of which any bits are some.
        return (body.generation, body.contexts.array(in: unsafe bytes.span.bytes))
    }

    @Test("P17: SMMUEN puts every STE into effect and reports each context")
    func enable() throws {
        let harness = try Harness.ready()
        let reply = try harness.switchState(.smmuEnabled, [(2, .illegal), (1, .stage1)])
        let (generation, contexts) = try reports(reply, harness)
        #expect(generation == Generation(0))
        #expect(
            contexts == [
                ContextReport(vsid: StreamID(2), state: .abort, illegal: true),
                ContextReport(vsid: StreamID(1), state: .translate),
            ])
        #expect(harness.answer.effects.contains(.contexts))
    }

    @Test(
        "P7: entries must cover the attached vSIDs exactly, before anything is switched",
        arguments: [
            ([(1, StreamTableEntry.stage1)], Reason.missingContext),
            ([(1, .stage1), (2, .stage1), (3, .stage1)], .unknownVSID),
            ([(1, .stage1), (2, .stage1), (1, .stage1)], .duplicateVSID),
        ] as [([(UInt32, StreamTableEntry)], Reason)])
    func cover(entries: [(UInt32, StreamTableEntry)], reason: Reason) throws {
        let harness = try Harness.ready()
        let before = harness.session.state
        #expect(try harness.switchState(.smmuEnabled, entries).reason == reason)
        #expect(harness.session.state == before && harness.backend.calls.isEmpty)
    }

    @Test("Turning off invalidates nothing")
    func turnOff() throws {
        let harness = try Harness.translating()
        try harness.switchState([])
        #expect(harness.backend.calls == [.install(disk, .bypass), .install(net, .bypass)])
    }

    @Test("P16: what the host refuses is reported with its errno, and the rest goes on")
    func partly() throws {
        let harness = try Harness.ready()
        harness.backend.fail = { if case .install(disk, .stage1) = $0 { .broken } else { nil } }
        let (_, contexts) = try reports(harness.switchState(.smmuEnabled, [(1, .stage1), (2, .stage1)]), harness)
        #expect(
            contexts == [
                ContextReport(vsid: StreamID(1), state: .abort, status: .inputOutput),
                ContextReport(vsid: StreamID(2), state: .translate),
            ])
    }

    @Test("I1: when the host can do neither STE nor ABORT the vSMMU is failed")
    func stuck() throws {
        let harness = try Harness.ready()
        harness.backend.fail = { if case .install(disk, _) = $0 { .broken } else { nil } }
        #expect(try harness.switchState(.smmuEnabled, [(1, .stage1), (2, .stage1)]).reason == .vsmmuFailed)
        #expect(harness.inEffect(2) == .abort)
        harness.backend.fail = { _ in nil }
        #expect(try harness.setSTE(.stage1).reason == .vsmmuFailed && harness.reset().isDone)
    }

    @Test("P18: a reset can be repeated; contexts bypass, everything is invalidated, the generation rises")
    func reset() throws {
        let harness = try Harness.translating()
        for expected in 1...3 {
            harness.backend.calls = []
            let (generation, contexts) = try reports(harness.reset(), harness)
            #expect(generation == Generation(UInt32(expected)))
            #expect(contexts.map(\.state) == [.bypass, .bypass])
            #expect(
                harness.backend.calls == [
                    .install(disk, .bypass), .install(net, .bypass), .terminateStalls(nil), .resynchronize(VSMMUID(1)),
                ])
        }
    }

    @Test("A reset that the host refuses leaves no old stage 1 behind")
    func resetWithoutBypass() throws {
        let harness = try Harness.translating()
        harness.backend.fail = { if case .install(_, .bypass) = $0 { .broken } else { nil } }
        let (_, contexts) = try reports(harness.reset(), harness)
        #expect(contexts.map(\.state) == [.abort, .abort] && contexts.map(\.status) == [.inputOutput, .inputOutput])
    }

    @Test("P27: records from before a reset carry the generation from before it")
    func generations() throws {
        let harness = try Harness.translating()
        try harness.subscribe()
        harness.backend.source[VSMMUID(1)] = [EventRecord(.translation, stream: StreamID(1))]
        try harness.reset()
        harness.backend.source[VSMMUID(1)] = [EventRecord(.translation, stream: StreamID(1))]
        _ = harness.session.readSource(of: VSMMUID(1), at: harness.now)
        let first = try #require(try harness.nextDelivery())
        #expect(first.0.header.generation == Generation(0) && first.1.count == 1)
        harness.session.delivered()
        #expect(try harness.nextDelivery()?.0.header.generation == Generation(1))
    }
}
