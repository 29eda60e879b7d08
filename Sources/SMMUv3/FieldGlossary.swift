/// What the fields of STEs, CDs, commands and events are for, in a few words each: for descriptions of fields whose value
/// does not speak for itself.
public enum FieldGlossary {
    /// A few words on the field of this name; nil if there are none. A flag's words say what it means when set.
    public static func words(for name: String) -> String? { table[name] }

    private static let table: [String: String] = ste.merging(cd) { first, _ in first }
        .merging(queues) { first, _ in first }

    private static let ste: [String: String] = [
        "V": "the structure is valid", "S1ContextPtr": "address of the CD, or of the CD table",
        "S1CDMax": "log2 of the number of CDs", "S2HWU": "stage 2 descriptor bits 62:59 left to hardware",
        "DRE": "destructive reads are allowed", "CONT": "log2 of the neighbouring STEs that are alike",
        "DCP": "directed cache prefetches are allowed", "PPAR": "automatic PRI responses carry a PASID",
        "MEV": "similar events may be merged", "S2FWB": "stage 2 forces write-back",
        "S1MPAM": "the CD names the memory partition", "S1STALLD": "stage 1 faults must not stall",
        "MemAttr": "memory type given to the output", "MTCFG": "MemAttr replaces the incoming type",
        "ALLOCCFG": "allocation hints of the output", "NSCFG": "security state of the output",
        "S2VMID": "the VMID that tags translations", "S2T0SZ": "64 minus the bits of an IPA",
        "S2SL0": "the level at which stage 2 starts, coded", "S2AA64": "stage 2 tables are AArch64's",
        "S2ENDI": "stage 2 tables are big-endian", "S2AFFD": "the Access flag of stage 2 is not checked",
        "S2PTW": "a stage 1 table in Device memory is a fault", "S2HD": "hardware updates dirty state of stage 2",
        "S2HA": "hardware updates Access flags of stage 2", "S2S": "stage 2 faults stall",
        "S2R": "stage 2 faults are recorded", "S2TTB": "address of the first stage 2 table",
    ]

    private static let cd: [String: String] = [
        "T0SZ": "64 minus the bits of an address of TT0", "T1SZ": "64 minus the bits of an address of TT1",
        "IR0": "inner cacheability of table walks", "IR1": "inner cacheability of table walks",
        "OR0": "outer cacheability of table walks", "OR1": "outer cacheability of table walks",
        "SH0": "shareability of table walks", "SH1": "shareability of table walks",
        "EPD0": "TT0 is off: its addresses fault", "EPD1": "TT1 is off: its addresses fault",
        "ENDI": "tables are big-endian", "AFFD": "the Access flag is not checked",
        "WXN": "what is writable is not executed", "UWXN": "what is writable unprivileged is not executed privileged",
        "TBI0": "the top byte of TT0 addresses is ignored", "TBI1": "the top byte of TT1 addresses is ignored",
        "PAN": "no privileged data access to unprivileged pages", "AA64": "tables are AArch64's",
        "HD": "hardware updates dirty state", "HA": "hardware updates Access flags",
        "HAFT": "hardware updates Access flags of tables", "S": "faults stall", "R": "faults are recorded",
        "A": "a terminated access aborts", "ASET": "the ASID is not shared with processors",
        "ASID": "the ASID that tags translations", "NSCFG0": "TT0 is in Non-secure memory",
        "NSCFG1": "TT1 is in Non-secure memory", "HAD0": "attributes in table descriptors of TT0 are ignored",
        "HAD1": "attributes in table descriptors of TT1 are ignored", "E0PD0": "unprivileged accesses by TT0 fault",
        "E0PD1": "unprivileged accesses by TT1 fault", "TTB0": "address of the first table of TT0",
        "TTB1": "address of the first table of TT1", "MAIR": "the eight memory types that pages choose from",
        "AMAIR": "auxiliary memory types",
    ]

    private static let queues: [String: String] = [
        "SSec": "for the Secure state", "StreamID": "the device", "SubstreamID": "the device's address space",
        "SSV": "SubstreamID counts", "VMID": "the virtual machine", "Leaf": "only the last level is meant",
        "NUM": "the range has NUM + 1 units", "SCALE": "log2 of the pages in a unit", "Address": "where it begins",
        "IPA": "intermediate physical address", "Range": "2^(Range + 1) StreamIDs", "Global": "for every SubstreamID",
        "PRGIndex": "the page request group that is answered", "Ac": "the transaction is tried again",
        "Ab": "the transaction is aborted", "STAG": "the tag of the stalled transaction",
        "MSH": "shareability of the MSI", "MSIAttr": "memory type of the MSI", "MSIData": "what the MSI writes",
        "MSIAddress": "where the MSI writes", "InputAddr": "the device's address",
        "FetchAddr": "physical address of the read that failed", "STALL": "the transaction is stalled",
        "NS": "for a Non-secure address", "Size": "log2 of the 4 KB pages",
    ]
}
