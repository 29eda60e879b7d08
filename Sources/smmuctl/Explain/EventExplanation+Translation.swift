import SMMUv3

/// The texts of the events of translation itself, which are about either stage.
extension EventExplanation {
    /// nil for other events.
    static func ofTranslation(_ id: EventID, stage2: Bool) -> EventExplanation? {
        if id == .walkExternalAbort { return walkAbort }
        guard id.isTranslationFault else { return nil }
        return stage2 ? ofStage2(id) : ofStage1(id)
    }

    private static let walkAbort = EventExplanation(
        "It read a descriptor of a translation table, and memory answered with an error.", [.host, .guest, .vmm],
        [
            "a table of the guest is at an address that is no memory: a device, or a hole",
            "the VMM has taken memory away that the guest keeps tables in",
            "the memory itself has failed: see the host's kernel log for hardware errors",
        ])

    private static func ofStage1(_ id: EventID) -> EventExplanation {
        switch id {
        case .addressSize:
            EventExplanation(
                "It walked the guest's stage 1 tables, and one of them leads to an address that is too large for it.",
                [.guest],
                [
                    "a descriptor or a table's address was overwritten",
                    "the guest uses larger addresses than IPS of its CD, or than its SMMU has (OAS)",
                ])
        case .access:
            EventExplanation(
                "It walked the guest's stage 1 tables and found the page, whose Access flag is 0.", [.guest, .vmm],
                [
                    "the guest counts on hardware that sets the flag (HTTU), and its SMMU has none",
                    "the guest cleared the flag to see what is used, and shares these tables with the device (SVA)",
                ])
        case .permission:
            EventExplanation(
                "It walked the guest's stage 1 tables and found the page, which does not permit this access.",
                [.guest, .device],
                [
                    "the driver mapped the buffer for the other direction: a write to a page that is to be read",
                    "the device writes beyond its buffer into a page that is to be read",
                    "an access without privilege to a page that needs it, or an instruction fetch from data",
                ])
        default:
            EventExplanation(
                "It walked the guest's stage 1 tables for the device's address and came to a descriptor that is not "
                    + "valid.", [.guest, .device, .vmm],
                [
                    "the guest's driver unmapped the buffer while the device was still using it",
                    "the driver gave the device an address that it never mapped, such as a physical one",
                    "the device went beyond the end of its buffer, or goes on with addresses from before a reset",
                    "firmware or a boot loader left the device running when the guest took over",
                    "the VMM did not pass an invalidation on, so that an old entry without the mapping still counts",
                ])
        }
    }

    private static func ofStage2(_ id: EventID) -> EventExplanation {
        switch id {
        case .addressSize:
            EventExplanation(
                "Stage 1 was done; its output, an IPA, is larger than the IPAs of this VM.", [.guest, .memory],
                [
                    "the guest's tables lead to an address beyond its memory",
                    "the VMM shows the guest larger addresses (OAS) than the host's stage 2 has",
                ])
        case .access:
            EventExplanation(
                "Stage 1 was done; the host's stage 2 has the page, and its Access flag is 0.", [.host],
                ["the host's kernel, which sets the flag in all that it maps for VMs, has an error"])
        case .permission:
            EventExplanation(
                "Stage 1 was done; the host's stage 2 has the page, and does not permit this access.",
                [.memory, .guest],
                [
                    "the VMM mapped this part of memory for reading only, as it does with ROM, and the device writes",
                    "the guest mapped the wrong address for the device",
                ])
        default:
            EventExplanation(
                "Stage 1 was done; for its output, an IPA, the host's stage 2 has nothing.", [.memory, .guest],
                [
                    "the guest mapped something that is no memory for the device, such as another device's registers",
                    "the VMM has not mapped this part of the guest's memory, or has taken it away: hotplug, balloon",
                    "the guest's tables are overwritten; with CLASS 0 or 1 they are themselves at such an address",
                ])
        }
    }

    /// MSIs go through stage 1 like any access, and Linux gives the device the address of the doorbell.
    static func doorbell(read: Bool) -> EventExplanation {
        EventExplanation(
            "The guest does not map the MSI doorbell: with nested translation the device's interrupts are writes to "
                + "0x8000000-0x80fffff, which the guest's stage 1 has to map to itself.", [.vmm, .guest],
            [
                "the VMM's firmware tables do not tell the guest to map the window: an RMR node in the IORT, or "
                    + "iommu-addresses in the device tree, for this device",
                "the guest's kernel does not follow them: Linux of recent years does, other systems may not",
                "the guest uses another domain for the device (VFIO in the guest) that lacks the window",
            ] + (read ? ["this access is a read, and an MSI is a write: the driver may just use a wrong address"] : []))
    }
}
