import SMMUv3
package import Wire

/// The host's devices and templates, and whose they are: the rules of a ``DeviceDirectory``, as a value.
package struct HostInventory: Sendable {
    private var devices: [HostDevice]
    private var templates: [HostDevice]
    private var claims: [Claim] = []
    private var sessions: [Admitted] = []

    private struct Claim {
        var device: HostDevice
        var session: SessionID
    }

    private struct Admitted {
        var session: SessionID
        var grant: String
    }

    /// `templates`: each by its own name; its instances are `NAME:0`, `NAME:1`…, with StreamIDs from its own on.
    package init(devices: [HostDevice], templates: [HostDevice]) {
        (self.devices, self.templates) = (devices, templates)
    }

    /// What a reload has found. Devices in use stay their sessions', as they are, until they are given back.
    package mutating func replace(devices: [HostDevice], templates: [HostDevice]) {
        (self.devices, self.templates) = (devices, templates)
    }

    package func owner(of name: Name) -> SessionID? { claims.first { $0.device.name == name }?.session }

    // MARK: Sessions

    package mutating func admit(_ session: SessionID, under grant: Grant) throws(Refusal) {
        if sessions.contains(where: { $0.session == session }) { return }
        let count = sessions.count { $0.grant == grant.name }
        if count >= grant.quota.sessions {
            throw .quota(
                "sessions", limit: UInt64(grant.quota.sessions), usage: UInt64(count), setting: "MaxSessions",
                grant: grant.name)
        }
        sessions.append(Admitted(session: session, grant: grant.name))
    }

    package mutating func releaseEverything(of session: SessionID) {
        claims.removeAll { $0.session == session }
        sessions.removeAll { $0.session == session }
    }

    // MARK: Devices

    /// `hardware`: the host's device of this name, if there is one.
    package mutating func claim(
        _ name: Name, for session: SessionID, under grant: Grant, hardware: HostDevice? = nil
    ) throws(Refusal) -> HostDevice {
        try check(name, under: grant)
        if let claim = claims.first(where: { $0.device.name == name }) {
            if claim.session == session { return claim.device }
            throw .busy(name)
        }
        let device = try unclaimed(name, hardware)
        claims.append(Claim(device: device, session: session))
        return device
    }

    package mutating func release(_ name: Name, by session: SessionID) {
        claims.removeAll { $0.device.name == name && $0.session == session }
    }

    package func smmu(
        of name: Name, for session: SessionID, under grant: Grant, hardware: HostDevice? = nil
    ) throws(Refusal) -> PhysicalSMMU {
        try check(name, under: grant)
        if let claim = claims.first(where: { $0.device.name == name }) {
            if claim.session == session { return claim.device.smmu }
            throw .busy(name)
        }
        return try unclaimed(name, hardware).smmu
    }

    /// A name that the grant does not cover gets the same answer whether there is such a device or not.
    private func check(_ name: Name, under grant: Grant) throws(Refusal) {
        if grant.allows(name) { return }
        if let template = template(of: name)?.template, grant.allows(template.name) { return }
        throw Refusal(
            .notGranted, .notPermitted,
            "[Grant \(grant.name)] does not let this client have `\(name)`: ask the operator to add it to Devices=.")
    }

    private func unclaimed(_ name: Name, _ hardware: HostDevice?) throws(Refusal) -> HostDevice {
        if let device = devices.first(where: { $0.name == name }) ?? hardware { return device }
        if let template = templates.first(where: { $0.name == name }) { return try newInstance(of: template) }
        if let (template, number) = template(of: name), let device = instance(number, of: template) { return device }
        throw Refusal(
            .unknownDevice, .noDevice,
            "The host has no device `\(name)`: check its name, and for hardware that vfio-pci is its driver.")
    }

    // MARK: Templates

    /// The template of `NAME:N`, and N as it is written there and nowhere else: without leading zeros.
    private func template(of name: Name) -> (template: HostDevice, number: UInt32)? {
        let text = name.description
        guard let colon = text.lastIndex(of: ":") else { return nil }
        let digits = text[text.index(after: colon)...]
        guard let number = UInt32(digits), String(number) == digits else { return nil }
        let prefix = text[..<colon]
        return templates.first { $0.name.description == prefix }.map { ($0, number) }
    }

    /// The instance of the lowest number that is free.
    private func newInstance(of template: HostDevice) throws(Refusal) -> HostDevice {
        // Each claim and each device can be in the way of one number.
        for number in 0...UInt32(clamping: claims.count + devices.count) {
            if let device = instance(number, of: template) { return device }
        }
        throw Refusal(
            .unknownDevice, .noDevice,
            "The template `\(template.name)` has no StreamID left, or too long a name for one more device: the operator "
                + "has to change its section.")
    }

    /// nil when the name or the StreamID is taken, or there is none.
    private func instance(_ number: UInt32, of template: HostDevice) -> HostDevice? {
        let (stream, overflow) = template.streamID.rawValue.addingReportingOverflow(number)
        guard !overflow, let name = Name("\(template.name):\(number)") else { return nil }
        func inTheWay(_ device: HostDevice) -> Bool {
            device.name == name || (device.smmu.name == template.smmu.name && device.streamID == StreamID(stream))
        }
        if devices.contains(where: inTheWay) || claims.contains(where: { inTheWay($0.device) }) { return nil }
        var device = template
        (device.name, device.streamID) = (name, StreamID(stream))
        return device
    }
}

extension Refusal {
    fileprivate static func busy(_ name: Name) -> Refusal {
        Refusal(
            .deviceBusy, .busy,
            "`\(name)` belongs to another session, or somebody still holds its descriptor: wait until it is given back."
        )
    }
}
