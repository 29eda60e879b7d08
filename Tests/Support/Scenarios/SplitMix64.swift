/// A small deterministic random number generator, fed from a seed or from the input of a fuzzer.
///
/// With bytes it hands those out first, taking no more of them per draw than the range asks for, so that a fuzzer can
/// steer single choices. When they are used up it goes on from a fixed seed.
package struct SplitMix64: RandomNumberGenerator, Sendable {
    private var state: UInt64
    private let bytes: [UInt8]
    private var position = 0

    package init(seed: UInt64) {
        state = seed
        bytes = []
    }

    package init(bytes: [UInt8]) {
        state = 0
        self.bytes = bytes
    }

    /// How many bytes of the input are left.
    package var remainingBytes: Int { bytes.count - position }

    package mutating func next() -> UInt64 {
        draw(bytes: 8)
    }

    /// A number from 0 up to, but not including, `bound`; 0 when `bound` is 0.
    package mutating func below(_ bound: UInt64) -> UInt64 {
        guard bound > 1 else { return 0 }
        let width = (64 - (bound - 1).leadingZeroBitCount + 7) / 8
        return draw(bytes: width) % bound
    }

    package mutating func below(_ bound: Int) -> Int {
        Int(below(UInt64(max(0, bound))))
    }

    package mutating func within(_ range: ClosedRange<Int>) -> Int {
        range.lowerBound + below(range.count)
    }

    /// A number of at most `width` bits.
    package mutating func bits(_ width: Int) -> UInt64 {
        guard width > 0 else { return 0 }
        let drawn = draw(bytes: (min(width, 64) + 7) / 8)
        return width >= 64 ? drawn : drawn & ((1 &<< UInt64(width)) &- 1)
    }

    /// True in about `percent` of the draws.
    package mutating func chance(_ percent: Int) -> Bool {
        below(100) < percent
    }

    /// One of `choices`, of which there must be some.
    package mutating func pick<Choice>(_ choices: [Choice]) -> Choice {
        choices[below(choices.count)]
    }

    private mutating func draw(bytes count: Int) -> UInt64 {
        guard remainingBytes >= count else { return mixed() }
        var value: UInt64 = 0
        for offset in 0..<count {
            value |= UInt64(bytes[position + offset]) &<< UInt64(8 * offset)
        }
        position += count
        return value
    }

    private mutating func mixed() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
