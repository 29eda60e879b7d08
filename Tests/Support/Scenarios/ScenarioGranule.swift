/// A translation granule, for building tables (VMSAv8-64).
enum ScenarioGranule: CaseIterable {
    case size4K
    case size16K
    case size64K

    var pageBits: Int {
        switch self {
        case .size4K: return 12
        case .size16K: return 14
        case .size64K: return 16
        }
    }

    var stride: Int { pageBits - 3 }

    func shift(level: Int) -> Int { pageBits + stride * (3 - level) }

    /// The value of TG0 and S2TG.
    var code0: UInt64 {
        switch self {
        case .size4K: return 0
        case .size16K: return 2
        case .size64K: return 1
        }
    }

    /// The value of TG1.
    var code1: UInt64 {
        switch self {
        case .size4K: return 2
        case .size16K: return 1
        case .size64K: return 3
        }
    }

    /// The levels at which a descriptor can map memory.
    func leafLevels(outputBits: Int) -> [Int] {
        switch self {
        case .size4K: return [1, 2, 3]
        case .size16K: return [2, 3]
        case .size64K: return outputBits == 52 ? [1, 2, 3] : [2, 3]
        }
    }

    /// The most address bits that a descriptor of this granule can give.
    func limit(_ outputBits: Int) -> Int {
        self == .size64K ? outputBits : min(outputBits, 48)
    }

    /// The address part of a descriptor. With 52-bit addresses the 64K granule keeps [51:48] in [15:12].
    func encoded(_ address: UInt64, outputBits: Int) -> UInt64 {
        let main = address & .mask(47, pageBits)
        return self == .size64K && outputBits == 52 ? main | .field(address >> 48, 15, 12) : main
    }
}
