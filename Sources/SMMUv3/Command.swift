/// A command: 16 bytes, two little-endian words (IHI 0070, 4.1). The words are the value; fields are views of them.
public struct Command: Hashable, Sendable, BitwiseCopyable {
    public var d0: UInt64
    public var d1: UInt64

    @inlinable public init(d0: UInt64, d1: UInt64) { (self.d0, self.d1) = (d0, d1) }

    public enum Opcode: UInt8, Sendable, CaseIterable {
        case prefetchConfig = 0x01
        case prefetchAddress = 0x02
        case cfgiSTE = 0x03
        /// Range 31 is CFGI_ALL.
        case cfgiSTERange = 0x04
        case cfgiCD = 0x05
        case cfgiCDAll = 0x06
        case cfgiVMSPIDM = 0x07
        case tlbiNHAll = 0x10
        case tlbiNHASID = 0x11
        case tlbiNHVA = 0x12
        case tlbiNHVAA = 0x13
        case tlbiEL3All = 0x18
        case tlbiEL3VA = 0x1a
        case tlbiEL2All = 0x20
        case tlbiEL2ASID = 0x21
        case tlbiEL2VA = 0x22
        case tlbiEL2VAA = 0x23
        case tlbiS12VMAll = 0x28
        case tlbiS2IPA = 0x2a
        case tlbiNSNHAll = 0x30
        case atcInv = 0x40
        case priResp = 0x41
        case resume = 0x44
        case stallTerm = 0x45
        case sync = 0x46
    }

    @inlinable public var opcode: Opcode? { Opcode(rawValue: UInt8(truncatingIfNeeded: d0)) }
    @inlinable public var streamID: StreamID { StreamID(UInt32(truncatingIfNeeded: d0 &>> 32)) }
    @inlinable public var substreamID: SubstreamID { SubstreamID(UInt32(truncatingIfNeeded: d0.bits(31, 12))) }
    /// SSV: the SubstreamID is meant.
    @inlinable public var substreamValid: Bool { d0.bit(11) }
    /// SSec: the command is for the Secure state. Illegal in a Non-secure queue.
    @inlinable public var secure: Bool { d0.bit(10) }
    /// Leaf: first-level descriptors, or table descriptors, need not be dropped.
    @inlinable public var leaf: Bool { d1.bit(0) }
    /// Range of CFGI_STE_RANGE: 2^(range+1) StreamIDs.
    @inlinable public var range: Int { Int(d1.bits(4, 0)) }
    @inlinable public var vmid: UInt16 { UInt16(truncatingIfNeeded: d0 &>> 32) }
    @inlinable public var asid: UInt16 { UInt16(truncatingIfNeeded: d0 &>> 48) }
    @inlinable public var num: Int { Int(d0.bits(16, 12)) }
    @inlinable public var scale: Int { Int(d0.bits(24, 20)) }
    @inlinable public var ttl: Int { Int(d1.bits(9, 8)) }
    @inlinable public var tg: Int { Int(d1.bits(11, 10)) }
    /// The address of TLBI and ATC_INV, bits 63:12.
    @inlinable public var address: UInt64 { d1 & ~0xfff }
    /// IPA of TLBI_S2_IPA, bits 51:12.
    @inlinable public var ipa: UInt64 { d1 & 0x000f_ffff_ffff_f000 }
    /// Global of ATC_INV: every SubstreamID.
    @inlinable public var global: Bool { d0.bit(9) }
    /// Size of ATC_INV: 2^size × 4 KB; 52 is everything.
    @inlinable public var atcSize: Int { Int(d1.bits(5, 0)) }
    @inlinable public var stag: UInt16 { UInt16(truncatingIfNeeded: d1) }

    /// RESUME {Ab, Ac}.
    public var resumeAction: ResumeAction {
        d0.bit(12) ? .retry : (d0.bit(13) ? .abort : .terminate)
    }

    public enum ResumeAction: Hashable, Sendable { case terminate, retry, abort }

    public var syncSignal: SyncSignal {
        switch d0.bits(13, 12) {
        case 1: .interrupt(address: d1 & 0x000f_ffff_ffff_fffc, data: UInt32(truncatingIfNeeded: d0 &>> 32))
        case 2: .event
        default: .none
        }
    }

    /// How a CMD_SYNC says that it is complete.
    public enum SyncSignal: Hashable, Sendable {
        case none
        /// CS = 1: an interrupt, as a 32-bit MSI write of `data` when `address` is not 0 and the SMMU has MSIs.
        case interrupt(address: UInt64, data: UInt32)
        /// CS = 2: an event for WFE.
        case event
    }
}

