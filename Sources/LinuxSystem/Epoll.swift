package import CLinux

/// What a descriptor is ready for, or waited for.
@usableFromInline
package struct Readiness: OptionSet, Hashable, Sendable {
    @usableFromInline package let rawValue: UInt32
    @inlinable package init(rawValue: UInt32) { self.rawValue = rawValue }
    /// As every option set has it. Here, because the general one is not specialised for other targets.
    @inlinable package func contains(_ other: Readiness) -> Bool { rawValue & other.rawValue == other.rawValue }

    /// As `[]`, for the same reason.
    @inlinable package static var none: Readiness { Readiness(rawValue: 0) }
    package static let readable = Readiness(rawValue: UInt32(CLINUX_READABLE))
    package static let writable = Readiness(rawValue: UInt32(CLINUX_WRITABLE))
    /// Reported without being asked for.
    package static let error = Readiness(rawValue: UInt32(CLINUX_ERROR))
    /// Reported without being asked for: both directions are closed.
    package static let hangup = Readiness(rawValue: UInt32(CLINUX_HANGUP))
    /// The peer will send nothing more.
    package static let peerClosed = Readiness(rawValue: UInt32(CLINUX_PEER_CLOSED))
}

/// An epoll instance, level-triggered. What identifies a descriptor in it is a number of the caller's, never the
/// descriptor's own, which may mean another file by the time an event is looked at.
package struct Epoll: ~Copyable, Sendable {
    private let fd: OwnedFD

    package init() throws(Errno) { fd = OwnedFD(adopting: try Errno.check(clinux_epoll_create())) }

    /// Its own descriptor, readable while something in it is ready: to be watched together with others.
    package consuming func intoDescriptor() -> OwnedFD { fd }

    package borrowing func add(_ raw: Int32, _ events: Readiness, data: UInt64) throws(Errno) {
        try Errno.check(clinux_epoll_add(fd.raw, raw, events.rawValue, data))
    }

    package borrowing func modify(_ raw: Int32, _ events: Readiness, data: UInt64) throws(Errno) {
        try Errno.check(clinux_epoll_modify(fd.raw, raw, events.rawValue, data))
    }

    /// Has to come before the descriptor is closed: as long as a copy of it is open elsewhere, closing ours would leave
    /// it in the set.
    package borrowing func remove(_ raw: Int32) throws(Errno) {
        try Errno.check(clinux_epoll_remove(fd.raw, raw))
    }

    /// Events taken at one time.
    package typealias Batch = InlineArray<64, clinux_ready>

    package static var emptyBatch: Batch { InlineArray(repeating: clinux_ready()) }

    /// Waits at most `milliseconds` (nil: for ever); the number of events that `batch` received. An interruption by a
    /// signal counts as none.
    package borrowing func wait(_ batch: inout Batch, milliseconds: Int32?) throws(Errno) -> Int {
        var span = batch.mutableSpan
        let count = unsafe span.withUnsafeMutableBufferPointer { buffer in
            // SAFETY: the kernel writes at most `buffer.count` events, and the buffer outlives the call.
            unsafe clinux_epoll_wait(fd.raw, buffer.baseAddress, Int32(buffer.count), milliseconds ?? -1)
        }
        return Int(try Errno.check(count))
    }
}

extension clinux_ready {
    /// What the descriptor was added with.
    package var token: UInt64 { data }
    package var readiness: Readiness { Readiness(rawValue: events) }
}
