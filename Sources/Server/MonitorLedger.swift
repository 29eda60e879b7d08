/// What became of the faults that one monitor was to have, each one counted: those that were told as one too. At any time
/// `produced` is what was delivered, lost or abandoned, and what waits.
package struct MonitorLedger: Hashable, Sendable {
    /// Those that it wants.
    package var produced: UInt64 = 0
    /// Taken by its socket.
    package var delivered: UInt64 = 0
    /// It did not read, and its ring was full: it is told how many.
    package var lost: UInt64 = 0
    /// It ended while they waited.
    package var abandoned: UInt64 = 0

    package init() {}

    package var waiting: UInt64 { produced &- delivered &- lost &- abandoned }

    /// What a monitor leaves that has ended.
    mutating func add(ended other: MonitorLedger) {
        produced &+= other.produced
        delivered &+= other.delivered
        lost &+= other.lost
        abandoned &+= other.abandoned &+ other.waiting
    }
}
