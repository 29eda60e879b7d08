import BrokerCore
import SMMUv3
import Testing
import Wire

private func forwarded(_ harness: Harness) -> [[Command]] {
    harness.backend.calls.compactMap { if case .invalidate(let commands) = $0 { commands } else { nil } }
}

private let atc = Command.atcInv(StreamID(1))

@Suite("COMMANDS")
struct CommandTests {
    @Test("P12: on success all are complete, in the guest's order; CMD_SYNC and PREFETCH are not the backend's")
    func success() throws {
        let harness = try Harness.translating()
        let batch: [Command] = [
            .tlbi, .prefetchConfig(StreamID(1)), .sync(), .cfgiCDAll(StreamID(1)), .make(.tlbiNSNHAll), atc,
            .sync(.event),
        ]
        let reply = try harness.commands(batch)
        #expect(reply.isDone && reply.header.completed == 7)
        #expect(forwarded(harness) == [[.tlbi, .cfgiCDAll(StreamID(1)), .make(.tlbiNSNHAll), atc]])
        #expect(harness.session.counters.commands == 7 && harness.session.counters.batches == 1)
        #expect(harness.answer.effects.isEmpty)
    }

    @Test(
        "I4, P10, P11: an illegal command stops the batch behind its legal prefix",
        arguments: [
            Command(d0: 0x99, d1: 0), .tlbi(.tlbiEL2All), .tlbi(.tlbiS12VMAll),
            .sync(.interrupt(address: 0, data: 0)).with(cs: 3),
            Command(d0: 0x11 | 1 << 10, d1: 0), .atcInv(StreamID(1), size: 53),
            .tlbi(.tlbiNHASID).setting(bit: 63, ofWord1: true),
            .cfgiSTE(StreamID(1)).setting(bit: 10, ofWord1: false),
        ])
    func illegal(command: Command) throws {
        let harness = try Harness.translating()
        let refusal = try #require(try harness.commands([.tlbi, .tlbi, command, .tlbi]).refusal)
        #expect(refusal.reason == .illegalCommand && refusal.commandError == .illegal && refusal.completed == 2)
        #expect(forwarded(harness) == [[.tlbi, .tlbi]])
        harness.backend.calls = []
        #expect(try harness.commands([command]).refusal?.completed == 0)
        #expect(harness.backend.calls.isEmpty)
    }

    @Test(
        "P11: commands for STE_SET and PAGE_RESPONSE stop the batch without CERROR",
        arguments: [
            (Command.cfgiSTE(StreamID(1)), Reason.configurationCommand), (.cfgiAll, .configurationCommand),
            (.cfgiSTERange(StreamID(0), range: 3), .configurationCommand),
            (.resume(StreamID(1), tag: 3, .retry), .pageResponseCommand),
            (.stallTerm(StreamID(1)), .pageResponseCommand),
        ])
    func others(command: Command, reason: Reason) throws {
        let harness = try Harness.translating()
        let refusal = try #require(try harness.commands([.tlbi, command]).refusal)
        #expect(refusal.reason == reason && refusal.commandError == .none && refusal.completed == 1)
        #expect(forwarded(harness) == [[.tlbi]])
    }

    @Test("P13: CFGI_CD and ATC_INV for streams that do not translate, or are not ours, do nothing and are counted")
    func ignored() throws {
        let harness = try Harness.translating()
        try harness.setSTE(.aborting, vsid: 2)
        harness.backend.calls = []
        let batch: [Command] = [
            .cfgiCD(StreamID(2), SubstreamID(0)), .cfgiCDAll(StreamID(99)), .atcInv(StreamID(99)), .atcInv(StreamID(2)),
            .cfgiCDAll(StreamID(1)), .sync(),
        ]
        #expect(try harness.commands(batch).header.completed == 6)
        #expect(forwarded(harness) == [[.cfgiCDAll(StreamID(1))]])
        #expect(harness.session.counters.ignoredCommands == 4)
        try harness.setSTE(.otherStage1)
        harness.backend.calls = []
        #expect(try harness.commands([atc]).isDone, "stage 1 without EATS")
        #expect(harness.backend.calls.isEmpty)
    }

    @Test(
        "I3, P12, P15: a device that does not answer is CERROR_ATC_INV_SYNC, where the guest's CMD_SYNC is",
        arguments: [
            ([.tlbi, atc, .tlbi], 3), ([.sync(), .tlbi, atc, .tlbi, .sync(), .tlbi, .sync()], 4), ([atc], 1),
            ([atc, .sync()], 1), ([.tlbi, atc, .tlbi, .cfgiAll], 2), ([atc, .tlbi, Command(d0: 0x99, d1: 0)], 1),
        ] as [([Command], UInt32)])
    func timeout(batch: [Command], completed: UInt32) throws {
        let harness = try Harness.translating()
        harness.backend.outcome = .deviceTimedOut
        let refusal = try #require(try harness.commands(batch).refusal)
        #expect(refusal.reason == .hostFailure && refusal.status == .timedOut)
        #expect(refusal.commandError == .atcInvalidationSync && refusal.completed == completed)
        #expect(harness.backend.calls.last == .resynchronize(VSMMUID(1)))
        harness.backend.outcome = .completed
        #expect(try harness.commands([.tlbi]).isDone)
    }

