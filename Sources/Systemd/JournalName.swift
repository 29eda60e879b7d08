/// A name in a journal entry: of a VM, a device. At most 64 bytes, stored in place, so that an entry is made without
/// allocating memory.
package struct JournalName: Sendable {
    private var bytes: InlineArray<64, UInt8>

    /// No name.
    package init() { bytes = InlineArray(repeating: 0) }

    /// The name whose bytes `fill` writes into 64 bytes of zeros: what is there up to the first 0.
    package init(_ fill: (inout MutableRawSpan) -> Void) {
        self.init()
        var span = bytes.mutableSpan
        // SAFETY: every byte that `fill` can write is a UInt8.
        var raw = unsafe span.mutableBytes
        fill(&raw)
    }

    /// The first 64 bytes of `text`.
    package init(_ text: String) {
        self.init()
        for (index, byte) in text.utf8.prefix(64).enumerated() { bytes[index] = byte }
    }

    package var isEmpty: Bool { bytes[0] == 0 }

    /// The name; what is not UTF-8 in it is replaced.
    package var text: String {
        var text: [UInt8] = []
        for index in bytes.indices where bytes[index] != 0 && text.count == index { text.append(bytes[index]) }
        return String(decoding: text, as: UTF8.self)
    }
}
