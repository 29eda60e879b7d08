/// Why a capture cannot be replayed at all: what failed and why, and what to do about it.
package struct ReplayError: Error, Equatable, Sendable, CustomStringConvertible {
    /// A sentence. Where the broker refused, it is the broker's own.
    package let reason: String
    /// One line.
    package let advice: String

    package var description: String { "\(reason) \(advice)" }
}
