/// An integer that means one thing, and must not be taken for another.
package protocol WireNumber: RawRepresentable, Hashable, Comparable, WireValue, CustomStringConvertible
where RawValue: WireInteger {
    init(rawValue: RawValue)
}

extension WireNumber {
    package init(_ rawValue: RawValue) { self.init(rawValue: rawValue) }

    package static func < (a: Self, b: Self) -> Bool { a.rawValue < b.rawValue }
    package static var byteCount: Int { RawValue.byteCount }
    package static func load(from packet: RawSpan, at offset: Int) -> Self {
        Self(rawValue: RawValue.load(from: packet, at: offset))
    }
    package func store(into packet: inout MutableRawSpan, at offset: Int) { rawValue.store(into: &packet, at: offset) }
    package var description: String { "\(rawValue)" }
}

/// What the client puts into a request to know its reply by.
package struct Cookie: WireNumber {
    package let rawValue: UInt64
    package init(rawValue: UInt64) { self.rawValue = rawValue }
}

/// The number of a vSMMU in its session.
package struct VSMMUID: WireNumber {
    package let rawValue: UInt32
    package init(rawValue: UInt32) { self.rawValue = rawValue }

    /// Of a subscription: all vSMMUs of the session, those made later included.
    package static let every = VSMMUID(0xffff_ffff)
}

/// Another one means that the daemon has lost the session's state.
package struct Epoch: WireNumber {
    package let rawValue: UInt64
    package init(rawValue: UInt64) { self.rawValue = rawValue }
}

/// Counts the resets of a vSMMU: events of an older generation are from before the latest.
package struct Generation: WireNumber {
    package let rawValue: UInt32
    package init(rawValue: UInt32) { self.rawValue = rawValue }
}

/// The place of a record among the session's.
package struct EventSequence: WireNumber {
    package let rawValue: UInt64
    package init(rawValue: UInt64) { self.rawValue = rawValue }
}

/// An address of the guest's physical memory, the input of stage 2.
package struct IPA: WireNumber {
    package let rawValue: UInt64
    package init(rawValue: UInt64) { self.rawValue = rawValue }
}

/// An address as a device uses it, the input of stage 1.
package struct IOVA: WireNumber {
    package let rawValue: UInt64
    package init(rawValue: UInt64) { self.rawValue = rawValue }
}

/// STAG: which stalled transaction is meant.
package struct StallTag: WireNumber {
    package let rawValue: UInt32
    package init(rawValue: UInt32) { self.rawValue = rawValue }
}
