/// The number by which the SMMU knows a device (IHI 0070, 3.2). In a nested vSMMU the guest's numbers are vSIDs: the
/// same type, another namespace.
public struct StreamID: RawRepresentable, Hashable, Comparable, Sendable {
    public var rawValue: UInt32

    @inlinable public init(rawValue: UInt32) { self.rawValue = rawValue }
    @inlinable public init(_ rawValue: UInt32) { self.rawValue = rawValue }

    @inlinable public static func < (a: StreamID, b: StreamID) -> Bool { a.rawValue < b.rawValue }
}

/// The number of one address space of a device, 20 bits; PCIe calls it PASID (IHI 0070, 3.2).
public struct SubstreamID: RawRepresentable, Hashable, Comparable, Sendable {
    public var rawValue: UInt32

    @inlinable public init(rawValue: UInt32) { self.rawValue = rawValue }
    @inlinable public init(_ rawValue: UInt32) { self.rawValue = rawValue }

    @inlinable public static func < (a: SubstreamID, b: SubstreamID) -> Bool { a.rawValue < b.rawValue }
}
