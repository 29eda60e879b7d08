/// The number of an event record (IHI 0070, 7.3).
public enum EventID: UInt8, Sendable, CaseIterable {
    case unsupportedUpstreamTransaction = 0x01
    case badStreamID = 0x02
    case steFetch = 0x03
    case badSTE = 0x04
    case badATSRequest = 0x05
    case streamDisabled = 0x06
    case translationForbidden = 0x07
    case badSubstreamID = 0x08
    case cdFetch = 0x09
    case badCD = 0x0a
    case walkExternalAbort = 0x0b
    case translation = 0x10
    case addressSize = 0x11
    case access = 0x12
    case permission = 0x13
    case tlbConflict = 0x20
    case configurationConflict = 0x21
    case pageRequest = 0x24
    case vmsFetch = 0x25

    /// The architecture's name.
    public var name: String {
        switch self {
        case .unsupportedUpstreamTransaction: "F_UUT"
        case .badStreamID: "C_BAD_STREAMID"
        case .steFetch: "F_STE_FETCH"
        case .badSTE: "C_BAD_STE"
        case .badATSRequest: "F_BAD_ATS_TREQ"
        case .streamDisabled: "F_STREAM_DISABLED"
        case .translationForbidden: "F_TRANSL_FORBIDDEN"
        case .badSubstreamID: "C_BAD_SUBSTREAMID"
        case .cdFetch: "F_CD_FETCH"
        case .badCD: "C_BAD_CD"
        case .walkExternalAbort: "F_WALK_EABT"
        case .translation: "F_TRANSLATION"
        case .addressSize: "F_ADDR_SIZE"
        case .access: "F_ACCESS"
        case .permission: "F_PERMISSION"
        case .tlbConflict: "F_TLB_CONFLICT"
        case .configurationConflict: "F_CFG_CONFLICT"
        case .pageRequest: "E_PAGE_REQUEST"
        case .vmsFetch: "F_VMS_FETCH"
        }
    }

    /// The four faults of a translation itself: they follow CD.R and CD.S, or STE.S2R and STE.S2S.
    public var isTranslationFault: Bool {
        switch self {
        case .translation, .addressSize, .access, .permission: true
        default: false
        }
    }
}

extension EventID {
    /// The kinds of which Linux hands records to a VMM, those of stage 2 and of stalled transactions excepted.
    public var forwardedByLinux: Bool {
        switch self {
        case .badSTE, .streamDisabled, .badSubstreamID, .badCD: true
        default: isTranslationFault
        }
    }
}

/// An event record: 32 bytes, four little-endian words (IHI 0070, 7.3). The words are the value; fields are views.
public struct EventRecord: Hashable, Sendable, BitwiseCopyable {
    public var words: SIMD4<UInt64>

    @inlinable public init(words: SIMD4<UInt64> = .zero) { self.words = words }
    public init(_ word0: UInt64, _ word1: UInt64, _ word2: UInt64, _ word3: UInt64) {
        words = SIMD4(word0, word1, word2, word3)
    }

    @inlinable public init(_ id: EventID, stream: StreamID) {
        words = .zero
        words[0] = UInt64(id.rawValue) | UInt64(stream.rawValue) &<< 32
    }

    /// CLASS: what the address that faulted belongs to.
    public enum Class: UInt8, Sendable, CaseIterable {
        /// The fetch of a CD.
        case contextDescriptor = 0
        /// The fetch of a stage 1 table descriptor.
        case tableDescriptor = 1
        /// The transaction's own address.
        case input = 2
    }

    /// nil: a number the architecture leaves to implementations, or does not know.
    public var id: EventID? { EventID(rawValue: UInt8(truncatingIfNeeded: words[0])) }
    public var number: UInt8 { UInt8(truncatingIfNeeded: words[0]) }
    public var streamID: StreamID {
        get { StreamID(UInt32(truncatingIfNeeded: words[0] &>> 32)) }
        set { words[0].setBits(63, 32, UInt64(newValue.rawValue)) }
    }
    /// SSV and SubstreamID. C_BAD_SUBSTREAMID has the number without SSV (``badSubstreamID``).
    @inlinable public var substreamID: SubstreamID? {
        get { words[0].bit(11) ? SubstreamID(UInt32(words[0].bits(31, 12))) : nil }
        set {
            words[0].setBit(11, newValue != nil)
            words[0].setBits(31, 12, UInt64(newValue?.rawValue ?? 0))
        }
    }
    /// The SubstreamID of a C_BAD_SUBSTREAMID, which is always there.
    public var badSubstreamID: SubstreamID {
        get { SubstreamID(UInt32(words[0].bits(31, 12))) }
        set { words[0].setBits(31, 12, UInt64(newValue.rawValue)) }
    }
    /// STAG and STALL: the tag that RESUME answers.
    @inlinable public var stallTag: UInt16? {
        get { words[1].bit(31) ? UInt16(truncatingIfNeeded: words[1]) : nil }
        set {
            words[1].setBit(31, newValue != nil)
            words[1].setBits(15, 0, UInt64(newValue ?? 0))
        }
    }
    @inlinable public var privileged: Bool {
        get { words[1].bit(33) }
        set { words[1].setBit(33, newValue) }
    }
    @inlinable public var instruction: Bool {
        get { words[1].bit(34) }
        set { words[1].setBit(34, newValue) }
    }
    @inlinable public var read: Bool {
        get { words[1].bit(35) }
        set { words[1].setBit(35, newValue) }
    }
    @inlinable public var stage2: Bool {
        get { words[1].bit(39) }
        set { words[1].setBit(39, newValue) }
    }
    /// nil: the reserved value 3.
    @inlinable public var eventClass: Class? { Class(rawValue: UInt8(words[1].bits(41, 40))) }
    @inlinable public mutating func setClass(_ value: Class) { words[1].setBits(41, 40, UInt64(value.rawValue)) }
    /// TTRnW: with CLASS = TTD, the table access was a read.
    @inlinable public var tableRead: Bool {
        get { words[1].bit(44) }
        set { words[1].setBit(44, newValue) }
    }
    @inlinable public var inputAddress: UInt64 {
        get { words[2] }
        set { words[2] = newValue }
    }
    /// IPA, bits 51:12, of a stage 2 fault.
    @inlinable public var ipa: UInt64 {
        get { words[3] & Self.ipaMask }
        set { words[3] = (words[3] & ~Self.ipaMask) | (newValue & Self.ipaMask) }
    }
    @inlinable public static var ipaMask: UInt64 { 0x000f_ffff_ffff_f000 }
    /// FetchAddr, bits 51:3: the physical address whose read aborted.
    @inlinable public var fetchAddress: UInt64 {
        get { words[3] & Self.fetchAddressMask }
        set { words[3] = (words[3] & ~Self.fetchAddressMask) | (newValue & Self.fetchAddressMask) }
    }
    @inlinable public static var fetchAddressMask: UInt64 { 0x000f_ffff_ffff_fff8 }

    /// What Linux hands to a VMM through a vEVENTQ; it keeps the others in its log, and answers stalls elsewhere.
    public var forwardedByLinux: Bool {
        guard let id, id.forwardedByLinux else { return false }
        return !id.isTranslationFault || (!stage2 && stallTag == nil)
    }
}
