/// So many counters in one place, all 0 at first: they are counted and copied without allocation.
package struct FixedCounters<let size: Int>: Hashable, Sendable {
    private var values: InlineArray<size, UInt64>

    package init() { values = InlineArray(repeating: 0) }

    package var indices: Range<Int> { 0..<size }

    package subscript(index: Int) -> UInt64 {
        @inline(__always) get { values[index] }
        @inline(__always) set { values[index] = newValue }
    }

    @inline(__always)
    package mutating func add(_ count: UInt64 = 1, at index: Int) { values[index] &+= count }

    package static func + (a: Self, b: Self) -> Self {
        var sum = a
        for index in sum.indices { sum.values[index] &+= b.values[index] }
        return sum
    }

    package static func == (a: Self, b: Self) -> Bool { a.indices.allSatisfy { a.values[$0] == b.values[$0] } }

    package func hash(into hasher: inout Hasher) { for index in indices { hasher.combine(values[index]) } }
}
