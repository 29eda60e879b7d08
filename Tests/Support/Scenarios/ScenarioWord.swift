/// Helpers to put a structure together out of fields, [high:low] as the architecture counts them.
extension UInt64 {
    static func field(_ value: UInt64, _ high: Int, _ low: Int) -> UInt64 {
        (value & mask(high - low, 0)) &<< UInt64(low)
    }

    static func field(_ value: Int, _ high: Int, _ low: Int) -> UInt64 {
        field(UInt64(value), high, low)
    }

    static func flag(_ set: Bool, _ position: Int) -> UInt64 {
        set ? 1 &<< UInt64(position) : 0
    }

    static func mask(_ high: Int, _ low: Int) -> UInt64 {
        let ones: UInt64 = high >= 63 ? .max : (1 &<< UInt64(high + 1)) &- 1
        return ones & ~((1 &<< UInt64(low)) &- 1)
    }

    func alignedUp(to size: UInt64) -> UInt64 {
        (self &+ (size &- 1)) & ~(size &- 1)
    }
}
