/// Finds the word that somebody meant.
package enum NearMiss {
    /// The nearest of `candidates`; nil when none is near enough to be what was meant.
    package static func best(for text: String, among candidates: [String]) -> String? {
        let nearest = candidates.map { ($0, distance(text, $0)) }.min { $0.1 < $1.1 }
        guard let (word, distance) = nearest, distance <= max(1, min(3, word.utf8.count / 3)) else { return nil }
        return word
    }

    /// Letters to be changed, added, left out, or exchanged with their neighbour; the case does not count.
    static func distance(_ a: String, _ b: String) -> Int {
        let (a, b) = (Array(a.lowercased().utf8), Array(b.lowercased().utf8))
        // Longer words are nobody's slip of the pen, and would take long.
        guard !a.isEmpty, a.count <= 64, b.count <= 64 else { return Int.max }
        var before: [Int] = []
        var row = Array(0...b.count)
        for i in a.indices {
            var next = [i + 1]
            for j in b.indices {
                var cost = min(row[j] + (a[i] == b[j] ? 0 : 1), row[j + 1] + 1, next[j] + 1)
                if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] { cost = min(cost, before[j - 1] + 1) }
                next.append(cost)
            }
            (before, row) = (row, next)
        }
        return row[b.count]
    }
}
