package import BrokerCore

/// How long a session takes for what it does, in nanoseconds: from when its loop woke for it.
package struct SessionLatencies: Hashable, Sendable {
    /// Until the reply was handed to the socket: COMMANDS, STE_SET, and all other requests.
    package var commands = LatencyHistogram()
    package var stes = LatencyHistogram()
    package var others = LatencyHistogram()
    /// From when a source was found readable until the owner's queue was empty again: once each time that it is.
    package var events = LatencyHistogram()
    package init() {}

    package static func + (a: Self, b: Self) -> Self {
        var both = a
        (both.commands, both.stes) = (a.commands + b.commands, a.stes + b.stes)
        (both.others, both.events) = (a.others + b.others, a.events + b.events)
        return both
    }

    /// Counts a turn in which `before` became `after`. What refused or failed counts among the others.
    mutating func record(_ turn: TurnTime, from before: SessionCounters, to after: SessionCounters) {
        if after.requests != before.requests {
            let time = turn.end.since(turn.begin)
            if after.batches != before.batches {
                commands.record(nanoseconds: time)
            } else if after.stesInstalled != before.stesInstalled {
                stes.record(nanoseconds: time)
            } else {
                others.record(nanoseconds: time)
            }
        }
        if let waited = turn.eventsWaited { events.record(nanoseconds: waited) }
    }
}

/// When a turn was.
package struct TurnTime: Sendable {
    package var begin: Instant
    package var end: Instant
    /// How long the owner's events have waited, if all have been delivered in this turn.
    package var eventsWaited: UInt64?
    package init(begin: Instant, end: Instant, eventsWaited: UInt64? = nil) {
        (self.begin, self.end, self.eventsWaited) = (begin, end, eventsWaited)
    }
}
