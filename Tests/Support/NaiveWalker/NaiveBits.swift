/// Bit fields of 64-bit structure words, counted as the architecture counts them: `bits(51, 6)` is [51:6].
extension UInt64 {
    /// The field [high:low], shifted down. Positions outside the word read as zero.
    func bits(_ high: Int, _ low: Int) -> UInt64 {
        keeping(high, low) >> UInt64(low)
    }

    /// The field [high:low], left in place; all other bits zero.
    func keeping(_ high: Int, _ low: Int) -> UInt64 {
        var mask: UInt64 = 0
        var position = low
        while position <= high && position < 64 {
            mask |= 1 << UInt64(position)
            position += 1
        }
        return self & mask
    }

    func bit(_ position: Int) -> Bool {
        bits(position, position) != 0
    }

    /// Whether the value needs more than `width` bits.
    func exceeds(width: Int) -> Bool {
        keeping(63, width) != 0
    }

    /// The value with its low bits cleared to a multiple of `size`, which is a power of two.
    func alignedDown(to size: UInt64) -> UInt64 {
        self & ~(size &- 1)
    }
}

extension Bool {
    /// This flag as a bit of a record word.
    func at(_ position: Int) -> UInt64 {
        self ? 1 &<< UInt64(position) : 0
    }
}
