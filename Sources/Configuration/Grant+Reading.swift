import BrokerCore
import UnitConfig
import Wire

extension Grant {
    /// - Parameter devices: the names of devices and templates that there are.
    init(_ section: inout SectionReader, _ identities: IdentityLookup, devices known: [String]) {
        let users = section.condition(.user, nobody: IdentityLookup.nobody) { word throws(ValueFault) in
            try Self.identity(word, "user", identities.user)
        }
        let groups = section.condition(.group, nobody: IdentityLookup.nobody) { word throws(ValueFault) in
            try Self.identity(word, "group", identities.group)
        }
        let units = section.condition(.unit, nobody: Self.noUnit, Self.unit)
        let devices = section.list(.devices, Self.device)
        self.init(
            name: section.section.name ?? "", users: users, groups: groups, units: units,
            devices: devices?.values ?? [], quota: Quota(&section),
            faults: FaultPolicy(&section))
        if users.isEmpty, groups.isEmpty, units.isEmpty {
            section.report(.warning, "the grant is nobody's: it needs `User=`, `Group=` or `Unit=`")
        }
        if devices == nil { section.report(.warning, "the grant has no devices: it needs `Devices=`") }
        for device in self.devices where !Self.canMatch(device, known) {
            let hint = NearMiss.best(for: device, among: known).map { ": did you mean `\($0)`?" } ?? ""
            section.report(.warning, at: .devices, "there is no device `\(device.excerpt)`\(hint)")
        }
    }

    /// No unit has this name.
    private static let noUnit = "-"

    private static func identity(
        _ word: String, _ kind: String, _ lookup: (String) -> UInt32?
    ) throws(ValueFault) -> UInt32 {
        if word.utf8.allSatisfy({ $0 >= UInt8(ascii: "0") && $0 <= UInt8(ascii: "9") }) {
            return UInt32(clamping: try Value.integer(word, in: 0...UInt64(IdentityLookup.nobody - 1)))
        }
        guard let number = lookup(word) else {
            throw ValueFault("names a \(kind) that this host does not know")
        }
        return number
    }

    private static func unit(_ word: String) throws(ValueFault) -> String {
        guard word.contains(".") || word.contains("*"), !word.contains("/") else {
            throw ValueFault("is not the name of a unit such as qemu-vm1.service")
        }
        return word
    }

    /// The letters of names, and those of patterns.
    private static func device(_ word: String) throws(ValueFault) -> String {
        let plain = String(word.map { $0 == "*" || $0 == "?" ? "x" : $0 })
        guard Name(plain) != nil else {
            throw ValueFault("is not the name of a device, a PCI address, or a pattern of these with * and ?")
        }
        return word
    }

    /// Patterns, and what has the form of a PCI address or of a template's device, may match what is not there yet.
    private static func canMatch(_ device: String, _ known: [String]) -> Bool {
        device.contains { $0 == "*" || $0 == "?" || $0 == ":" } || known.contains(device)
    }
}

extension SectionReader {
    /// A list that a peer must be in; empty: there is no such condition.
    ///
    /// A condition of which nothing is left must not become no condition: it becomes `nobody`.
    fileprivate mutating func condition<Value>(
        _ key: ConfigurationKey, nobody: Value, _ parse: (String) throws(ValueFault) -> Value
    ) -> [Value] {
        guard let list = list(key, effect: "it matches nobody", parse) else { return [] }
        guard list.values.isEmpty else { return list.values }
        replace(key, by: "(matches nobody)", isDefault: false)
        return [nobody]
    }
}

extension Quota {
    /// What nobody needs more of.
    private static let mostMemory = UInt64(1) << 52

    init(_ section: inout SectionReader) {
        let standard = Quota()
        self.init(
            sessions: section.integer(.grantSessions, default: standard.sessions, in: 1...65536),
            memory: section.value(.memory, default: standard.memory, text: Value.sizeText) { text throws(ValueFault) in
                try Value.size(text, in: 4096...Self.mostMemory)
            },
            maps: section.integer(.maps, default: standard.maps, in: 1...65536),
            vsmmus: section.integer(.vsmmus, default: standard.vsmmus, in: 1...Limits.entries),
            contexts: section.integer(.contexts, default: standard.contexts, in: 1...Limits.entries))
    }
}
