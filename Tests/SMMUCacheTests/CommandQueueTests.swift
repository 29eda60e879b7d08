import ModelMachine
import SMMUModel
import SMMUv3
import Testing

/// How the command queue is consumed, and what stops it.
@Suite struct CommandQueueTests {
    /// A bypassing stream 1 whose STE is cached and then aborts in memory: CFGI_STE shows.
    private func machineWithStaleSTE() -> Machine {
        var machine = Machine()
        var ste = StreamTableEntry()
        ste.valid = true
        ste.config = .bypass
        machine.setSTE(1, ste)
        _ = machine.pa(1, 0)
        ste.config = .abort
        machine.setSTE(1, ste)
        return machine
    }

    private static let invalidate = Command.cfgiSTE(StreamID(1))
    private static let unknown = Command(d0: 0xff, d1: 0)

    @Test(
        "cmd.illegal-opcode, cmd.error-codes: an unknown opcode stops the queue with CERROR_ILL, code 1, and GERROR",
        arguments: (UInt64(0)...255).filter { Command.Opcode(rawValue: UInt8($0)) == nil })
    func unknownOpcode(_ opcode: UInt64) {
        var machine = Machine()
        let error = machine.enqueue([Command(d0: opcode, d1: 0)])
        #expect(error == .illegal && machine.smmu.registers.commandQueueCons == 1 << 24)
        #expect(machine.smmu.registers.isActive(.commandQueue))
        #expect(machine.smmu.interrupts.contains(.globalError))
    }

    @Test("cmd.illegal-atc-size: Size 52 is the last that ATC_INV knows", arguments: 50...63)
    func atcSize(_ size: Int) {
        var machine = Machine()
        let error = machine.run(.atcInv(StreamID(1), size: size))
        #expect(error == (size > 52 ? .illegal : .none))
    }

    @Test("cmd.ssec: SSec makes any command illegal here", arguments: Command.Opcode.allCases)
    func secure(_ opcode: Command.Opcode) {
        var machine = Machine()
        let error = machine.enqueue([Command(d0: UInt64(opcode.rawValue) | 1 << 10, d1: 0)])
        #expect(error == .illegal)
    }

    static let missingFeatures: [(String, IDRegisters, [Command.Opcode])] = {
        func without(_ bit: UInt32) -> IDRegisters {
            var ids = IDRegisters.everything
            ids.idr0 &= ~(1 << bit)
            return ids
        }
        let hyp: [Command.Opcode] = [.tlbiEL2All, .tlbiEL2ASID, .tlbiEL2VA, .tlbiEL2VAA]
        let stage1: [Command.Opcode] = [.tlbiNHAll, .tlbiNHASID, .tlbiNHVA, .tlbiNHVAA, .cfgiCD, .cfgiCDAll]
        return [
            ("HYP", without(9), hyp), ("S2P", without(0), [.tlbiS12VMAll, .tlbiS2IPA]), ("S1P", without(1), stage1),
            ("ATS", without(10), [.atcInv]), ("stalls", .with(stallModel: 1), [.resume, .stallTerm]),
        ]
    }()

    @Test(
        "cmd.illegal-unsupported: what the ID registers do not offer is CERROR_ILL, and only that",
        arguments: missingFeatures)
    func unsupportedCommands(_ name: String, _ ids: IDRegisters, _ illegal: [Command.Opcode]) {
        let always: [Command.Opcode] = [.tlbiEL3All, .tlbiEL3VA, .cfgiVMSPIDM, .priResp]
        for opcode in Command.Opcode.allCases {
            var machine = Machine(ids: ids)
            let error = machine.enqueue([.make(opcode)])
            let expected: CommandQueueError = illegal.contains(opcode) || always.contains(opcode) ? .illegal : .none
            #expect(error == expected, "\(opcode.name) without \(name)")
        }
    }

    @Test(
        "cmd.tlbi-reserved: TG with nothing else is CERROR_ILL; TTL 1 of 16K counts as nothing; TG 0 and no RIL are fine"
    )
    func reservedRange() {
        let opcodes: [Command.Opcode] = [.tlbiNHVA, .tlbiNHVAA, .tlbiEL2VA, .tlbiEL2VAA, .tlbiS2IPA]
        var noRanges = IDRegisters.everything
        noRanges.idr3 &= ~(1 << 10)
        for opcode in opcodes {
            let cases: [(Command.Span, CommandQueueError)] = [
                (.init(granule: .k4), .illegal), (.init(granule: .k16), .illegal), (.init(granule: .k64), .illegal),
                (.init(granule: .k16, ttl: 1), .illegal), (.init(granule: .k4, ttl: 1), .none),
                (.init(granule: .k16, ttl: 2), .none), (.init(granule: .k4, num: 1), .none),
                (.init(granule: .k64, scale: 1), .none), (.init(granule: nil), .none),
            ]
            for (span, expected) in cases {
                var machine = Machine()
                let error = machine.run(.tlbi(opcode, span: span))
                #expect(error == expected, "\(opcode.name) \(span)")
                var plain = Machine(ids: noRanges)
                let ignored = plain.run(.tlbi(opcode, span: span))
                #expect(ignored == .none, "without RIL the fields mean nothing")
            }
        }
    }

