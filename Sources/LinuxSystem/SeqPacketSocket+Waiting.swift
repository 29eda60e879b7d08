import CLinux

extension SeqPacketSocket {
    /// Waits until a packet is there or the peer has gone; false after `milliseconds` (nil: never). For clients that have
    /// nothing else to do: the daemon's sockets are watched by its loops.
    package borrowing func waitReadable(milliseconds: Int32?) throws(Errno) -> Bool {
        try Errno.check(clinux_wait(fd.raw, UInt32(CLINUX_READABLE), milliseconds ?? -1)) == 1
    }

    /// Waits until there is room for a packet or the peer has gone; false after `milliseconds` (nil: never).
    package borrowing func waitWritable(milliseconds: Int32?) throws(Errno) -> Bool {
        try Errno.check(clinux_wait(fd.raw, UInt32(CLINUX_WRITABLE), milliseconds ?? -1)) == 1
    }
}

/// A point of the calendar, for people and logs: it may jump.
package enum RealTime {
    /// Nanoseconds since 1970, UTC.
    package static var nowNanoseconds: UInt64 { clinux_realtime_ns() }
}