    @Test("I3, P15: ETIMEDOUT without an ATC_INV is no CERROR_ATC_INV_SYNC")
    func timeoutWithoutATC() throws {
        let harness = try Harness.translating()
        harness.backend.outcome = .deviceTimedOut
        let refusal = try #require(try harness.commands([.tlbi, .atcInv(StreamID(2)), .sync()]).refusal)
        #expect(refusal.commandError == .none && refusal.completed == 0 && refusal.reason == .hostFailure)
    }

    @Test("I3, P12, P15: after a failure everything is invalidated, and nothing counts as completed")
    func failure() throws {
        let harness = try Harness.translating()
        harness.backend.outcome = .failed(.broken)
        let refusal = try #require(try harness.commands([.tlbi, atc, Command(d0: 0x99, d1: 0)]).refusal)
        #expect(refusal.reason == .hostFailure && refusal.status == .inputOutput)
        #expect(refusal.commandError == .none && refusal.completed == 0)
        #expect(harness.backend.calls == [.invalidate([.tlbi, atc]), .resynchronize(VSMMUID(1))])
        #expect(harness.observer.notices.contains(.resynchronized(vsmmu: VSMMUID(1), .broken)))
    }

    @Test("I3, P15: when that fails too the devices abort, and the vSMMU is failed until it is reset")
    func failed() throws {
        let harness = try Harness.translating()
        harness.backend.outcome = .failed(.broken)
        harness.backend.fail = { if case .resynchronize = $0 { .broken } else { nil } }
        #expect(try harness.commands([.tlbi]).reason == .vsmmuFailed)
        #expect(harness.inEffect(1) == .abort && harness.inEffect(2) == .abort)
        #expect(try harness.setSTE(.stage1).reason == .vsmmuFailed)
        #expect(try harness.switchState([]).reason == .vsmmuFailed)
        #expect(try harness.attach("virt", vsid: 3).reason == .vsmmuFailed)
        #expect(try harness.commands([.tlbi]).reason == .vsmmuFailed)
        #expect(try harness.reset().reason == .hostFailure, "it still cannot be resynchronized")
        #expect(try harness.commands([.tlbi]).reason == .vsmmuFailed && harness.inEffect(1) == .abort)
        (harness.backend.fail, harness.backend.outcome) = ({ _ in nil }, .completed)
        #expect(try harness.detach(vsid: 2).isDone)
        #expect(try harness.reset().isDone)
        #expect(try harness.switchState(.smmuEnabled, [(1, .stage1)]).isDone)
        #expect(try harness.commands([.tlbi]).isDone)
    }

    @Test("I4: no command reaches the backend that a nested vSMMU does not allow, and none twice or out of order")
    func random() throws {
        let harness = try Harness.translating()
        let advertised = harness.session.state.vsmmus[0].advertised
        let seed = UInt64.random(in: 0...UInt64.max)
        var random = Seeded(state: seed)
        for _ in 0..<2000 {
            let batch = (0..<Int(1 + random.next() % 6)).map { _ in Command.any(&random) }
            harness.backend.calls = []
            let reply = try harness.commands(batch)
            let completed = Int(reply.header.completed)
            let sent = forwarded(harness).first ?? []
            #expect(sent.allSatisfy { NestedVSMMU.refusal(of: $0, advertised: advertised) == nil }, "seed \(seed)")
            let expected = batch.prefix(completed).filter { command in
                switch command.opcode {
                case .sync, .prefetchConfig, .prefetchAddress: false
                case .atcInv: command.streamID == StreamID(1)
                case .cfgiCD, .cfgiCDAll: command.streamID.rawValue == 1 || command.streamID.rawValue == 2
                default: true
                }
            }
            #expect(sent == Array(expected), "seed \(seed)")
            #expect(reply.isDone == (completed == batch.count), "seed \(seed)")
        }
    }
}

extension Command {
    fileprivate func with(cs: UInt64) -> Command {
        var command = self
        command.d0.setBits(13, 12, cs)
        return command
    }

    fileprivate func setting(bit: Int, ofWord1: Bool) -> Command {
        var command = self
        if ofWord1 { command.d1.setBit(bit, true) } else { command.d0.setBit(bit, true) }
        return command
    }

    /// Mostly legal, sometimes with a stray bit, sometimes anything.
    static func any(_ random: inout Seeded) -> Command {
        let opcode = Opcode.allCases[Int(random.next() % UInt64(Opcode.allCases.count))]
        var command = Command(d0: UInt64(opcode.rawValue), d1: 0)
        switch random.next() % 8 {
        case 0: command.d1 = random.next()
        case 1: command.d0 |= random.next() & ~0xff
        case 2: command.d0.setBit(Int(random.next() % 64), true)
        default: command.d0.setBits(63, 32, random.next() % 4)
        }
        return command
    }
}
