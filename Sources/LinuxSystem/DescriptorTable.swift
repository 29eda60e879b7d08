/// Descriptors by number, for those who may name them without owning them. For one thread.
package final class DescriptorTable {
    private final class Entry {
        let fd: OwnedFD
        init(_ fd: consuming OwnedFD) { self.fd = fd }
    }

    private var entries: [UInt64: Entry] = [:]
    private var next: UInt64 = 1

    package init() {}

    /// Takes a descriptor over and returns its number, which is never given twice.
    package func insert(_ fd: consuming OwnedFD) -> UInt64 {
        let id = next
        next += 1
        entries[id] = Entry(fd)
        return id
    }

    /// Closes a descriptor; a number that is none is nobody's.
    package func remove(_ id: UInt64) { entries[id] = nil }

    /// The descriptor's raw number, valid until it is removed; nil when there is none.
    package func raw(_ id: UInt64) -> Int32? { entries[id]?.fd.raw }

    /// Another descriptor of the same open file, for an owner of its own.
    package func duplicate(_ id: UInt64) throws(Errno) -> OwnedFD {
        guard let entry = entries[id] else { throw .badDescriptor }
        return try entry.fd.duplicate()
    }

    package var count: Int { entries.count }
}
