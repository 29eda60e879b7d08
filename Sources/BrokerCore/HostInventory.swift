import SMMUv3
package import Wire

/// The host's devices and templates, and whose they are: the rules of a ``DeviceDirectory``, as a value.
package struct HostInventory: Sendable {
    private var devices: [HostDevice]
    private var templates: [DeviceTemplate]
    private var claims: [Claim] = []
    private var sessions: [Admitted] = []
    var kept: [HeldBack] = []
    private var nextNumber: UInt64 = 1

    private struct Claim {
        var device: HostDevice
        var session: SessionID
    }

    private struct Admitted {
        var session: SessionID
        var grant: String
    }

    package init(devices: [HostDevice], templates: [DeviceTemplate]) {
        (self.devices, self.templates) = (devices, templates)
    }

    /// What a reload has found. Devices in use stay their sessions', as they are, until they are given back.
    package mutating func replace(devices: [HostDevice], templates: [DeviceTemplate]) {
        (self.devices, self.templates) = (devices, templates)
    }

    package func owner(of name: Name) -> SessionID? { claims.first { $0.device.name == name }?.session }

    func binding(of name: Name) -> UInt64 { claims.first { $0.device.name == name }?.device.binding ?? 0 }

    mutating func takeNumber() -> UInt64 {
        defer { nextNumber += 1 }
        return nextNumber
    }

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
        try checkNotHeldBack(name, hardware)
        let device = try unclaimed(name, hardware)
        claims.append(Claim(device: device, session: session))
        return device
    }

    package mutating func release(_ name: Name, by session: SessionID) {
        claims.removeAll { $0.device.name == name && $0.session == session }
    }

    package mutating func smmu(
        of name: Name, for session: SessionID, under grant: Grant, hardware: HostDevice? = nil
    ) throws(Refusal) -> PhysicalSMMU {
        try check(name, under: grant)
        if let claim = claims.first(where: { $0.device.name == name }) {
            if claim.session == session { return claim.device.smmu }
            throw .busy(name)
        }
        try checkNotHeldBack(name, hardware)
        if let template = templates.first(where: { $0.name == name }) { return template.device.smmu }
        return try unclaimed(name, hardware).smmu
    }

    /// A name that the grant does not cover gets the same answer whether there is such a device or not.
    package func check(_ name: Name, under grant: Grant) throws(Refusal) {
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
    private func template(of name: Name) -> (template: DeviceTemplate, number: UInt32)? {
        let text = name.description
        guard let colon = text.lastIndex(of: ":") else { return nil }
        let digits = text[text.index(after: colon)...]
        guard let number = UInt32(digits), String(number) == digits else { return nil }
        let prefix = text[..<colon]
        return templates.first { $0.name.description == prefix }.map { ($0, number) }
    }

    /// The instance of the lowest number that is free: every claim is looked at once, however many there are, because all
    /// sessions wait meanwhile.
    private func newInstance(of template: DeviceTemplate) throws(Refusal) -> HostDevice {
        var isTaken = [Bool](repeating: false, count: Int(min(template.instances, mostNumbers)))
        let first = template.device.streamID.rawValue
        func note(_ device: HostDevice) {
            guard device.smmu.name == template.device.smmu.name, device.streamID.rawValue >= first else { return }
            let number = Int(device.streamID.rawValue - first)
            if number < isTaken.count { isTaken[number] = true }
        }
        for device in devices { note(device) }
        for claim in claims { note(claim.device) }
        // A device of before a reload can have a free number's name, and another StreamID.
        for number in isTaken.indices where !isTaken[number] {
            if let device = instance(UInt32(number), of: template) { return device }
        }
        throw Refusal(
            .unknownDevice, .noDevice,
            "All \(template.instances) devices of the template `\(template.name)` are in use, or its name is too long for one "
                + "more: wait until one is given back, or have Instances= of its section raised.")
    }

    /// Each claim and each device can be in the way of one number by its StreamID, and of one by its name.
    private var mostNumbers: UInt32 { UInt32(clamping: 2 * (claims.count + devices.count) + 1) }

    /// nil when the name or the StreamID is taken, or there is none.
    private func instance(_ number: UInt32, of template: DeviceTemplate) -> HostDevice? {
        let (stream, overflow) = template.device.streamID.rawValue.addingReportingOverflow(number)
        guard number < template.instances, !overflow, let name = Name("\(template.name):\(number)") else { return nil }
        var device = template.device
        (device.name, device.streamID) = (name, StreamID(stream))
        func inTheWay(_ other: HostDevice) -> Bool {
            other.name == name || (other.smmu.name == device.smmu.name && other.streamID == device.streamID)
        }
        if devices.contains(where: inTheWay) || claims.contains(where: { inTheWay($0.device) }) { return nil }
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
