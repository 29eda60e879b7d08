/// The registers with which software drives an SMMU (IHI 0070, 6.3), as they read back. Only those that a software
/// SMMU acts on; all values are as the architecture encodes them.
public struct SMMURegisters: Hashable, Sendable {
    public var cr0: UInt32 = 0
    public var cr1: UInt32 = 0
    public var cr2: UInt32 = 0
    /// Reset value: SHCFG = 1, use incoming.
    public var gbpa: UInt32 = 0x1000
    public var irqControl: UInt32 = 0
    public var gerror: UInt32 = 0
    public var gerrorn: UInt32 = 0
    public var streamTableBase: UInt64 = 0
    public var streamTableBaseConfig: UInt32 = 0
    public var commandQueueBase: UInt64 = 0
    public var commandQueueProd: UInt32 = 0
    public var commandQueueCons: UInt32 = 0
    public var eventQueueBase: UInt64 = 0
    public var eventQueueProd: UInt32 = 0
    public var eventQueueCons: UInt32 = 0

    public init() {}

    // CR0, CR2, GBPA (6.3.9, 6.3.12, 6.3.14)
    public var smmuEnabled: Bool {
        get { cr0.bit(0) }
        set { cr0 = newValue ? cr0 | 1 : cr0 & ~1 }
    }
    public var eventQueueEnabled: Bool {
        get { cr0.bit(2) }
        set { cr0 = newValue ? cr0 | 4 : cr0 & ~4 }
    }
    public var commandQueueEnabled: Bool {
        get { cr0.bit(3) }
        set { cr0 = newValue ? cr0 | 8 : cr0 & ~8 }
    }
    /// ATSCHK: transactions that come already translated are checked against STE.EATS.
    public var atsChecked: Bool {
        get { cr0.bit(4) }
        set { cr0 = newValue ? cr0 | 16 : cr0 & ~16 }
    }
    public var e2h: Bool {
        get { cr2.bit(0) }
        set { cr2 = newValue ? cr2 | 1 : cr2 & ~1 }
    }
    /// RECINVSID: C_BAD_STREAMID is recorded.
    public var recordInvalidStreamIDs: Bool {
        get { cr2.bit(1) }
        set { cr2 = newValue ? cr2 | 2 : cr2 & ~2 }
    }
    public var gbpaAbort: Bool {
        get { gbpa.bit(20) }
        set { gbpa = newValue ? gbpa | 1 << 20 : gbpa & ~(1 << 20) }
    }

    // STRTAB_BASE, STRTAB_BASE_CFG (6.3.24, 6.3.25)
    public var streamTableLog2Size: Int { streamTableBaseConfig.bits(5, 0) }
    /// StreamID bits that the second level resolves. A reserved value counts as 6.
    public var streamTableSplit: Int {
        let split = streamTableBaseConfig.bits(10, 6)
        return split == 8 || split == 10 ? split : 6
    }
    public var streamTableTwoLevel: Bool { streamTableBaseConfig.bits(17, 16) == 1 }
    public var streamTableAddress: UInt64 { streamTableBase & 0x000f_ffff_ffff_ffc0 }
}

/// GERROR and GERRORN: an error is active while its bits differ (IHI 0070, 6.3.19).
public enum GlobalError: Int, Sendable, CaseIterable {
    case commandQueue = 0
    case eventQueueAbort = 2
    case priQueueAbort = 3
    case commandQueueMSIAbort = 4
    case eventQueueMSIAbort = 5
    case priQueueMSIAbort = 6
    case gerrorMSIAbort = 7
    case serviceFailure = 8
}

extension SMMURegisters {
    public func isActive(_ error: GlobalError) -> Bool { (gerror ^ gerrorn).bit(error.rawValue) }

    /// Makes `error` active; one that software has not acknowledged yet stays as it is.
    public mutating func raise(_ error: GlobalError) {
        if !isActive(error) { gerror ^= 1 << UInt32(error.rawValue) }
    }

    /// What software does after it has handled the error.
    public mutating func acknowledge(_ error: GlobalError) {
        if isActive(error) { gerrorn ^= 1 << UInt32(error.rawValue) }
    }
}

/// CMDQ_CONS.ERR: why the command queue stopped (IHI 0070, 7.1).
public enum CommandQueueError: UInt8, Sendable {
    case none = 0
    /// CERROR_ILL: the command at CONS is illegal.
    case illegal = 1
    /// CERROR_ABT: reading the command at CONS aborted.
    case abort = 2
    /// CERROR_ATC_INV_SYNC: an ATC_INV before the CMD_SYNC at CONS was not answered in time.
    case atcInvalidationSync = 3

    public var name: String {
        switch self {
        case .none: "CERROR_NONE"
        case .illegal: "CERROR_ILL"
        case .abort: "CERROR_ABT"
        case .atcInvalidationSync: "CERROR_ATC_INV_SYNC"
        }
    }
}

/// The pointers of a queue of 2^n entries: an index and a wrap bit above it (IHI 0070, 3.5.1).
public struct QueuePointers: Hashable, Sendable {
    /// log2 of the number of entries, 0…19.
    public let log2Size: Int

    @inlinable public init(log2Size: Int) { self.log2Size = min(max(log2Size, 0), 19) }

    @inlinable public var indexMask: UInt32 { (1 &<< UInt32(log2Size)) &- 1 }
    /// The bits that count: index and wrap.
    @inlinable public var pointerMask: UInt32 { (1 &<< UInt32(log2Size &+ 1)) &- 1 }

    @inlinable public func index(_ pointer: UInt32) -> Int { Int(pointer & indexMask) }
    @inlinable public func isEmpty(prod: UInt32, cons: UInt32) -> Bool { (prod ^ cons) & pointerMask == 0 }
    @inlinable public func isFull(prod: UInt32, cons: UInt32) -> Bool {
        (prod ^ cons) & pointerMask == indexMask &+ 1
    }
    /// Entries between CONS and PROD; more than the queue holds when software wrote nonsense.
    @inlinable public func count(prod: UInt32, cons: UInt32) -> Int { Int((prod &- cons) & pointerMask) }
    /// The pointer after `pointer`; other bits of the register (ERR, OVFLG) stay.
    @inlinable public func advance(_ pointer: UInt32) -> UInt32 {
        (pointer & ~pointerMask) | ((pointer &+ 1) & pointerMask)
    }

    public static let commandBytes = 16
    public static let eventBytes = 32
    public static let pageRequestBytes = 16
}
