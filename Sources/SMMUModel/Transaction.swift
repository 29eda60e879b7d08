package import SMMUv3

/// One access of a device as it reaches the SMMU. It lies within one 4 KB page: the model looks at its first byte only.
package struct Transaction: Hashable, Sendable {
    package var streamID: StreamID
    /// nil: the transaction carries none (SSV = 0).
    package var substreamID: SubstreamID?
    /// The input address, all 64 bits.
    package var address: UInt64
    package var write: Bool
    package var privileged: Bool
    /// An instruction fetch; of reads only.
    package var instruction: Bool
    package var kind: Kind

    package enum Kind: UInt8, Sendable {
        case untranslated
        /// A PCIe ATS translation request.
        case translationRequest
        /// An access by an address that an earlier ATS answer gave.
        case translated
    }

    package init(
        _ streamID: StreamID, _ address: UInt64, substreamID: SubstreamID? = nil, write: Bool = false,
        privileged: Bool = false, instruction: Bool = false, kind: Kind = .untranslated
    ) {
        (self.streamID, self.address, self.substreamID) = (streamID, address, substreamID)
        (self.write, self.privileged, self.instruction, self.kind) = (write, privileged, instruction && !write, kind)
    }
}

/// What became of a transaction.
package enum TranslationResult: Hashable, Sendable {
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
package struct Translation: Hashable, Sendable {
    package var pa: UInt64
    /// Both stages' permissions taken together.
    package var permissions: Permissions
    package var stages: Stages
    /// log2 of the bytes around the address that translate alike.
    package var sizeLog2: Int
    /// The stage 1 result; the input address when only stage 2 translates.
    package var ipa: UInt64

    package enum Stages: UInt8, Sendable {
        case stage1 = 1
        case stage2 = 2
        case both = 3
    }
}

/// A transaction that the SMMU terminated with a fault.
package struct Termination: Hashable, Sendable {
    /// The event, whether or not the configuration has it recorded.
    package var record: EventRecord
    package var recorded: Bool
    package var response: Response

    package enum Response: UInt8, Sendable {
        case abort
        /// CD.A = 0: reads give zero, writes vanish.
        case readZeroWriteIgnored
        /// An ATS answer without permission: the device may ask again, nothing was reported.
        case atsDenied
    }
}
