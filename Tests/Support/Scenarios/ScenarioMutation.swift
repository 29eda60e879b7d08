/// One change to a structure in memory, with what software would have to know in order to invalidate it.
package struct ScenarioMutation: Equatable, Sendable {
    /// What the word belongs to.
    package enum Kind: String, Sendable, CaseIterable {
        case streamTableLevel1
        case ste
        case contextTableLevel1
        case cd
        case stage1Table
        case stage2Table
    }

    /// Where the word is, what it becomes, and what it was.
    package let pa: UInt64
    package let value: UInt64
    package let previous: UInt64
    package let kind: Kind
    /// A stream that reads the word, and the SubstreamID through which it does.
    package let sid: UInt32
    package let ssid: UInt32?
    /// For table entries: an input address, of the stage in question, whose walk reads the word.
    package let address: UInt64
    /// The level of a table entry; for an STE or CD the number of the word in it.
    package let level: Int
    /// For table entries: log2 of the granule, and of the bytes of input addresses that the entry speaks of.
    package let granuleBits: Int
    package let coveredBits: Int
    /// The order of the bytes of a table entry.
    package let bigEndian: Bool

    /// Whether the word held a valid structure before, so that its old content may be cached. For words of an STE or CD
    /// other than the first that is always assumed.
    package var mayBeCached: Bool { previous != 0 }

    /// One line for the log of a failing test.
    package var description: String {
        let substream = ssid.map { "\($0)" } ?? "none"
        let name = "\(kind.rawValue) of stream \(sid), substream \(substream), level or word \(level)"
        return "\(name): [\(hex(pa))] \(hex(previous)) -> \(hex(value)), input \(hex(address))"
    }

    private func hex(_ value: UInt64) -> String {
        "0x" + String(value, radix: 16)
    }
}
