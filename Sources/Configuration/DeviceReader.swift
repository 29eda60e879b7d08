import BrokerCore
import SMMUv3
import UnitConfig
import Wire

/// Reads `[Device NAME]` sections, and sees to it that each device has StreamIDs of its own.
struct DeviceReader {
    let smmus: [PhysicalSMMU]
    /// One per section, in order, also for devices that are left out.
    private(set) var readers: [SectionReader] = []
    private var found: [Found] = []

    /// A device, and the place of its reader.
    private struct Found {
        var definition: DeviceDefinition
        let reader: Int
        /// Whether the file says how many devices the template makes.
        let hasInstances: Bool

        var smmu: Name { definition.device.smmu.name }
        var first: Int { Int(definition.device.streamID.rawValue) }
        var streamIDs: Range<Int> { first..<first + definition.instances }
    }

    private static let end = 1 << SMMUSettings.streamIDBits

    init(smmus: [PhysicalSMMU]) { self.smmus = smmus }

    /// In the order in which they were read.
    var definitions: [DeviceDefinition] { found.map { $0.definition } }

    /// Of the devices that are not left out.
    var settings: [Setting] { found.flatMap { readers[$0.reader].settings } }

    /// Reads a device of the built-in ones.
    mutating func read(_ device: BuiltIn.Device) {
        guard let smmu = smmus.first, let definition = device.definition(behind: smmu) else { return }
        read(.builtIn(.device, device.name), default: definition)
    }

    mutating func read(_ section: UnitSection) {
        read(section, default: nil)
    }

    private mutating func read(_ section: UnitSection, default standard: DeviceDefinition?) {
        var reader = SectionReader(.device, section)
        defer { readers.append(reader) }
        guard let name = section.name.flatMap({ Name($0) }) else { return }
        let smmu = readSMMU(&reader)
        let streamID = reader.value(
            .streamID, default: standard.map { Int($0.device.streamID.rawValue) },
            text: { $0.map(Self.hexadecimal) ?? "" },
            { text throws(ValueFault) in Int(clamping: try Value.integer(text, in: 0...UInt64(Self.end - 1))) })
        var ats = reader.boolean(.ats, default: standard?.device.hasATS ?? false)
        var pasidBits = reader.integer(.pasidBits, default: standard?.device.pasidBits ?? 0, in: 0...20)
        let isTemplate = reader.boolean(.template, default: standard?.isTemplate ?? false)
        let instances = reader.integer(.instances, default: standard?.instances ?? 1, in: 1...Self.end)
        let hasInstances = isTemplate && reader.settings.last?.origins.isEmpty == false
        if section.last(of: ConfigurationKey.instances.name) != nil, !isTemplate {
            reader.report(.warning, at: .instances, "`Instances=` has an effect with `Template=yes` only")
            reader.replace(.instances, by: "1")
        }
        guard let smmu else { return }
        guard let streamID else {
            if section.last(of: ConfigurationKey.streamID.name) == nil {
                reader.report(.error, "the device needs a `StreamID=`; it is left out")
            } else {
                reader.report(.error, at: .streamID, "without a StreamID the device is left out")
            }
            return
        }
        limit(&ats, &pasidBits, by: smmu, &reader)
        let device = HostDevice(
            name: name, smmu: smmu, streamID: StreamID(UInt32(clamping: streamID)), hasATS: ats, pasidBits: pasidBits)
        let definition = DeviceDefinition(device: device, isTemplate: isTemplate, instances: isTemplate ? instances : 1)
        found.append(Found(definition: definition, reader: readers.count, hasInstances: hasInstances))
    }

    /// nil when there is none of this name.
    private func readSMMU(_ reader: inout SectionReader) -> PhysicalSMMU? {
        let names = smmus.map { $0.name.description }
        let name = reader.value(.smmu, default: names.first ?? "", text: { $0 }, { text throws(ValueFault) in text })
        if let smmu = smmus.first(where: { $0.name.description == name }) { return smmu }
        let hint = NearMiss.best(for: name, among: names).map { ": did you mean `\($0)`?" } ?? ""
        reader.report(
            .error, at: .smmu, "there is no [SMMU \(name.excerpt)], so that the device is left out\(hint)")
        return nil
    }

    /// A device has nothing that its SMMU cannot do.
    private func limit(
        _ ats: inout Bool, _ pasidBits: inout Int, by smmu: PhysicalSMMU, _ reader: inout SectionReader
    ) {
        if ats, !smmu.registers.atsSupported {
            reader.report(.error, at: .ats, "the device has no ATS, because its SMMU \(smmu.name) has none")
            reader.replace(.ats, by: "no")
            ats = false
        }
        let most = smmu.registers.substreamIDSize
        if pasidBits > most {
            reader.report(
                .error, at: .pasidBits,
                "the device has \(most) bits of PASIDs, because its SMMU \(smmu.name) has no more")
            reader.replace(.pasidBits, by: String(most))
            pasidBits = most
        }
    }

    // MARK: - StreamIDs

    /// Gives templates the room up to the next device, and leaves devices out whose StreamIDs are another's already.
    mutating func assignStreamIDs() {
        let all = found
        found = []
        for var device in all {
            if device.definition.isTemplate, !device.hasInstances {
                let next = all.filter { $0.smmu == device.smmu && $0.first > device.first }.map(\.first).min()
                device.definition.instances = (next ?? Self.end) - device.first
                readers[device.reader].replace(.instances, by: String(device.definition.instances))
            }
            if isFree(device) { found.append(device) }
        }
    }

    private mutating func isFree(_ device: Found) -> Bool {
        let range = device.streamIDs
        if range.upperBound > Self.end {
            readers[device.reader].report(
                .error, at: .instances,
                "StreamIDs end at \(Self.hexadecimal(Self.end - 1)), and the template would reach "
                    + "\(Self.hexadecimal(range.upperBound - 1)); it is left out")
            return false
        }
        guard let other = found.first(where: { $0.smmu == device.smmu && $0.streamIDs.overlaps(range) }) else {
            return true
        }
        let both = Self.hexadecimal(max(other.streamIDs.lowerBound, range.lowerBound))
        readers[device.reader].report(
            .error, at: .streamID,
            "StreamID \(both) of SMMU \(device.smmu) is that of [Device \(other.definition.device.name)] already "
                + "(\(readers[other.reader].location(of: .streamID))); the device is left out")
        return false
    }

    private static func hexadecimal(_ number: Int) -> String { "0x" + String(number, radix: 16) }
}
