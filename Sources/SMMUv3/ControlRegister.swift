/// The registers through which software drives an SMMU, by name and offset, for whoever prints one
/// (IHI 0070, 6.2 and 6.3). ``IDRegisters`` has the others.
public enum ControlRegister: UInt32, Sendable, CaseIterable {
    case cr0 = 0x20
    case cr0ack = 0x24
    case cr1 = 0x28
    case cr2 = 0x2c
    case statusr = 0x40
    case gbpa = 0x44
    case irqCtrl = 0x50
    case irqCtrlack = 0x54
    case gerror = 0x60
    case gerrorn = 0x64
    case strtabBase = 0x80
    case strtabBaseCfg = 0x88
    case cmdqBase = 0x90
    case cmdqProd = 0x98
    case cmdqCons = 0x9c
    case eventqBase = 0xa0
    /// In page 1.
    case eventqProd = 0x100a8
    case eventqCons = 0x100ac
    case priqBase = 0xc0
    case priqProd = 0x100c8
    case priqCons = 0x100cc

    /// From the start of page 0.
    public var offset: UInt32 { rawValue }

    /// The architecture's name without its SMMU_ prefix.
    public var name: String {
        switch self {
        case .cr0: "CR0"
        case .cr0ack: "CR0ACK"
        case .cr1: "CR1"
        case .cr2: "CR2"
        case .statusr: "STATUSR"
        case .gbpa: "GBPA"
        case .irqCtrl: "IRQ_CTRL"
        case .irqCtrlack: "IRQ_CTRLACK"
        case .gerror: "GERROR"
        case .gerrorn: "GERRORN"
        case .strtabBase: "STRTAB_BASE"
        case .strtabBaseCfg: "STRTAB_BASE_CFG"
        case .cmdqBase: "CMDQ_BASE"
        case .cmdqProd: "CMDQ_PROD"
        case .cmdqCons: "CMDQ_CONS"
        case .eventqBase: "EVENTQ_BASE"
        case .eventqProd: "EVENTQ_PROD"
        case .eventqCons: "EVENTQ_CONS"
        case .priqBase: "PRIQ_BASE"
        case .priqProd: "PRIQ_PROD"
        case .priqCons: "PRIQ_CONS"
        }
    }

    /// The width of the register.
    public var bits: Int {
        switch self {
        case .strtabBase, .cmdqBase, .eventqBase, .priqBase: 64
        default: 32
        }
    }

    public func describe(_ value: UInt64) -> [DescribedField] { Field.describe(fields, words: [value]) }
}

extension ControlRegister {
    public var fields: [Field] {
        switch self {
        case .cr0, .cr0ack: Self.enables
        case .cr1: Self.attributes
        case .cr2:
            [
                Field("E2H", 0, 0, 0, .flag), Field("RECINVSID", 0, 1, 1, .flag), Field("PTM", 0, 2, 2, .flag),
                Field("REC_CFG_ATS", 0, 3, 3, .flag),
            ]
        case .statusr: [Field("DORMANT", 0, 0, 0, .flag)]
        case .gbpa: Self.bypass
        case .irqCtrl, .irqCtrlack:
            [
                Field("GERROR_IRQEN", 0, 0, 0, .flag), Field("PRIQ_IRQEN", 0, 1, 1, .flag),
                Field("EVENTQ_IRQEN", 0, 2, 2, .flag),
            ]
        case .gerror, .gerrorn: Self.errors
        case .strtabBase: [Field("ADDR", 0, 51, 6, .address), Field("RA", 0, 62, 62, .flag)]
        case .strtabBaseCfg:
            [
                Field("LOG2SIZE", 0, 5, 0), Field("SPLIT", 0, 10, 6),
                Field("FMT", 0, 17, 16, .number, ["linear", "two-level"]),
            ]
        case .cmdqBase: Self.queueBase("RA")
        case .eventqBase, .priqBase: Self.queueBase("WA")
        case .cmdqProd: [Field("WR", 0, 19, 0, .hex)]
        case .cmdqCons:
            [
                Field("RD", 0, 19, 0, .hex),
                Field("ERR", 0, 30, 24, .number, (0...3).compactMap { CommandQueueError(rawValue: $0)?.name }),
            ]
        case .eventqProd, .priqProd: [Field("WR", 0, 19, 0, .hex), Field("OVFLG", 0, 31, 31, .flag)]
        case .eventqCons, .priqCons: [Field("RD", 0, 19, 0, .hex), Field("OVACKFLG", 0, 31, 31, .flag)]
        }
    }

    private static let enables = [
        Field("SMMUEN", 0, 0, 0, .flag), Field("PRIQEN", 0, 1, 1, .flag), Field("EVENTQEN", 0, 2, 2, .flag),
        Field("CMDQEN", 0, 3, 3, .flag), Field("ATSCHK", 0, 4, 4, .flag), Field("VMW", 0, 8, 6),
        Field("DPT_WALK_EN", 0, 10, 10, .flag),
    ]

    /// How the SMMU reads and writes its queues and tables.
    private static var attributes: [Field] {
        let cacheability = ["non-cacheable", "write-back", "write-through", "reserved"]
        let shareability = StreamTableEntry.shareability
        return [
            Field("QUEUE_IC", 0, 1, 0, .number, cacheability), Field("QUEUE_OC", 0, 3, 2, .number, cacheability),
            Field("QUEUE_SH", 0, 5, 4, .number, shareability), Field("TABLE_IC", 0, 7, 6, .number, cacheability),
            Field("TABLE_OC", 0, 9, 8, .number, cacheability), Field("TABLE_SH", 0, 11, 10, .number, shareability),
        ]
    }

    /// What happens to transactions while SMMUEN is 0.
    private static let bypass = [
        Field("MemAttr", 0, 3, 0, .hex), Field("MTCFG", 0, 4, 4, .flag), Field("ALLOCCFG", 0, 11, 8, .hex),
        Field("SHCFG", 0, 13, 12, .number, ["non-shareable", "use incoming", "outer", "inner"]),
        Field("PRIVCFG", 0, 17, 16, .number, ["use incoming", "reserved", "unprivileged", "privileged"]),
        Field("INSTCFG", 0, 19, 18, .number, ["use incoming", "reserved", "data", "instruction"]),
        Field("ABORT", 0, 20, 20, .flag), Field("Update", 0, 31, 31, .flag),
    ]

    private static let errors = GlobalError.allCases.map { Field($0.name, 0, $0.rawValue, $0.rawValue, .flag) }

    private static func queueBase(_ hint: String) -> [Field] {
        [Field("LOG2SIZE", 0, 4, 0), Field("ADDR", 0, 51, 5, .address), Field(hint, 0, 62, 62, .flag)]
    }
}

extension GlobalError {
    /// The architecture's name of the bit.
    public var name: String {
        switch self {
        case .commandQueue: "CMDQ_ERR"
        case .eventQueueAbort: "EVENTQ_ABT_ERR"
        case .priQueueAbort: "PRIQ_ABT_ERR"
        case .commandQueueMSIAbort: "MSI_CMDQ_ABT_ERR"
        case .eventQueueMSIAbort: "MSI_EVENTQ_ABT_ERR"
        case .priQueueMSIAbort: "MSI_PRIQ_ABT_ERR"
        case .gerrorMSIAbort: "MSI_GERROR_ABT_ERR"
        case .serviceFailure: "SFM_ERR"
        }
    }
}
