/// What has a key that orders it among its like.
package protocol Keyed {
    associatedtype Key: Comparable
    var key: Key { get }
}

/// Values in the order of their keys, found by halving: no hashing, and no allocation to find or change one.
package struct SortedTable<Element: Keyed> {
    private var elements: [Element] = []

    package init() {}

    package var count: Int { elements.count }
    package var isEmpty: Bool { elements.isEmpty }
    package var indices: Range<Int> { 0..<elements.count }

    package subscript(index: Int) -> Element {
        get { elements[index] }
        _modify { yield &elements[index] }
    }

    /// Where the first element is whose key is not below `key`.
    package func lowerBound(_ key: Element.Key) -> Int {
        var (low, high) = (0, elements.count)
        while low < high {
            let middle = low + (high - low) / 2
            if elements[middle].key < key { low = middle + 1 } else { high = middle }
        }
        return low
    }

    package func index(of key: Element.Key) -> Int? {
        let index = lowerBound(key)
        return index < elements.count && elements[index].key == key ? index : nil
    }

    /// Puts an element in its place; one with the same key is replaced.
    package mutating func insert(_ element: Element) {
        let index = lowerBound(element.key)
        if index < elements.count && elements[index].key == element.key {
            elements[index] = element
        } else {
            elements.insert(element, at: index)
        }
    }

    @discardableResult
    package mutating func remove(_ key: Element.Key) -> Element? {
        index(of: key).map { elements.remove(at: $0) }
    }
}

extension SortedTable: Sendable where Element: Sendable {}
extension SortedTable: Equatable where Element: Equatable {}
extension SortedTable: Hashable where Element: Hashable {}
