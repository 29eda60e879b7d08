import CSMMUBroker
import SMMUv3
import Testing

/// A small generator whose seed can be printed.
private struct Generator: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ mixed >> 27) &* 0x94d0_49bb_1331_11eb
        return mixed ^ mixed >> 31
    }
}

private let dead = StreamID(0x666)

/// One command after the other, each complete before the next: what a drain has to be like.
private struct NaiveSMMU {
    let streams: [UInt32]
    var effects: [Effect] = []
    var atcFailed = false

    /// nil, or the error at which the queue stops.
    mutating func execute(_ command: Command, cons: UInt32) -> smmu_broker_cerror? {
        guard let opcode = command.opcode, !command.secure else { return SMMU_BROKER_CERROR_ILL }
        switch opcode {
        case .cfgiSTE: sendSTEs { $0 == command.streamID.rawValue }
        case .cfgiSTERange:
            let span = command.range + 1
            let group = UInt64(command.streamID.rawValue) >> span
            sendSTEs { UInt64($0) >> span == group }
        case .prefetchConfig, .prefetchAddress: break
        case .resume where streams.contains(command.streamID.rawValue):
            let code =
                switch command.resumeAction {
                case .retry: SMMU_BROKER_PAGE_RETRY
                case .terminate: SMMU_BROKER_PAGE_TERMINATE
                case .abort: SMMU_BROKER_PAGE_ABORT
                }
            effects.append(.response(command.streamID.rawValue, UInt32(command.stag), code.rawValue))
        case .stallTerm where streams.contains(command.streamID.rawValue):
            effects.append(.response(command.streamID.rawValue, 0, SMMU_BROKER_PAGE_TERMINATE_ALL.rawValue))
        case .resume, .stallTerm: break
        case .atcInv where command.streamID == dead: atcFailed = true
        case .sync: return synchronize(command, cons)
        default: effects.append(.done(command))
        }
        return nil
    }

    private mutating func sendSTEs(_ isMeant: (UInt32) -> Bool) {
        for stream in streams where isMeant(stream) { effects.append(.ste(stream, entry(of: stream))) }
    }

    private mutating func synchronize(_ command: Command, _ cons: UInt32) -> smmu_broker_cerror? {
        if command.d0 & 3 << 12 == 3 << 12 { return SMMU_BROKER_CERROR_ILL }
        if atcFailed {
            atcFailed = false
            return SMMU_BROKER_CERROR_ATC_INV_SYNC
        }
        switch command.syncSignal {
        case .none: effects.append(.sync(0, 0, 0, cons: cons))
        case .interrupt(let address, let data):
            effects.append(address == 0 ? .sync(1, 0, 0, cons: cons) : .sync(2, address, data, cons: cons))
        case .event: effects.append(.sync(3, 0, 0, cons: cons))
        }
        return nil
    }
}

private func entry(of stream: UInt32) -> [UInt64] { [UInt64(stream) << 8 | 9, 0, 0, 0, 0, 0, 0, 0] }

@Suite("Drain: any stream of commands")
struct DrainPropertyTests {
    @Test("The effects are those of one command after the other", arguments: 0..<40)
    func sameEffects(round: Int) {
        let seed = UInt64.random(in: 0 ... .max)
        var generator = Generator(state: seed)
        let log2 = UInt32.random(in: 0...7, using: &generator)
        let vmm = FakeVMM(log2: log2)
        vmm.streams = [1, 2, 5, 0x40].filter { _ in Bool.random(using: &generator) }
        vmm.capacity = UInt32.random(in: 1...20, using: &generator)
        vmm.readSTE = entry(of:)
        let counted = Bool.random(using: &generator)
        vmm.answer = { Self.judge($0, counted: counted) }
        var naive = NaiveSMMU(streams: vmm.streams)
        for _ in 0..<30 {
            let count = Int.random(in: 0...(1 << log2), using: &generator)
            let commands = (0..<count).map { _ in Self.command(&generator) }
            vmm.limit = Bool.random(using: &generator) ? 0 : UInt32.random(in: 1...9, using: &generator)
            Self.compare(vmm, &naive, commands, "seed \(seed)")
        }
        let effects = vmm.effects.filter {
            switch $0 {
            case .packet: false
            case .done(let command): command.opcode != .atcInv || command.streamID != dead
            default: true
            }
        }
        let difference = zip(effects, naive.effects).enumerated().first { $0.element.0 != $0.element.1 }
        #expect(difference == nil && effects.count == naive.effects.count, "seed \(seed)")
    }