    @Test(
        "cmd.stops-at-error, cmd.error-codes: CONS stays at the faulty command; before it all is done, behind it nothing"
    )
    func stopsAtError() {
        var machine = machineWithStaleSTE()
        let first = machine.enqueue([.sync(), Self.unknown, Self.invalidate])
        let behind = machine.pa(1, 0)
        #expect(first == .illegal && machine.smmu.registers.commandQueueCons == 1 << 24 | 1 && behind == 0)
        let again = machine.smmu.processCommandQueue()
        #expect(again == 0, "the error is not acknowledged")
        var other = machineWithStaleSTE()
        other.enqueue([Self.invalidate, Self.unknown, .sync()])
        let before = other.translate(1, 0)
        #expect(before == .aborted && other.smmu.registers.commandQueueCons & 0xff == 1)
    }

    @Test(
        "cmd.resumes-after-ack, reg.gerror-toggle: acknowledged, the queue goes on at CONS with what stands there now")
    func resumes() {
        var machine = machineWithStaleSTE()
        machine.enqueue([Self.unknown, Self.invalidate])
        machine.smmu.registers.acknowledge(.commandQueue)
        let still = machine.smmu.processCommandQueue()
        #expect(still == 0 && machine.smmu.registers.isActive(.commandQueue), "the same command, the same error")
        #expect(machine.smmu.registers.gerror & 1 == 0 && machine.smmu.registers.gerrorn & 1 == 1)
        machine.smmu.memory[Machine.commandQueue] = Command.sync().d0
        machine.smmu.registers.acknowledge(.commandQueue)
        let done = machine.smmu.processCommandQueue()
        let result = machine.translate(1, 0)
        #expect(done == 2 && result == .aborted && !machine.smmu.registers.isActive(.commandQueue))
    }

    @Test(
        "reg.gerror-toggle: raising an active error changes nothing; acknowledging makes the bits equal",
        arguments: GlobalError.allCases)
    func toggle(_ error: GlobalError) {
        var registers = SMMURegisters()
        for round in 0..<4 {
            registers.raise(error)
            let raised = registers
            registers.raise(error)
            #expect(registers == raised && registers.isActive(error))
            #expect(registers.gerror == (round % 2 == 0 ? 1 << UInt32(error.rawValue) : 0))
            registers.acknowledge(error)
            let acknowledged = registers
            registers.acknowledge(error)
            #expect(registers == acknowledged && registers.gerror == registers.gerrorn)
        }
    }

    @Test("cmd.fetch-abort, cmd.error-codes: a command that cannot be read stops the queue with CERROR_ABT, code 2")
    func fetchAbort() {
        var machine = machineWithStaleSTE()
        machine.smmu.memory.holes = [Machine.commandQueue >> 12]
        let error = machine.enqueue([Self.invalidate])
        let result = machine.pa(1, 0)
        #expect(error == .abort && machine.smmu.registers.commandQueueCons == 2 << 24 && result == 0)
        machine.smmu.memory.holes = []
        machine.smmu.registers.acknowledge(.commandQueue)
        let done = machine.smmu.processCommandQueue()
        #expect(done == 1)
    }

    @Test(
        "cmd.atc-sync-error, cmd.error-codes: a lost ATC_INV is the next SYNC's CERROR_ATC_INV_SYNC, code 3, with CONS there"
    )
    func atcTimeout() {
        var machine = Machine()
        machine.smmu.unresponsiveATCs = [StreamID(7)]
        let error = machine.enqueue([.atcInv(StreamID(1)), .atcInv(StreamID(7)), Self.invalidate, .sync(), .sync()])
        #expect(error == .atcInvalidationSync && machine.smmu.registers.commandQueueCons == 3 << 24 | 3)
        machine.smmu.registers.acknowledge(.commandQueue)
        let done = machine.smmu.processCommandQueue()
        #expect(done == 2, "reported once")
        #expect(!machine.smmu.registers.isActive(.commandQueue))
    }

    @Test("cmd.sync-order: once a SYNC is consumed, every command before it has taken effect")
    func syncOrder() {
        var machine = machineWithStaleSTE()
        let stream = machine.addStage1Stream(2)
        let leaf = machine.map(stream.table, 0x1000, to: 0x5000)
        _ = machine.pa(2, 0x1000)
        machine.smmu.memory[leaf] ^= 0x3000
        let signal: UInt64 = 0x800_0000
        machine.run(Self.invalidate, .tlbi(.tlbiNHAll), .sync(.interrupt(address: signal, data: 77)))
        #expect(machine.smmu.memory[signal] == 77)
        let ste = machine.translate(1, 0)
        let page = machine.pa(2, 0x1000)
        #expect(ste == .aborted && page == 0x6000)
    }

