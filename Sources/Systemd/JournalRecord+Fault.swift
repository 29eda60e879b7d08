import SMMUv3

extension JournalRecord {
    /// "VM web, device 0000:01:00.0: F_TRANSLATION: no valid translation for the address; write at IOVA 0x1000."
    init(_ fault: FaultEntry) {
        let record = fault.record
        let values = FaultValues(record)
        let device =
            fault.device.isEmpty ? "vSID \(UInt64(record.streamID.rawValue).hex)" : "device \(fault.device.text)"
        let vm = fault.origin.vm.isEmpty ? "" : "VM \(fault.origin.vm.text), "
        let suppressed = fault.suppressed == 0 ? "" : " \(fault.suppressed) earlier ones were not logged."
        let what = "\(record.name): \(record.meaning)\(values.sentence)"
        let alike = fault.isSample ? "of this kind, at any address" : "of the same"
        let merged = fault.count == 1 ? "" : " The last of \(fault.count) \(alike)."
        self.init(.fault, message: "\(vm)\(device): \(what).\(merged)\(suppressed)")

        add("SMMU_EVENT", record.name)
        add(fault.origin)
        add("SMMU_DEVICE", fault.device.text)
        add("SMMU_VSMMU", fault.vsmmu)
        add("SMMU_VSID", UInt64(record.streamID.rawValue).hex)
        add("SMMU_SUBSTREAM", values.substream)
        add("SMMU_IOVA", values.iova)
        add("SMMU_IPA", values.ipa)
        add("SMMU_ACCESS", values.access)
        add("SMMU_PRIVILEGE", values.privilege)
        add("SMMU_STAGE", values.stage)
        add("SMMU_CLASS", values.eventClass)
        add("SMMU_STAG", values.stallTag)
        add("SMMU_SEQUENCE", fault.sequence)
        add("SMMU_COUNT", fault.count)
        if fault.count > 1 {
            add("SMMU_FIRST_USEC", fault.firstTime)
            add("SMMU_LAST_USEC", fault.lastTime)
            if fault.isSample { add("SMMU_SAMPLE", 1) }
        }
        if fault.suppressed > 0 { add("SMMU_SUPPRESSED", fault.suppressed) }
    }
}

/// What a record says, as text; empty what records of its kind do not carry (IHI 0070, 7.3).
private struct FaultValues {
    var substream = ""
    var iova = ""
    var ipa = ""
    var access = ""
    var privilege = ""
    var stage = ""
    var eventClass = ""
    var stallTag = ""

    init(_ record: EventRecord) {
        for field in record.describe() {
            switch field.name {
            case "SubstreamID": substream = field.value.hex
            case "InputAddr": iova = field.value.hex
            case "IPA": ipa = field.value.hex
            case "RnW" where access.isEmpty: access = field.value == 1 ? "read" : "write"
            case "InD" where field.value == 1: access = "execute"
            case "PnU": privilege = field.value == 1 ? "privileged" : "unprivileged"
            case "S2": stage = field.value == 1 ? "2" : "1"
            case "CLASS": eventClass = Self.classNames[Int(field.value & 3)]
            case "STAG": stallTag = field.value.hex
            default: break
            }
        }
    }

    /// CLASS, as the architecture abbreviates it.
    private static let classNames = ["CD", "TTD", "IN", "reserved"]

    var sentence: String {
        var text = ""
        if !iova.isEmpty { text += "; \(access.isEmpty ? "access" : access) at IOVA \(iova)" }
        if !substream.isEmpty { text += ", SubstreamID \(substream)" }
        if !ipa.isEmpty { text += ", IPA \(ipa)" }
        if !stallTag.isEmpty { text += ", stalled" }
        return text
    }
}
