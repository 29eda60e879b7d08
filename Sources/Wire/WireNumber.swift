/// An integer that means one thing, and must not be taken for another.
@usableFromInline
package protocol WireNumber: RawRepresentable, Hashable, Comparable, WireValue, CustomStringConvertible
where RawValue: WireInteger {
    init(rawValue: RawValue)
}

extension WireNumber {
    @inlinable package init(_ rawValue: RawValue) { self.init(rawValue: rawValue) }

    @inlinable package static func < (a: Self, b: Self) -> Bool { a.rawValue < b.rawValue }
    @inlinable package static var byteCount: Int { RawValue.byteCount }
    @inlinable
    package static func load(from packet: RawSpan, at offset: Int) -> Self {
        Self(rawValue: RawValue.load(from: packet, at: offset))
    }
    @inlinable
    package func store(into packet: inout MutableRawSpan, at offset: Int) { rawValue.store(into: &packet, at: offset) }
    @inlinable package var description: String { "\(rawValue)" }
}

/// What the client puts into a request to know its reply by.
@usableFromInline
package struct Cookie: WireNumber {
    @usableFromInline package let rawValue: UInt64
    @inlinable package init(rawValue: UInt64) { self.rawValue = rawValue }
}

/// The number of a vSMMU in its session.
@usableFromInline
package struct VSMMUID: WireNumber {
    @usableFromInline package let rawValue: UInt32
    @inlinable package init(rawValue: UInt32) { self.rawValue = rawValue }

    /// Of a subscription: all vSMMUs of the session, those made later included.
    package static let every = VSMMUID(0xffff_ffff)
}

/// Another one means that the daemon has lost the session's state.
@usableFromInline
package struct Epoch: WireNumber {
    @usableFromInline package let rawValue: UInt64
    @inlinable package init(rawValue: UInt64) { self.rawValue = rawValue }
}

/// Counts the resets of a vSMMU: events of an older generation are from before the latest.
@usableFromInline
package struct Generation: WireNumber {
    @usableFromInline package let rawValue: UInt32
    @inlinable package init(rawValue: UInt32) { self.rawValue = rawValue }
}

/// The place of a record among the session's.
@usableFromInline
package struct EventSequence: WireNumber {
    @usableFromInline package let rawValue: UInt64
    @inlinable package init(rawValue: UInt64) { self.rawValue = rawValue }
}

/// An address of the guest's physical memory, the input of stage 2.
@usableFromInline
package struct IPA: WireNumber {
    @usableFromInline package let rawValue: UInt64
    @inlinable package init(rawValue: UInt64) { self.rawValue = rawValue }
}

/// An address as a device uses it, the input of stage 1.
@usableFromInline
package struct IOVA: WireNumber {
    @usableFromInline package let rawValue: UInt64
    @inlinable package init(rawValue: UInt64) { self.rawValue = rawValue }
}

/// STAG: which stalled transaction is meant.
@usableFromInline
package struct StallTag: WireNumber {
    @usableFromInline package let rawValue: UInt32
    @inlinable package init(rawValue: UInt32) { self.rawValue = rawValue }
}
