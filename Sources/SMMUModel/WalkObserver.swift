public import SMMUv3

/// One step of a translation, for someone who wants to see how an answer came about.
public enum WalkStep: Sendable {
    case streamTableL1(StreamTableL1Descriptor, at: UInt64)
    case streamTableEntry(StreamTableEntry, at: UInt64)
    case contextTableL1(CDTableL1Descriptor, ipa: UInt64, at: UInt64)
    case contextDescriptor(ContextDescriptor, ipa: UInt64, at: UInt64)
    /// The stage 1 table that the address selects.
    case stage1Table(index: Int, base: UInt64, startLevel: Int, granule: Granule)
    /// The stage 2 walk of `ipa` starts, for the fetch of a CD, a descriptor, or the access itself.
    case stage2Table(base: UInt64, startLevel: Int, granule: Granule, ipa: UInt64, for: EventRecord.Class)
    /// A descriptor was read. `ipa` is where the tables say it is, `at` where stage 2 puts that.
    case descriptor(UInt64, kind: DescriptorKind, stage2: Bool, level: Int, ipa: UInt64, at: UInt64)
    /// A stage ended with a leaf.
    case leaf(stage2: Bool, output: UInt64, permissions: Permissions, level: Int, global: Bool)
    case cached(Cache)

    public enum DescriptorKind: Sendable { case invalid, table, block, page }
    public enum Cache: Sendable { case streamTableEntry, contextDescriptor, tlb }
}

/// Sees the steps of a translation.
public protocol WalkObserver {
    mutating func saw(_ step: @autoclosure () -> WalkStep)
}

/// Sees nothing, and costs nothing.
public struct NoObserver: WalkObserver {
    @inlinable public init() {}
    @inlinable @inline(__always) public mutating func saw(_ step: @autoclosure () -> WalkStep) {}
}

/// Keeps the steps, in order.
public struct StepRecorder: WalkObserver {
    public private(set) var steps: [WalkStep] = []
    public init() {}
    public mutating func saw(_ step: @autoclosure () -> WalkStep) { steps.append(step()) }
}
