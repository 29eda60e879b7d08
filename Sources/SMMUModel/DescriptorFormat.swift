public import SMMUv3

/// What a descriptor of a translation table says, for descriptions (Arm ARM, VMSAv8-64 descriptor formats). The walks
/// take what they need from the words themselves.
public enum DescriptorFormat {
    /// The fields of a descriptor besides its address.
    public static func fields(_ kind: WalkStep.DescriptorKind, stage2: Bool) -> [Field] {
        switch kind {
        case .invalid: []
        case .table: stage2 ? [] : stage1Table
        case .block, .page: stage2 ? stage2Leaf : stage1Leaf
        }
    }

    /// The next table, or the first byte that a block or a page maps; nil for an invalid descriptor.
    public static func address(
        of word: UInt64, _ kind: WalkStep.DescriptorKind, level: Int, granule: Granule, on ids: IDRegisters
    ) -> UInt64? {
        let shift: Int
        switch kind {
        case .invalid: return nil
        case .table: shift = granule.shift
        case .block, .page: shift = granule.levelShift(level)
        }
        return Descriptor.address(word, shift: shift, granule: granule, oas: ids.outputAddressSize)
    }

    private static let stage1Table = [
        Field("PXNTable", 0, 59, 59, .flag), Field("XNTable", 0, 60, 60, .flag),
        Field(
            "APTable", 0, 62, 61, .number,
            ["no limit", "no unprivileged access", "read only", "read only, no unprivileged access"]),
        Field("NSTable", 0, 63, 63, .flag),
    ]

    private static let stage1Leaf = [
        Field("AttrIndx", 0, 4, 2), Field("AP", 0, 7, 6, .number, ["privileged rw", "rw", "privileged r", "r"]),
        Field("SH", 0, 9, 8, .number, shareability), Field("AF", 0, 10, 10, .flag), Field("nG", 0, 11, 11, .flag),
        Field("DBM", 0, 51, 51, .flag), Field("Contiguous", 0, 52, 52, .flag), Field("PXN", 0, 53, 53, .flag),
        Field("UXN", 0, 54, 54, .flag),
    ]

    private static let stage2Leaf = [
        Field("MemAttr", 0, 5, 2, .hex), Field("S2AP", 0, 7, 6, .number, ["no access", "r", "w", "rw"]),
        Field("SH", 0, 9, 8, .number, shareability), Field("AF", 0, 10, 10, .flag), Field("DBM", 0, 51, 51, .flag),
        Field("Contiguous", 0, 52, 52, .flag), Field("XN", 0, 54, 53),
    ]

    private static let shareability = ["non-shareable", "reserved", "outer", "inner"]
}

extension WalkStep.DescriptorKind {
    public var name: String {
        switch self {
        case .invalid: "invalid"
        case .table: "table"
        case .block: "block"
        case .page: "page"
        }
    }
}
