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
/// It never grows past its capacity, whatever it is fed, and does not allocate once it has been full. All times but
/// those of the `removeAll`s are those of one hash look-up.
struct BoundedCache<Value> {
    private let capacity: Int
    /// Slot of each chain's first entry, -1 for an empty chain. Allocated with the first entry.
    private var heads: [Int32] = []
    /// The next slot of the same chain, or of the free list; ``occupied`` says which.
    private var next: [Int32] = []
    private var keys: [CacheKey] = []
    private var occupied: [Bool] = []
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
            if keys[Int(slot)] == key { return Int(slot) }
            slot = next[Int(slot)]
        }
        return nil
    }

    @inline(__always)
    func value(of key: CacheKey) -> Value? {
        guard let slot = slot(of: key) else { return nil }
        return values[slot]
    }

    /// Caches `value`; returns the key that had to make room for it.
    @discardableResult
    mutating func insert(_ key: CacheKey, _ value: Value) -> CacheKey? {
        if heads.isEmpty { allocate() }
        if let slot = slot(of: key) {
            values[slot] = value
            return nil
        }
        var evicted: CacheKey?
        let slot: Int
        if firstFree >= 0 {
            slot = Int(firstFree)
            firstFree = next[slot]
            keys[slot] = key
            values[slot] = value
            occupied[slot] = true
        } else if keys.count < capacity {
            slot = keys.count
            keys.append(key)
            values.append(value)
            next.append(-1)
            occupied.append(true)
        } else {
            slot = hand
            hand = hand &+ 1 == capacity ? 0 : hand &+ 1
            evicted = keys[slot]
            unlink(slot)
            keys[slot] = key
            values[slot] = value
        }
        let chain = chain(of: key)
        next[slot] = heads[chain]
        heads[chain] = Int32(truncatingIfNeeded: slot)
        if evicted == nil { count &+= 1 }
        return evicted
    }

    @discardableResult
    mutating func remove(_ key: CacheKey) -> Bool {
        guard let slot = slot(of: key) else { return false }
        free(slot)
        return true
    }

    /// Removes every entry that `matches`, and says which those were.
    mutating func removeAll(where matches: (CacheKey, Value) -> Bool, removed: (CacheKey) -> Void = { _ in }) {
        if count == 0 { return }
        for slot in keys.indices where occupied[slot] && matches(keys[slot], values[slot]) {
            removed(keys[slot])
            free(slot)
        }
    }

    mutating func removeAll() {
        if count == 0 { return }
        for index in heads.indices { heads[index] = -1 }
        next.removeAll(keepingCapacity: true)
        keys.removeAll(keepingCapacity: true)
        values.removeAll(keepingCapacity: true)
        occupied.removeAll(keepingCapacity: true)
        (firstFree, hand, count) = (-1, 0, 0)
    }

    private mutating func allocate() {
        var chains = 16
        while chains < capacity { chains &*= 2 }
        heads = [Int32](repeating: -1, count: chains)
        next.reserveCapacity(capacity)
        keys.reserveCapacity(capacity)
        values.reserveCapacity(capacity)
        occupied.reserveCapacity(capacity)
    }

    private mutating func free(_ slot: Int) {
        unlink(slot)
        occupied[slot] = false
        next[slot] = firstFree
        firstFree = Int32(truncatingIfNeeded: slot)
        count &-= 1
    }

    private mutating func unlink(_ slot: Int) {
        let chain = chain(of: keys[slot])
        let target = Int32(truncatingIfNeeded: slot)
        if heads[chain] == target {
            heads[chain] = next[slot]
            return
        }
        var previous = Int(heads[chain])
        while next[previous] != target { previous = Int(next[previous]) }
        next[previous] = next[slot]
    }
}
