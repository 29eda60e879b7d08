/// Counts what others can bring about as often as they like, and says which of the times are worth a line: the first
/// ones, and then each that doubles their number.
struct ThinningCount {
    private(set) var count: UInt64 = 0

    /// Counts one more; whether to tell.
    mutating func add() -> Bool {
        count += 1
        return count <= 8 || count & (count - 1) == 0
    }
}
