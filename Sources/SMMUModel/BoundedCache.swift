/// What identifies an entry of a ``BoundedCache``: 128 bits whose meaning its user decides.
struct CacheKey: Equatable {
    var page: UInt64
    var tag: UInt64

    @inline(__always)
    var hash: UInt64 {
        let mixed = (page ^ (tag &* 0x9e37_79b9_7f4a_7c15)) &* 0xff51_afd7_ed55_8ccd
        return mixed ^ (mixed &>> 32)
    }
}

/// A fully associative cache of fixed capacity; when it is full, the oldest slot makes room.
///
/// It never grows past its capacity, whatever it is fed, and does not allocate once it has been full. A look-up follows
/// one hash chain. The hash is no secret: keys chosen to collide make a chain as long as the capacity, and no longer.
struct BoundedCache<Value> {
    /// What look-ups and scans read of an entry; its value stands apart, so that more of these fit a cache line.
    private struct Slot {
        var key: CacheKey
        /// The next slot of the same chain, or of the free list; `occupied` says which.
        var next: Int32
        var occupied: Bool
    }

    private let capacity: Int
    /// Slot of each chain's first entry, -1 for an empty chain. Allocated with the first entry.
    private var heads: [Int32] = []
    private var slots: [Slot] = []
    private(set) var values: [Value] = []
    private var firstFree: Int32 = -1
    /// The slot that the next eviction takes.
    private var hand = 0
    private(set) var count = 0

    init(capacity: Int) { self.capacity = max(1, min(capacity, 1 << 24)) }

    @inline(__always)
    private func chain(of key: CacheKey) -> Int { Int(truncatingIfNeeded: key.hash) & (heads.count &- 1) }

    /// The slot of `key`, for ``values``; nil when it is not cached.
    @inline(__always)
    func slot(of key: CacheKey) -> Int? {
        if count == 0 { return nil }
        var slot = heads[chain(of: key)]
        while slot >= 0 {
            let entry = slots[Int(slot)]
            if entry.key == key { return Int(slot) }
            slot = entry.next
        }
        return nil
    }

    @inline(__always)
    func value(of key: CacheKey) -> Value? {
        guard let slot = slot(of: key) else { return nil }
        return values[slot]
    }

    /// Caches `value`; returns its slot, and the key that had to make room for it.
    @discardableResult
    mutating func insert(_ key: CacheKey, _ value: Value) -> (slot: Int, evicted: CacheKey?) {
        if heads.isEmpty { allocate() }
        if let slot = slot(of: key) {
            values[slot] = value
            return (slot, nil)
        }
        let chain = chain(of: key)
        var evicted: CacheKey?
        let slot: Int
        if firstFree >= 0 {
            slot = Int(firstFree)
            firstFree = slots[slot].next
        } else if slots.count < capacity {
            slot = slots.count
            slots.append(Slot(key: key, next: heads[chain], occupied: true))
            values.append(value)
            heads[chain] = Int32(truncatingIfNeeded: slot)
            count &+= 1
            return (slot, nil)
        } else {
            slot = hand
            hand = hand &+ 1 == capacity ? 0 : hand &+ 1
            evicted = slots[slot].key
            unlink(slot)
            count &-= 1
        }
        slots[slot] = Slot(key: key, next: heads[chain], occupied: true)
        values[slot] = value
        heads[chain] = Int32(truncatingIfNeeded: slot)
        count &+= 1
        return (slot, evicted)
    }

    @discardableResult
    mutating func remove(_ key: CacheKey) -> Bool {
        guard let slot = slot(of: key) else { return false }
        free(slot)
        return true
    }

    /// Removes every entry that `matches`, and says which those were.
    @inline(__always)
    mutating func removeAll(where matches: (CacheKey, Value) -> Bool, removed: (CacheKey) -> Void = { _ in }) {
        if count == 0 { return }
        var start = 0
        while let slot = firstSlot(from: start, where: matches) {
            removed(slots[slot].key)
            free(slot)
            start = slot &+ 1
        }
    }

    /// The scan by itself: it changes nothing, so that it runs without checks of what it shares with whom.
    @inline(__always)
    private func firstSlot(from start: Int, where matches: (CacheKey, Value) -> Bool) -> Int? {
        var slot = start
        while slot < slots.count {
            let entry = slots[slot]
            if entry.occupied, matches(entry.key, values[slot]) { return slot }
            slot &+= 1
        }
        return nil
    }

    mutating func removeAll() {
        if count == 0 { return }
        for index in heads.indices { heads[index] = -1 }
        slots.removeAll(keepingCapacity: true)
        values.removeAll(keepingCapacity: true)
        (firstFree, hand, count) = (-1, 0, 0)
    }

    private mutating func allocate() {
        var chains = 16
        while chains < capacity { chains &*= 2 }
        heads = [Int32](repeating: -1, count: chains)
        slots.reserveCapacity(capacity)
        values.reserveCapacity(capacity)
    }

    private mutating func free(_ slot: Int) {
        unlink(slot)
        slots[slot].occupied = false
        slots[slot].next = firstFree
        firstFree = Int32(truncatingIfNeeded: slot)
        count &-= 1
    }

    private mutating func unlink(_ slot: Int) {
        let chain = chain(of: slots[slot].key)
        let target = Int32(truncatingIfNeeded: slot)
        if heads[chain] == target {
            heads[chain] = slots[slot].next
            return
        }
        var previous = Int(heads[chain])
        while slots[previous].next != target { previous = Int(slots[previous].next) }
        slots[previous].next = slots[slot].next
    }
}
