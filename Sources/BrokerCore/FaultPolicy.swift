import Wire

/// What becomes of a device that faults without end, or does not answer: of a grant. The owner gets every event all the
/// same.
package struct FaultPolicy: Hashable, Sendable {
    /// What is done in a storm.
    package enum Action: String, Hashable, Sendable, CaseIterable {
        /// The device is suspect; the journal has its limit.
        case log
        /// The journal and monitors have one of many, with the count of all.
        case sample
        /// The device goes to ABORT.
        case park
    }

    /// How a parked device comes back. An operator may always let it.
    package enum Return: String, Hashable, Sendable, CaseIterable {
        /// After a time that doubles.
        case time
        /// When its vSMMU is reset.
        case reset
        /// Not by itself.
        case byOperator = "operator"
    }

    /// So many within so long.
    package struct Rate: Hashable, Sendable {
        /// At least 1.
        package var count: UInt64
        package var milliseconds: UInt64
        package init(_ count: UInt64, withinMilliseconds milliseconds: UInt64) {
            (self.count, self.milliseconds) = (max(1, count), milliseconds)
        }
    }

    package var action = Action.log
    /// Faults that are a storm. Those of stalled transactions are requests for pages, and do not count.
    package var storm = Rate(1000, withinMilliseconds: 10_000)
    /// ATC invalidations without an answer for which a device is parked. Each makes it suspect.
    package var timeouts = Rate(3, withinMilliseconds: 60_000)
    /// With `sample`: one of so many. At least 1.
    package var sampling: UInt64 = 100
    package var comesBack = Return.time
    /// On ABORT, for the first time; each further one doubles it.
    package var parkMilliseconds: UInt64 = 30_000
    package var maximumParkMilliseconds: UInt64 = 3_600_000

    package init() {}

    /// How long a device is parked the `number`th time since it was healthy, counted from 1.
    package func parkTime(_ number: UInt32) -> UInt64 {
        let most = max(parkMilliseconds, maximumParkMilliseconds)
        let doublings = number > 0 ? number - 1 : 0
        if doublings >= 63 { return most }
        let (time, overflow) = parkMilliseconds.multipliedReportingOverflow(by: 1 << UInt64(doublings))
        return overflow ? most : min(time, most)
    }

    /// For how long a context must be calm before it counts as healthy: the longest span in which its trouble is looked
    /// for, and, if it was parked, as long as it was parked.
    package func calmTime(of health: ContextHealth) -> UInt64 {
        var time = storm.milliseconds
        if health.reasons.contains(HealthReasons(.atcTimeout)) || health.reasons.contains(HealthReasons(.slowATC)) {
            time = max(time, timeouts.milliseconds)
        }
        return health.parks > 0 ? max(time, parkTime(health.parks)) : time
    }
}
