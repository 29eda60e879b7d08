/// Says whether anybody still has a descriptor of a device that was bound to an iommufd, without having one itself.
///
/// It keeps the iommufd open, so that the kernel can be asked for the device's object, which lives exactly as long as the
/// last copy of the device's descriptor (drivers/iommu/iommufd/device.c, iommufd_device_unbind). Asking takes no time that
/// matters, and any thread may ask.
package protocol DeviceWitness: AnyObject, Sendable {
    var isHeld: Bool { get }
}
