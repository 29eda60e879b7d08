public import SMMUv3

/// One access of a device as it reaches the SMMU. It lies within one 4 KB page: the model looks at its first byte only.
public struct Transaction: Hashable, Sendable {
    public var streamID: StreamID
    /// nil: the transaction carries none (SSV = 0).
    public var substreamID: SubstreamID?
    /// The input address, all 64 bits.
    public var address: UInt64
    public var write: Bool
    public var privileged: Bool
    /// An instruction fetch; of reads only. A translation request asks with it for execution too, also one for writing.
    public var instruction: Bool
    public var kind: Kind

    public enum Kind: UInt8, Sendable {
        case untranslated
        /// A PCIe ATS translation request.
        case translationRequest
        /// An access by an address that an earlier ATS answer gave.
        case translated
    }

    public init(
        _ streamID: StreamID, _ address: UInt64, substreamID: SubstreamID? = nil, write: Bool = false,
        privileged: Bool = false, instruction: Bool = false, kind: Kind = .untranslated
    ) {
        (self.streamID, self.address, self.substreamID) = (streamID, address, substreamID)
        (self.write, self.privileged, self.kind) = (write, privileged, kind)
        self.instruction = false
        self.instruction = instruction && mayBeInstruction
    }

    /// Writes are data; a request for both directions makes none (IHI 0070, 3.9.1 and 13.1.2).
    var mayBeInstruction: Bool { !write || kind == .translationRequest }
}

/// What became of a transaction.
public enum TranslationResult: Hashable, Sendable {
    case translated(Translation)
    /// No stage translates this stream, or the SMMU is off.
    case bypassed(pa: UInt64)
    /// Terminated with an abort, without an event: an aborting STE, or GBPA.
    case aborted
    case faulted(Termination)
    /// Held until RESUME or STALL_TERM answers the tag.
    case stalled(EventRecord, tag: UInt16)
    /// Every stall tag is taken: the device has to try again after a RESUME.
    case backpressured
}

/// A successful translation.
public struct Translation: Hashable, Sendable {
    public var pa: UInt64
    /// Both stages' permissions taken together.
    public var permissions: Permissions
    public var stages: Stages
    /// log2 of the bytes around the address that translate alike.
    public var sizeLog2: Int
    /// The stage 1 result; the input address when only stage 2 translates.
    public var ipa: UInt64
    /// What stage 1 allows by itself; everything when only stage 2 translates.
    public var stage1: Permissions

    public enum Stages: UInt8, Sendable {
        case stage1 = 1
        case stage2 = 2
        case both = 3
    }
}

/// A transaction that the SMMU terminated with a fault.
public struct Termination: Hashable, Sendable {
    /// The event, whether or not the configuration has it recorded.
    public var record: EventRecord
    public var recorded: Bool
    public var response: Response
    /// What stage 1 allows by itself, when it came through and stage 2 of its result faulted; else nothing.
    public var stage1: Permissions = []

    public enum Response: UInt8, Sendable {
        case abort
        /// CD.A = 0: reads give zero, writes vanish.
        case readZeroWriteIgnored
        /// An ATS answer without permission: the device may ask again, nothing was reported.
        case atsDenied
    }
}