// MARK: - Making commands

extension Command {
    /// What a TLBI by address covers besides its address.
    public struct Span: Hashable, Sendable {
        /// nil: one 4 KB-aligned address, no level, no range.
        public var granule: Granule?
        public var num: Int
        public var scale: Int
        public var ttl: Int

        public static let page = Span(granule: nil, num: 0, scale: 0, ttl: 0)

        public init(granule: Granule?, num: Int = 0, scale: Int = 0, ttl: Int = 0) {
            (self.granule, self.num, self.scale, self.ttl) = (granule, num, scale, ttl)
        }
    }

    public static func make(_ opcode: Opcode) -> Command { Command(d0: UInt64(opcode.rawValue), d1: 0) }

    private static func make(_ opcode: Opcode, stream: StreamID, _ substream: SubstreamID? = nil) -> Command {
        Command(
            d0: UInt64(opcode.rawValue) | UInt64(stream.rawValue) << 32 | UInt64((substream?.rawValue ?? 0) & 0xfffff)
                << 12,
            d1: 0)
    }

    public static func prefetchConfig(_ stream: StreamID, _ substream: SubstreamID? = nil) -> Command {
        var command = make(.prefetchConfig, stream: stream, substream)
        if substream != nil { command.d0 |= 1 << 11 }
        return command
    }
    public static func cfgiSTE(_ stream: StreamID, leaf: Bool = false) -> Command {
        var command = make(.cfgiSTE, stream: stream)
        command.d1 = leaf ? 1 : 0
        return command
    }
    public static func cfgiSTERange(_ stream: StreamID, range: Int) -> Command {
        var command = make(.cfgiSTERange, stream: stream)
        command.d1 = UInt64(truncatingIfNeeded: range) & 31
        return command
    }
    public static let cfgiAll = Command(d0: 0x04, d1: 31)
    public static func cfgiCD(_ stream: StreamID, _ substream: SubstreamID, leaf: Bool = true) -> Command {
        var command = make(.cfgiCD, stream: stream, substream)
        command.d1 = leaf ? 1 : 0
        return command
    }
    public static func cfgiCDAll(_ stream: StreamID) -> Command { make(.cfgiCDAll, stream: stream) }

    /// A TLBI of all of a VMID, an ASID, or an address; `opcode` says which of the fields count.
    public static func tlbi(
        _ opcode: Opcode, vmid: UInt16 = 0, asid: UInt16 = 0, address: UInt64 = 0, span: Span = .page,
        leaf: Bool = false
    ) -> Command {
        var command = Command(
            d0: UInt64(opcode.rawValue) | UInt64(vmid) << 32 | UInt64(asid) << 48, d1: address & ~0xfff)
        command.d1 |= leaf ? 1 : 0
        command.d0.setBits(16, 12, UInt64(truncatingIfNeeded: span.num))
        command.d0.setBits(24, 20, UInt64(truncatingIfNeeded: span.scale))
        command.d1.setBits(9, 8, UInt64(truncatingIfNeeded: span.ttl))
        command.d1.setBits(11, 10, span.granule.map { $0 == .k4 ? 1 : ($0 == .k16 ? 2 : 3) } ?? 0)
        return command
    }

    public static func atcInv(
        _ stream: StreamID, _ substream: SubstreamID? = nil, global: Bool = false, address: UInt64 = 0, size: Int = 52
    ) -> Command {
        var command = make(.atcInv, stream: stream, substream)
        if substream != nil || global { command.d0 |= 1 << 11 }
        if global { command.d0 |= 1 << 9 }
        command.d1 = address & ~0xfff | UInt64(truncatingIfNeeded: size) & 63
        return command
    }

    public static func resume(_ stream: StreamID, tag: UInt16, _ action: ResumeAction) -> Command {
        var command = make(.resume, stream: stream)
        switch action {
        case .terminate: break
        case .retry: command.d0 |= 1 << 12
        case .abort: command.d0 |= 1 << 13
        }
        command.d1 = UInt64(tag)
        return command
    }
    public static func stallTerm(_ stream: StreamID) -> Command { make(.stallTerm, stream: stream) }

    public static func sync(_ signal: SyncSignal = .none) -> Command {
        switch signal {
        case .none: make(.sync)
        case .event: Command(d0: 0x46 | 2 << 12, d1: 0)
        case .interrupt(let address, let data):
            Command(d0: 0x46 | 1 << 12 | UInt64(data) << 32, d1: address & 0x000f_ffff_ffff_fffc)
        }
    }
}
