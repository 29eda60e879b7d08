import IOMMUFD

/// Two HWPTs of the same STE, for all devices of a vSMMU: whichever is attached, there is another one to replace it with.
///
/// The kernel takes a device's vSID when it attaches, and does nothing at all when the same HWPT is attached again. Both
/// are there before any device is, so that a device can be put on ABORT when there is no memory left.
struct TwinHWPTs {
    private let first: NestedHWPT
    private let second: NestedHWPT

    init(for device: BoundDevice, in viommu: VIOMMU, word0: UInt64) throws(IOMMUError) {
        first = try NestedHWPT(for: device, in: viommu, word0: word0, word1: 0)
        second = try NestedHWPT(for: device, in: viommu, word0: word0, word1: 0)
    }

    /// The one that is not attached.
    func other(than attached: IOMMUObject?) -> NestedHWPT { attached === first ? second : first }
}
