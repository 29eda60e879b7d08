/// A translation granule and the arithmetic that follows from it (VMSAv8-64).
enum NaiveGranule {
    case size4K
    case size16K
    case size64K

    /// TG0 and S2TG.
    init?(tg0: UInt64) {
        switch tg0 {
        case 0: self = .size4K
        case 1: self = .size64K
        case 2: self = .size16K
        default: return nil
        }
    }

    /// TG1, whose encoding differs.
    init?(tg1: UInt64) {
        switch tg1 {
        case 1: self = .size16K
        case 2: self = .size4K
        case 3: self = .size64K
        default: return nil
        }
    }

    /// log2 of the granule: the address bits that a page does not translate.
    var pageBits: Int {
        switch self {
        case .size4K: return 12
        case .size16K: return 14
        case .size64K: return 16
        }
    }

    /// Address bits that one whole table resolves; its entries take eight bytes each.
    var stride: Int { pageBits - 3 }

    /// The lowest address bit that a table of this level resolves.
    func shift(level: Int) -> Int {
        pageBits + stride * (3 - level)
    }

    /// The level whose table resolves the top bits of an input address of `inputBits` bits at stage 1.
    func stage1StartLevel(inputBits: Int) -> Int {
        var level = 3
        while level > 0 && shift(level: level) + stride < inputBits { level -= 1 }
        return level
    }

    func allowsBlock(level: Int, outputBits: Int) -> Bool {
        switch self {
        case .size4K: return level == 1 || level == 2
        case .size16K: return level == 2
        case .size64K: return level == 2 || (level == 1 && outputBits == 52)
        }
    }

    /// The most address bits that this granule's descriptors can give.
    func limit(_ addressBits: Int) -> Int {
        self == .size64K ? addressBits : min(addressBits, 48)
    }
}