    /// Has both do the commands. At an error the guest does as Linux: an illegal command becomes a SYNC, a SYNC that
    /// failed is left to be repeated.
    private static func compare(_ vmm: FakeVMM, _ naive: inout NaiveSMMU, _ commands: [Command], _ seed: Comment) {
        var commands = commands
        let mask: UInt32 = (2 << vmm.log2) - 1
        vmm.produce(commands)
        var next = 0
        var drains = 0
        while next < commands.count, drains < 10 * commands.count {
            drains += 1
            let before = vmm.cons
            let status = vmm.drain()
            #expect(status == 0, seed)
            #expect(vmm.consumed == Int((vmm.cons &- before) & mask), seed)
            for index in next..<min(next + vmm.consumed, commands.count) {
                let error = naive.execute(commands[index], cons: (before &+ UInt32(index - next) &+ 1) & mask)
                #expect(error == nil, seed)
            }
            next += vmm.consumed
            guard vmm.error != SMMU_BROKER_CERROR_NONE, next < commands.count else { continue }
            #expect(naive.execute(commands[next], cons: 0) == vmm.error, seed)
            if vmm.error == SMMU_BROKER_CERROR_ILL {
                commands[next] = .sync()
                vmm.put(.sync(), at: vmm.cons)
            }
        }
        #expect(next == commands.count && vmm.cons == vmm.prod, seed)
    }

    /// The broker: judges what it may be sent, and fails the test by a trap when it is sent anything else.
    private static func judge(_ commands: [Command], counted: Bool) -> Answer {
        let notForIt: Set<Command.Opcode> = [
            .cfgiSTE, .cfgiSTERange, .prefetchConfig, .prefetchAddress, .resume, .stallTerm,
        ]
        precondition(commands.allSatisfy { command in command.opcode.map { !notForIt.contains($0) } ?? true })
        for (index, command) in commands.enumerated() {
            if command.opcode == nil || command.secure { return .stopped(at: index, SMMU_BROKER_CERROR_ILL) }
            if command.opcode == .atcInv, command.streamID == dead {
                return .stopped(at: counted ? index + 1 : index, SMMU_BROKER_CERROR_ATC_INV_SYNC, status: 110)
            }
        }
        return .all(commands)
    }

    private static func command(_ generator: inout Generator) -> Command {
        let stream = StreamID([1, 2, 3, 5, 0x41].randomElement(using: &generator) ?? 1)
        let number = UInt64.random(in: 0..<1 << 20, using: &generator)
        switch Int.random(in: 0..<24, using: &generator) {
        case 0: return Command(d0: 0xee | number << 12, d1: number)
        case 1: return .atcInv(dead)
        case 2: return .atcInv(stream)
        case 3, 4: return .cfgiSTE(stream, leaf: number & 1 == 0)
        case 5: return .cfgiSTERange(stream, range: Int(number % 32))
        case 6: return .cfgiAll
        case 7: return .prefetchConfig(stream)
        case 8: return .resume(stream, tag: UInt16(truncatingIfNeeded: number), .retry)
        case 9: return .resume(stream, tag: UInt16(truncatingIfNeeded: number), .abort)
        case 10: return .stallTerm(stream)
        case 11: return Command(d0: 0x46 | 3 << 12, d1: 0)
        case 12: return .sync(.interrupt(address: number & 1 == 0 ? 0 : number << 2, data: UInt32(number)))
        case 13: return .sync(.event)
        case 14: return Command(d0: 0x03 | 1 << 10 | UInt64(stream.rawValue) << 32, d1: 0)
        case 15...17: return .sync()
        case 18: return .cfgiCD(stream, SubstreamID(0))
        default: return .tlbi(.tlbiNHVA, asid: 1, address: number << 12)
        }
    }
}
