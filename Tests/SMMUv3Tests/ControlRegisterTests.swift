import SMMUv3
import Scenarios
import Testing

struct ControlRegisterTests {
    static func expect(_ register: ControlRegister, _ text: String) {
        #expect(Layout.entries(of: register.fields) == Set(Layout(text).entries), "\(register.name)")
    }

    @Test("reg.cr-fields: the bits of CR0, CR1 and CR2, and what the model reads from them")
    func controls() {
        let enables = "SMMUEN[0] PRIQEN[1] EVENTQEN[2] CMDQEN[3] ATSCHK[4] VMW[8:6] DPT_WALK_EN[10]"
        Self.expect(.cr0, enables)
        Self.expect(.cr0ack, enables)
        Self.expect(
            .cr1, "QUEUE_IC[1:0] QUEUE_OC[3:2] QUEUE_SH[5:4] TABLE_IC[7:6] TABLE_OC[9:8] TABLE_SH[11:10]")
        Self.expect(.cr2, "E2H[0] RECINVSID[1] PTM[2] REC_CFG_ATS[3]")

        let flags: [(WritableKeyPath<SMMURegisters, Bool>, WritableKeyPath<SMMURegisters, UInt32>, Int)] = [
            (\.smmuEnabled, \.cr0, 0), (\.eventQueueEnabled, \.cr0, 2), (\.commandQueueEnabled, \.cr0, 3),
            (\.atsChecked, \.cr0, 4), (\.e2h, \.cr2, 0), (\.recordInvalidStreamIDs, \.cr2, 1),
            (\.gbpaAbort, \.gbpa, 20),
        ]
        for (flag, register, bit) in flags {
            for start in [0, UInt32.max] {
                var registers = SMMURegisters()
                registers[keyPath: register] = start
                for value in [true, false] {
                    registers[keyPath: flag] = value
                    let expected = value ? start | 1 << UInt32(bit) : start & ~(1 << UInt32(bit))
                    #expect(registers[keyPath: register] == expected, "bit \(bit)")
                    #expect(registers[keyPath: flag] == value)
                }
            }
        }
    }

    @Test("reg.gbpa: the attributes of bypassing traffic, ABORT, Update, and the value at reset")
    func globalBypass() {
        Self.expect(
            .gbpa,
            "MemAttr[3:0] MTCFG[4] ALLOCCFG[11:8] SHCFG[13:12] PRIVCFG[17:16] INSTCFG[19:18] ABORT[20] Update[31]")
        let reset = SMMURegisters()
        #expect(reset.gbpa == 0x1000)
        #expect(!reset.gbpaAbort)
        #expect(ControlRegister.gbpa.describe(0x1000).contains { $0.name == "SHCFG" && $0.text == "1 (use incoming)" })
    }

    @Test("reg.gerror-fields: GERROR and GERRORN have the same bits, from CMDQ_ERR to SFM")
    func globalErrors() {
        let bits = """
            CMDQ_ERR[0] EVENTQ_ABT_ERR[2] PRIQ_ABT_ERR[3] MSI_CMDQ_ABT_ERR[4] MSI_EVENTQ_ABT_ERR[5] MSI_PRIQ_ABT_ERR[6]
            MSI_GERROR_ABT_ERR[7] SFM_ERR[8]
            """
        Self.expect(.gerror, bits)
        Self.expect(.gerrorn, bits)
        for error in GlobalError.allCases {
            var registers = SMMURegisters()
            registers.raise(error)
            #expect(ControlRegister.gerror.describe(UInt64(registers.gerror)).map(\.name) == [error.name])
        }
    }

    @Test("reg.gerror-toggle: raising turns one bit, raising again nothing, and acknowledging ends it")
    func toggle() {
        for error in GlobalError.allCases {
            // An error whose bits are both 1 is as inactive as one whose bits are both 0.
            for before in [0, UInt32(0x1fd)] {
                var registers = SMMURegisters()
                (registers.gerror, registers.gerrorn) = (before, before)
                #expect(GlobalError.allCases.allSatisfy { !registers.isActive($0) })
                registers.raise(error)
                #expect(GlobalError.allCases.filter { registers.isActive($0) } == [error])
                let raised = registers
                registers.raise(error)
                #expect(registers == raised)
                registers.acknowledge(error)
                #expect(!registers.isActive(error))
                #expect(registers.gerror == raised.gerror && registers.gerrorn == raised.gerror)
                registers.acknowledge(error)
                #expect(!registers.isActive(error))
            }
        }
    }

