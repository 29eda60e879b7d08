/// A translation granule and the geometry of its tables (Arm ARM, VMSAv8-64; IHI 0070, 3.4).
///
/// A table fills one granule with 8-byte descriptors, so a level resolves `shift - 3` bits. Level 3 maps granules.
public enum Granule: UInt8, CaseIterable, Sendable {
    case k4 = 12
    case k16 = 14
    case k64 = 16

    /// log2 of the granule in bytes.
    @inlinable public var shift: Int { Int(rawValue) }
    /// Address bits that one level resolves.
    @inlinable public var stride: Int { Int(rawValue) &- 3 }

    /// CD.TG0 and STE.S2TG.
    @inlinable public init?(tg0: Int) {
        switch tg0 {
        case 0: self = .k4
        case 1: self = .k64
        case 2: self = .k16
        default: return nil
        }
    }

    /// CD.TG1, whose codes differ from TG0's.
    @inlinable public init?(tg1: Int) {
        switch tg1 {
        case 1: self = .k16
        case 2: self = .k4
        case 3: self = .k64
        default: return nil
        }
    }

    /// TG of a TLBI command; 0 says that no range and no level is given.
    @inlinable public init?(commandTG: Int) {
        switch commandTG {
        case 1: self = .k4
        case 2: self = .k16
        case 3: self = .k64
        default: return nil
        }
    }

    /// The lowest address bit that `level` (0…3) resolves; log2 of what one of its entries maps.
    @inlinable public func levelShift(_ level: Int) -> Int { shift &+ stride &* (3 &- level) }

    /// Where a stage 1 walk of `inputBits` starts.
    @inlinable public func stage1StartLevel(inputBits: Int) -> Int { 4 - (inputBits - 4) / stride }

    /// Whether a block descriptor may stand at `level`. 64 KB blocks of 4 TB exist with 52-bit addresses only.
    @inlinable public func allowsBlock(atLevel level: Int, outputAddressSize: Int) -> Bool {
        switch self {
        case .k4: level == 1 || level == 2
        case .k16: level == 2
        case .k64: level == 2 || (level == 1 && outputAddressSize == 52)
        }
    }

    public var name: String {
        switch self {
        case .k4: "4K"
        case .k16: "16K"
        case .k64: "64K"
        }
    }
}

/// Where a stage 2 walk starts, and how many tables stand side by side there (IHI 0070, 5.2 STE.S2SL0; Arm ARM,
/// stage 2 concatenation).
public struct Stage2StartLevel: Equatable, Sendable {
    public let level: Int
    /// Tables concatenated at the start level: 1…16.
    public let tables: Int

    /// nil when S2SL0 is reserved, or the level cannot resolve `inputBits` with 1…16 tables, or is one that the
    /// physical address size does not allow. S2SL0 3 is level 3 of 4 KB tables where small tables (STT) are supported.
    public init?(sl0: Int, granule: Granule, inputBits: Int, on ids: IDRegisters) {
        let level: Int
        switch (granule, sl0) {
        case (.k4, 0...2): level = 2 - sl0
        case (.k4, 3) where ids.smallTranslationTables: level = 3
        case (.k16, 0...2), (.k64, 0...2): level = 3 - sl0
        default: return nil
        }
        if sl0 == 2, ids.outputAddressSize < (granule == .k16 ? 42 : 44) { return nil }
        let smallest = (3 - level) * granule.stride + granule.shift + 1
        let largest = smallest + granule.stride - 1 + 4
        guard smallest <= inputBits, inputBits <= largest else { return nil }
        self.level = level
        let beyondOneTable = inputBits - (granule.levelShift(level) + granule.stride)
        tables = beyondOneTable > 0 ? 1 << beyondOneTable : 1
    }
}

extension IDRegisters {
    /// The largest TnSZ and S2T0SZ: 39, or where small tables (IDR3.STT) are supported 48, 47 for 64 KB.
    public func largestTSZ(_ granule: Granule) -> Int {
        smallTranslationTables ? (granule == .k64 ? 47 : 48) : 39
    }
}
