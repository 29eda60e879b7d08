import CLinux

/// A point of CLOCK_MONOTONIC, in nanoseconds since an unspecified start.
package struct MonotonicTime: Hashable, Comparable, Sendable {
    package var nanoseconds: UInt64

    package init(nanoseconds: UInt64) { self.nanoseconds = nanoseconds }

    package static var now: MonotonicTime { MonotonicTime(nanoseconds: clinux_monotonic_ns()) }

    package static func < (a: MonotonicTime, b: MonotonicTime) -> Bool { a.nanoseconds < b.nanoseconds }

    /// `nanoseconds` later; the end of time where that would be beyond it.
    package func advanced(byNanoseconds nanoseconds: UInt64) -> MonotonicTime {
        let (sum, overflow) = self.nanoseconds.addingReportingOverflow(nanoseconds)
        return MonotonicTime(nanoseconds: overflow ? .max : sum)
    }

    package func advanced(byMilliseconds milliseconds: UInt64) -> MonotonicTime {
        let (product, overflow) = milliseconds.multipliedReportingOverflow(by: 1_000_000)
        return advanced(byNanoseconds: overflow ? .max : product)
    }

    package func advanced(bySeconds seconds: UInt64) -> MonotonicTime {
        let (product, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        return advanced(byNanoseconds: overflow ? .max : product)
    }
}

/// A timer that a loop can wait for.
package struct TimerFD: ~Copyable, Sendable {
    package let fd: OwnedFD

    package init() throws(Errno) { fd = OwnedFD(adopting: try Errno.check(clinux_timerfd())) }

    /// Expires once at `deadline`, at once if that has passed; nil disarms it.
    package borrowing func set(_ deadline: MonotonicTime?) throws(Errno) {
        guard let deadline else {
            try Errno.check(clinux_timerfd_set(fd.raw, 0))
            return
        }
        // 0 would disarm it, and the kernel's seconds are signed.
        let nanoseconds = min(max(deadline.nanoseconds, 1), UInt64(Int64.max))
        try Errno.check(clinux_timerfd_set(fd.raw, nanoseconds))
    }

    /// Whether it has expired since this was asked last.
    package borrowing func take() throws(Errno) -> Bool {
        let count = clinux_timerfd_take(fd.raw)
        return count == -Int64(Errno.again.code) ? false : try Errno.check(count) > 0
    }
}