    @Test("reg.strtab-base-cfg: LOG2SIZE, SPLIT and FMT, with a reserved SPLIT counting as 6")
    func streamTableConfiguration() {
        Self.expect(.strtabBaseCfg, "LOG2SIZE[5:0] SPLIT[10:6] FMT[17:16]")
        for seed in seeds {
            var random = SplitMix64(seed: seed)
            var registers = SMMURegisters()
            registers.streamTableBaseConfig = UInt32(random.bits(32))
            let word = UInt64(registers.streamTableBaseConfig)
            let layout = Layout("LOG2SIZE[5:0] SPLIT[10:6] FMT[17:16]").entries.map { Int($0.value(in: word)) }
            #expect(registers.streamTableLog2Size == layout[0], "seed \(seed)")
            #expect(registers.streamTableSplit == ([8, 10].contains(layout[1]) ? layout[1] : 6), "seed \(seed)")
            #expect(registers.streamTableTwoLevel == (layout[2] == 1), "seed \(seed)")
        }
        for split in [6, 8, 10] {
            var registers = SMMURegisters()
            registers.streamTableBaseConfig = UInt32(split) << 6
            #expect(registers.streamTableSplit == split)
        }
    }

    @Test("The bases and pointers of table and queues have their fields where the architecture puts them")
    func bases() {
        Self.expect(.strtabBase, "ADDR[51:6] RA[62]")
        Self.expect(.cmdqBase, "LOG2SIZE[4:0] ADDR[51:5] RA[62]")
        Self.expect(.eventqBase, "LOG2SIZE[4:0] ADDR[51:5] WA[62]")
        Self.expect(.priqBase, "LOG2SIZE[4:0] ADDR[51:5] WA[62]")
        Self.expect(.cmdqProd, "WR[19:0]")
        Self.expect(.eventqProd, "WR[19:0] OVFLG[31]")
        Self.expect(.eventqCons, "RD[19:0] OVACKFLG[31]")
        Self.expect(.irqCtrl, "GERROR_IRQEN[0] PRIQ_IRQEN[1] EVENTQ_IRQEN[2]")
        Self.expect(.statusr, "DORMANT[0]")
        var registers = SMMURegisters()
        registers.streamTableBase = .max
        #expect(registers.streamTableAddress == 0x000f_ffff_ffff_ffc0)
    }

    @Test("reg.cmdq-cons, cmd.error-codes: CMDQ_CONS has the pointer in 19:0 and one of four error codes in 30:24")
    func commandQueueConsumer() {
        Self.expect(.cmdqCons, "RD[19:0] ERR[30:24]")
        let names = (0...3).map { CommandQueueError(rawValue: $0)?.name }
        #expect(names == ["CERROR_NONE", "CERROR_ILL", "CERROR_ABT", "CERROR_ATC_INV_SYNC"])
        #expect(CommandQueueError(rawValue: 4) == nil)
        for (code, name) in names.enumerated() {
            let texts = ControlRegister.cmdqCons.describe(UInt64(code) << 24 | 0x12345).map(\.text)
            #expect(texts == ["0x12345", "\(code) (\(name ?? ""))"])
        }
    }

    @Test("Every control register is shown bit for bit, and no two have one offset or one name")
    func description() {
        #expect(Set(ControlRegister.allCases.map(\.name)).count == ControlRegister.allCases.count)
        for register in ControlRegister.allCases {
            #expect(overlap(register.fields).isEmpty, "\(register.name)")
            #expect(register.fields.allSatisfy { $0.high < register.bits }, "\(register.name)")
            let all = register.fields.reduce(0) { $0 | $1.mask }
            #expect(register.describe(all).map(\.name) == register.fields.map(\.name), "\(register.name)")
        }
    }
}
