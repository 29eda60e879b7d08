/// The members of a JSON object in the order in which they were read or set.
///
/// Two objects are equal when they have equal members in the same order, that is, when they are written alike. Keys are
/// Swift strings: canonically equivalent spellings (é as one scalar or two) are the same key.
package struct JSONObject: Sendable {
    package private(set) var keys: [String] = []
    private var values: [JSONValue] = []

    /// Where each key is, kept only from `indexThreshold` members on: comparing a few short keys is faster than hashing,
    /// but a hostile document with many keys must not cost quadratic time.
    private var index: [String: Int] = [:]
    private static let indexThreshold = 16

    package init() {}

    /// Sets the members one after the other; a repeated key keeps its first place and its last value.
    package init(_ members: some Sequence<(String, JSONValue)>) {
        for (key, value) in members { self[key] = value }
    }

    package var count: Int { keys.count }
    package var isEmpty: Bool { keys.isEmpty }

    /// The members in order.
    package var members: Zip2Sequence<[String], [JSONValue]> { zip(keys, values) }

    /// The member of this name. Setting one that exists keeps its place; setting nil removes it, in linear time.
    package subscript(key: String) -> JSONValue? {
        get { position(of: key).map { values[$0] } }
        set {
            switch (position(of: key), newValue) {
            case (let place?, let value?): values[place] = value
            case (nil, let value?): append(value, for: key)
            case (let place?, nil): remove(at: place)
            case (nil, nil): break
            }
        }
    }

    /// Adds a member; false, and nothing changes, if there is one of this name.
    mutating func insertNew(_ value: JSONValue, for key: String) -> Bool {
        guard position(of: key) == nil else { return false }
        append(value, for: key)
        return true
    }

    func position(of key: String) -> Int? {
        count < JSONObject.indexThreshold ? keys.firstIndex(of: key) : index[key]
    }

    private mutating func append(_ value: JSONValue, for key: String) {
        keys.append(key)
        values.append(value)
        if count == JSONObject.indexThreshold {
            rebuildIndex()
        } else if count > JSONObject.indexThreshold {
            index[key] = count - 1
        }
    }

    private mutating func remove(at place: Int) {
        keys.remove(at: place)
        values.remove(at: place)
        rebuildIndex()
    }

    private mutating func rebuildIndex() {
        index.removeAll()
        guard count >= JSONObject.indexThreshold else { return }
        for (place, key) in keys.enumerated() { index[key] = place }
    }
}

extension JSONObject: Equatable {
    // Written out, because the index is derived and would only be compared a second time.
    package static func == (a: JSONObject, b: JSONObject) -> Bool {
        a.keys == b.keys && a.values == b.values
    }
}
