package import SMMUv3

/// What a session has done, by kind: counted beside ``SessionCounters``.
package struct SessionTallies: Hashable, Sendable {
    /// Commands taken from batches, those of batches that failed too; by ``Command/Opcode/place``.
    package var opcodes = FixedCounters<25>()
    /// Event records read from the sources; by ``EventRecord/place``.
    package var events = FixedCounters<20>()
    package init() {}

    init(opcodes: FixedCounters<25>, events: FixedCounters<20>) { (self.opcodes, self.events) = (opcodes, events) }

    package static func + (a: Self, b: Self) -> Self {
        var both = a
        (both.opcodes, both.events) = (a.opcodes + b.opcodes, a.events + b.events)
        return both
    }
}

extension Command.Opcode {
    /// Where the opcode stands among all. In the order of the cases, so that nothing has to be looked up.
    @inline(__always)
    package var place: Int {
        switch self {  // A table.
        case .prefetchConfig: 0
        case .prefetchAddress: 1
        case .cfgiSTE: 2
        case .cfgiSTERange: 3
        case .cfgiCD: 4
        case .cfgiCDAll: 5
        case .cfgiVMSPIDM: 6
        case .tlbiNHAll: 7
        case .tlbiNHASID: 8
        case .tlbiNHVA: 9
        case .tlbiNHVAA: 10
        case .tlbiEL3All: 11
        case .tlbiEL3VA: 12
        case .tlbiEL2All: 13
        case .tlbiEL2ASID: 14
        case .tlbiEL2VA: 15
        case .tlbiEL2VAA: 16
        case .tlbiS12VMAll: 17
        case .tlbiS2IPA: 18
        case .tlbiNSNHAll: 19
        case .atcInv: 20
        case .priResp: 21
        case .resume: 22
        case .stallTerm: 23
        case .sync: 24
        }
    }
}

extension EventRecord {
    /// Where its kind stands among all; 19 for what the architecture does not know.
    package var place: Int { id?.place ?? EventID.others }
}

extension EventID {
    package static let others = 19

    package var place: Int {
        switch self {  // A table.
        case .unsupportedUpstreamTransaction: 0
        case .badStreamID: 1
        case .steFetch: 2
        case .badSTE: 3
        case .badATSRequest: 4
        case .streamDisabled: 5
        case .translationForbidden: 6
        case .badSubstreamID: 7
        case .cdFetch: 8
        case .badCD: 9
        case .walkExternalAbort: 10
        case .translation: 11
        case .addressSize: 12
        case .access: 13
        case .permission: 14
        case .tlbConflict: 15
        case .configurationConflict: 16
        case .pageRequest: 17
        case .vmsFetch: 18
        }
    }
}
