package import BrokerCore

/// A `[Device NAME]` section: a device of the model, or a template for as many as sessions attach.
package struct DeviceDefinition: Hashable, Sendable {
    /// Of a template: what its devices have, and the first one's StreamID. Device N of the template `model` is `model:N`
    /// and has the StreamID `streamID + N`.
    package var device: HostDevice
    package var isTemplate: Bool
    /// How many devices a template makes, so how many StreamIDs are its; 1 for a device.
    package var instances: Int

    package init(device: HostDevice, isTemplate: Bool, instances: Int = 1) {
        (self.device, self.isTemplate, self.instances) = (device, isTemplate, instances)
    }
}
