/// The number by which the SMMU knows a device (IHI 0070, 3.2). In a nested vSMMU the guest's numbers are vSIDs: the
/// same type, another namespace.
package struct StreamID: RawRepresentable, Hashable, Comparable, Sendable {
    package var rawValue: UInt32

    @inlinable package init(rawValue: UInt32) { self.rawValue = rawValue }
    @inlinable package init(_ rawValue: UInt32) { self.rawValue = rawValue }

    @inlinable package static func < (a: StreamID, b: StreamID) -> Bool { a.rawValue < b.rawValue }
}

/// The number of one address space of a device, 20 bits; PCIe calls it PASID (IHI 0070, 3.2).
package struct SubstreamID: RawRepresentable, Hashable, Comparable, Sendable {
    package var rawValue: UInt32

    @inlinable package init(rawValue: UInt32) { self.rawValue = rawValue }
    @inlinable package init(_ rawValue: UInt32) { self.rawValue = rawValue }

    @inlinable package static func < (a: SubstreamID, b: SubstreamID) -> Bool { a.rawValue < b.rawValue }
}
