import BrokerCore
import LinuxSystem

/// A session's memory: parts of files at the IPAs where the guest has them, which are also the model's physical addresses.
///
/// All of the session's vSMMUs share it. Others may write to it at any time.
final class GuestMemory {
    /// A map and its mapping, which ends with it.
    private final class Part {
        let map: MemoryMap
        let mapping: Mapping

        init(_ map: MemoryMap, _ mapping: consuming Mapping) {
            self.map = map
            self.mapping = mapping
        }
    }

    /// By IPA. The addresses stand apart: a look-up touches nothing else.
    private var parts: [Part] = []
    private var starts: [UInt64] = []
    private var ends: [UInt64] = []
    /// Where the last address was found: the next one is usually near.
    private var last = 0

    /// The maps by IPA.
    var maps: [MemoryMap] { parts.map(\.map) }

    /// Whether any byte of `bounds` is mapped.
    func overlaps(_ bounds: Range<UInt64>) -> Bool {
        let index = firstIndex(endingAfter: bounds.lowerBound)
        return index < starts.count && starts[index] < bounds.upperBound
    }

    /// Adds a map that overlaps no other.
    func insert(_ map: MemoryMap, _ mapping: consuming Mapping) {
        let index = firstIndex(endingAfter: map.ipa)
        parts.insert(Part(map, mapping), at: index)
        starts.insert(map.ipa, at: index)
        ends.insert(map.end, at: index)
        last = index
    }

    /// Whether exactly this part of the address space is one map.
    func contains(_ map: MemoryMap) -> Bool {
        let index = firstIndex(endingAfter: map.ipa)
        return index < starts.count && starts[index] == map.ipa && ends[index] == map.end
    }

    /// Forgets a map and gives its memory back to the system.
    func remove(_ map: MemoryMap) {
        guard contains(map) else { return }
        let index = firstIndex(endingAfter: map.ipa)
        parts.remove(at: index)
        starts.remove(at: index)
        ends.remove(at: index)
        last = 0
    }

    // MARK: Accesses

    func loadWord(at address: UInt64) -> UInt64? {
        guard let index = index(of: address) else { return nil }
        return parts[index].mapping.loadWord(at: address &- starts[index])
    }

    func storeWord(_ value: UInt64, at address: UInt64) -> Bool {
        guard let index = index(of: address) else { return false }
        return parts[index].mapping.storeWord(value, at: address &- starts[index])
    }

    /// Copies bytes that lie within one map; false when they do not.
    func read(at address: UInt64, into data: inout MutableRawSpan, from start: Int, count: Int) -> Bool {
        guard let index = index(of: address) else { return false }
        return parts[index].mapping.read(at: address &- starts[index], into: &data, from: start, count: count)
    }

    /// Stores bytes that lie within one map; false when they do not, or it is read-only.
    func write(_ data: RawSpan, from start: Int, count: Int, at address: UInt64) -> Bool {
        guard let index = index(of: address) else { return false }
        return parts[index].mapping.write(data, from: start, count: count, at: address &- starts[index])
    }

    // MARK: Look-up

    private func index(of address: UInt64) -> Int? {
        if last < starts.count, starts[last] <= address, address < ends[last] { return last }
        let index = firstIndex(endingAfter: address)
        guard index < starts.count, starts[index] <= address else { return nil }
        last = index
        return index
    }

    private func firstIndex(endingAfter address: UInt64) -> Int {
        var (low, high) = (0, ends.count)
        while low < high {
            let middle = (low + high) / 2
            if ends[middle] > address { high = middle } else { low = middle + 1 }
        }
        return low
    }
}
