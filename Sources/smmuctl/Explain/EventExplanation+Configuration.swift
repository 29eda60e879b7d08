import SMMUv3

/// The texts, one for each kind of event: those that come before an address is translated, and those about queues and
/// caches. Those of translation itself are in EventExplanation+Translation.swift.
extension EventExplanation {
    static func ofConfiguration(_ id: EventID) -> EventExplanation {
        switch id {
        case .badStreamID, .steFetch, .badSTE, .streamDisabled: ofStream(id)
        case .badSubstreamID, .cdFetch, .badCD: ofContext(id)
        case .badATSRequest, .translationForbidden, .pageRequest: ofATS(id)
        default: ofHardware(id)
        }
    }

    private static func ofStream(_ id: EventID) -> EventExplanation {
        switch id {
        case .badStreamID:
            EventExplanation(
                "It looked for the device's entry in the stream table, and the table has no place for this StreamID.",
                [.guest, .vmm],
                [
                    "the guest's driver has not set the device up yet: the first-level descriptor is not valid",
                    "the guest's stream table is too small for the StreamID (STRTAB_BASE_CFG)",
                    "the VMM attached the device under another vSID than the guest's firmware tables (IORT) say",
                ])
        case .steFetch:
            EventExplanation(
                "It read the device's STE, or the descriptor above it, and memory answered with an error.",
                [.vmm, .guest, .host],
                [
                    "the stream table is at an address where the VMM mapped no memory",
                    "the guest wrote a wrong STRTAB_BASE, or a wrong first-level descriptor",
                    "the memory itself has failed: see the host's kernel log",
                ])
        case .streamDisabled:
            EventExplanation(
                "It had the device's STE, which takes only accesses with a PASID (S1DSS), and this one had none.",
                [.guest, .device],
                [
                    "the guest's driver let the device do ordinary DMA on a stream that it set up for PASIDs only",
                    "the device sends some of its accesses, such as MSIs, without the PASID that it was told",
                ])
        default:
            EventExplanation(
                "It read the device's STE and found it ILLEGAL, so that every access of the device aborts.",
                [.guest, .vmm],
                [
                    "the device does DMA before the guest has set it up, or after it was taken down: V is 0",
                    "the guest uses a feature that its SMMU does not have, for the VMM shows other ID registers than it "
                        + "was given",
                    "the guest wants stage 2 for itself (Config 6 or 7), as a hypervisor in it would",
                    "the VMM read the STE while the guest was writing it, or did not read it again after CFGI_STE",
                ])
        }
    }

    private static func ofContext(_ id: EventID) -> EventExplanation {
        switch id {
        case .badSubstreamID:
            EventExplanation(
                "It looked for the CD of the access's PASID, and the guest's CD table has none for it.",
                [.guest, .device],
                [
                    "the guest's driver uses a PASID that is not bound yet, or is unbound while the device still uses it",
                    "the device was told another PASID than the one that was set up",
                    "the stream takes no PASIDs: S1CDMax of its STE is 0",
                ])
        case .cdFetch:
            EventExplanation(
                "It read the CD, or the descriptor above it, and memory answered with an error.",
                [.guest, .vmm, .host],
                [
                    "S1ContextPtr of the STE leads to where the guest has no memory",
                    "the VMM has not mapped the memory that the CD is in",
                    "the memory itself has failed: see the host's kernel log",
                ])
        default:
            EventExplanation(
                "It read the CD of the access and found it ILLEGAL.", [.guest, .vmm],
                [
                    "the device still works while the guest has cleared the CD: V is 0",
                    "the guest overwrote the CD, or the STE leads to memory that is no CD",
                    "the guest uses a feature that its SMMU does not have: a granule, an address size, HTTU",
                ])
        }
    }

    private static func ofATS(_ id: EventID) -> EventExplanation {
        switch id {
        case .badATSRequest:
            EventExplanation(
                "The device asked for a translation to keep (ATS), and EATS of its STE does not allow that.",
                [.guest, .vmm, .device],
                [
                    "the guest switched ATS on in the device, and not in the STE",
                    "the VMM shows the guest a device with ATS, and the SMMU without it",
                    "the device kept ATS on over a reset, or asks without having been told to",
                ])
        case .translationForbidden:
            EventExplanation(
                "The device sent an address as already translated, and EATS of its STE does not allow that.",
                [.device, .guest],
                [
                    "the guest switched ATS off in the STE before it did in the device, which still uses its ATC",
                    "the device was reset or reassigned and kept what was in its ATC",
                    "the device claims translations that it never got: keep it away from memory, and look into it",
                ])
        default:
            EventExplanation(
                "The device said that it will want a page; nothing has failed, and nothing waits for an answer.",
                [.device],
                ["the device prefetches: ordinary with PRI", "if nobody uses PRI, the device has it on by mistake"])
        }
    }

    private static func ofHardware(_ id: EventID) -> EventExplanation {
        switch id {
        case .unsupportedUpstreamTransaction:
            EventExplanation(
                "It was sent an access of a kind that it does not take, and looked into no table.", [.device, .host],
                [
                    "the device uses a kind of access that the interconnect or this SMMU does not carry, such as atomics",
                    "the host's firmware set the bus of the device up wrongly",
                ])
        case .configurationConflict:
            EventExplanation(
                "It found that what it has cached of the configuration contradicts itself.", [.guest, .vmm, .host],
                [
                    "the guest changed STEs or CDs and did not invalidate them (CFGI)",
                    "the VMM kept such a command to itself, or sent it too late",
                    "STEs with different contents say that they are the same (CONT)",
                ])
        case .vmsFetch:
            EventExplanation(
                "It read a VM's structure for MPAM (VMS), and memory answered with an error. That is the host's alone.",
                [.host],
                ["the host's kernel gave the SMMU a wrong address", "the memory has failed: see the host's kernel log"])
        default:
            EventExplanation(
                "It found several translations for one address among those that it has cached.", [.guest, .host],
                [
                    "the guest changed a mapping, or its size, without taking the old one away first "
                        + "(break before make)",
                    "the guest did not invalidate, or invalidated another ASID or a smaller range",
                    "the contiguous bit is set on descriptors that do not belong together",
                    "S2 is 1: the same, by the host's kernel",
                ])
        }
    }
}
