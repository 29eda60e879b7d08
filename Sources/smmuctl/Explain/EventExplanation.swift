import SMMUv3

/// What an event means in words, for someone who has to find the fault.
struct EventExplanation {
    /// Who may have to change something.
    enum Side: String, CaseIterable {
        case guest, memory, device, vmm, host

        var text: String {
            switch self {
            case .guest: "the guest: its driver, or the tables of its stage 1"
            case .memory: "the host's stage 2, which is the memory that the VMM mapped"
            case .device: "the device"
            case .vmm: "the VMM"
            case .host: "the host: its kernel or its hardware"
            }
        }
    }

    /// What the SMMU was at, and what stopped it.
    let doing: String
    /// The likeliest first.
    let sides: [Side]
    /// The likeliest first.
    let causes: [String]

    init(_ doing: String, _ sides: [Side], _ causes: [String]) {
        (self.doing, self.sides, self.causes) = (doing, sides, causes)
    }

    /// The window in which Linux gives devices the addresses of their MSI doorbells (MSI_IOVA_BASE, 1 MiB).
    static let doorbells: ClosedRange<UInt64> = 0x0800_0000...0x080f_ffff

    /// Whether it is an access to an MSI doorbell that stage 1 stopped.
    static func isDoorbell(_ record: EventRecord) -> Bool {
        record.id?.isTranslationFault == true && !record.stage2 && record.eventClass == .input
            && doorbells.contains(record.inputAddress)
    }

    init(_ record: EventRecord) {
        if Self.isDoorbell(record) {
            self = Self.doorbell(read: record.read)
        } else if let id = record.id {
            self.init(id, stage2: record.stage2)
        } else if record.name.hasPrefix("IMPDEF") {
            self.init(
                "The SMMU's implementer has defined this event; the architecture says nothing about it.",
                [.host, .device], ["a condition that the manual of this SMMU describes"])
        } else {
            self.init(
                "The architecture has no event of this number: these words are probably no event record.", [],
                [
                    "the words are not in order: give word 0 first, as Linux prints them",
                    "the bytes were given as words: give all 32 bytes as one argument in memory order",
                    "a newer architecture than this command knows",
                ])
        }
    }

    init(_ id: EventID, stage2: Bool) {
        self = Self.ofTranslation(id, stage2: stage2) ?? Self.ofConfiguration(id)
    }
}