    @Test("cmd.sync: a SYNC writes its 32-bit MSI, and only that", arguments: [UInt64(0), 4])
    func msi(_ offset: UInt64) {
        var machine = Machine()
        machine.smmu.memory[0x800_0000] = 0x1111_1111_2222_2222
        machine.run(.sync(.interrupt(address: 0x800_0000 + offset, data: 0xdead_beef)))
        let expected: UInt64 = offset == 0 ? 0x1111_1111_dead_beef : 0xdead_beef_2222_2222
        #expect(machine.smmu.memory[0x800_0000] == expected && machine.smmu.interrupts.isEmpty)
    }

    @Test("cmd.sync: CS 1 without an address, or without MSIs, is a wired interrupt; CS 0 and 2 write nothing")
    func otherSignals() {
        var machine = Machine()
        machine.run(.sync(.interrupt(address: 0, data: 5)))
        #expect(machine.smmu.interrupts == .commandSync)
        var ids = IDRegisters.everything
        ids.idr0 &= ~(1 << 13)
        var wired = Machine(ids: ids)
        wired.run(.sync(.interrupt(address: 0x800_0000, data: 5)))
        #expect(wired.smmu.interrupts == .commandSync && wired.smmu.memory[0x800_0000] == 0)
        var quiet = Machine()
        let results = [quiet.smmu.execute(.sync()), quiet.smmu.execute(.sync(.event))]
        #expect(results == [.synchronized(.none), .synchronized(.event)] && quiet.smmu.interrupts.isEmpty)
    }

    @Test("cmd.sync: an MSI that aborts raises GERROR.MSI_CMDQ_ABT; the SYNC is complete all the same")
    func msiAbort() {
        var machine = Machine()
        machine.smmu.memory.holes = [0x8000]
        let error = machine.enqueue([.sync(.interrupt(address: 0x800_0000, data: 5)), .sync()])
        #expect(error == .none && machine.smmu.registers.commandQueueCons == 2)
        #expect(machine.smmu.registers.gerror == 1 << 4)
    }

    @Test("cmd.prefetch-harmless: a prefetch of anything changes no answer and records nothing")
    func prefetch() {
        var machine = machineWithStaleSTE()
        for stream in [UInt32(1), 2, 200, 1 << 20, .max] {
            for substream in [nil, SubstreamID(0), SubstreamID(0xfffff)] as [SubstreamID?] {
                var address = Command.prefetchConfig(StreamID(stream), substream)
                address.d0 = address.d0 & ~0xff | 0x02
                address.d1 = .max & ~0x3e0
                let error = machine.run(.prefetchConfig(StreamID(stream), substream), address)
                #expect(error == .none)
            }
        }
        let stale = machine.pa(1, 0)
        let events = machine.takeEvents()
        #expect(stale == 0 && events.isEmpty && machine.smmu.cachedCounts.streams == 1)
    }

    @Test("reg.cmdq-disabled: with CMDQEN 0 nothing is consumed, however far PROD is ahead")
    func disabled() {
        var machine = machineWithStaleSTE()
        machine.smmu.registers.commandQueueEnabled = false
        machine.enqueue([Self.invalidate, .sync()])
        machine.smmu.registers.commandQueueProd = .max
        let none = machine.smmu.processCommandQueue()
        let stale = machine.pa(1, 0)
        #expect(none == 0 && machine.smmu.registers.commandQueueCons == 0 && stale == 0)
        machine.smmu.registers.commandQueueProd = 2
        machine.smmu.registers.commandQueueEnabled = true
        let all = machine.smmu.processCommandQueue()
        #expect(all == 2)
    }

    @Test(
        "reg.cmdq-cons, queue.wrap: CONS passes the last entry with its wrap bit turned and keeps the error code above it",
        arguments: 0...4)
    func wrap(_ log2: Int) {
        var machine = Machine(commandsLog2: log2)
        let size = UInt32(1) << UInt32(log2)
        for number in 1...(4 * size + 1) {
            let error = machine.enqueue([.sync()])
            #expect(error == .none && machine.smmu.registers.commandQueueCons == number % (2 * size))
        }
        let illegal = machine.enqueue([Self.unknown])
        #expect(illegal == .illegal && machine.smmu.registers.commandQueueCons == 1 << 24 | (4 * size + 1) % (2 * size))
    }

    @Test("queue.empty-full: a full queue is consumed whole, an empty one not at all, and a limit is kept")
    func emptyAndFull() {
        var machine = Machine(commandsLog2: 3)
        for index in 0..<8 as Range<UInt64> { machine.smmu.memory[Machine.commandQueue + index * 16] = 0x46 }
        let empty = machine.smmu.processCommandQueue()
        machine.smmu.registers.commandQueueProd = 8
        let some = machine.smmu.processCommandQueue(limit: 3)
        let rest = machine.smmu.processCommandQueue()
        #expect(empty == 0 && some == 3 && rest == 5 && machine.smmu.registers.commandQueueCons == 8)
    }

    @Test("reg.queue-base: address bits below the queue's size, and those above 51, do not take part")
    func base() {
        var machine = machineWithStaleSTE()
        machine.smmu.registers.commandQueueBase |= 0xfe0 | 1 << 62 | 0xff << 53
        let error = machine.run(Self.invalidate)
        let result = machine.translate(1, 0)
        #expect(error == .none && result == .aborted)
    }
}
