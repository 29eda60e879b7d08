import SMMUv3

/// A translation that a device keeps (PCIe ATS; IHI 0070, 3.9.1).
struct ATCEntry {
    /// Translated address of the first byte: physical, or an IPA with split-stage ATS.
    var address: UInt64
    /// What the answer granted; it names no privilege level, that of the request is meant.
    var granted: UInt8
}

/// What a device's ATC is asked: page number at 4 KB, and whose.
extension CacheKey {
    /// The page of `transaction`. Answers for privileged and for unprivileged accesses are kept apart.
    init(atc transaction: Transaction, sizeLog2: Int = 12) {
        let substream = transaction.substreamID.map { UInt64($0.rawValue & 0xfffff) | 1 &<< 20 } ?? 0
        let identity = substream | (transaction.privileged ? 1 &<< 21 : 0)
        self.init(
            page: transaction.address &>> UInt64(sizeLog2),
            tag: UInt64(transaction.streamID.rawValue) | identity &<< 32 | UInt64(sizeLog2) &<< 56)
    }

    var atcStream: UInt32 { UInt32(truncatingIfNeeded: tag) }
    var atcSubstream: SubstreamID? {
        tag.bit(52) ? SubstreamID(UInt32(truncatingIfNeeded: tag.bits(51, 32))) : nil
    }
    var atcSizeLog2: Int { Int(tag.bits(61, 56)) }
}

extension SoftwareSMMU {
    /// What STE.EATS says to an ATS request or a translated access; nil lets it go on (IHI 0070, 3.9.1, 7.3.6, 7.3.8).
    func checkATS(
        _ transaction: Transaction, _ stream: StreamConfiguration
    ) throws(Fault) -> TranslationResult? {
        // Split-stage ATS is off while nobody would have stage 2 checked (5.2 EATS).
        let mode = stream.ats == .splitStage && !registers.atsChecked ? .disabled : stream.ats
        switch (transaction.kind, mode) {
        case (.translationRequest, .disabled), (.translationRequest, .reserved): throw .configuration(.badATSRequest)
        case (.translated, .disabled), (.translated, .reserved): throw .configuration(.translationForbidden)
        case (.translated, .full): return passTranslated(transaction.address)
        default: return nil
        }
    }

    /// A translated access that nothing looks at. An address that no memory can have aborts (IHI 0070, 3.9.1.1).
    func passTranslated(_ address: UInt64) -> TranslationResult {
        address > UInt64.ones(outputAddressSize) ? .aborted : .bypassed(pa: address)
    }

    /// An access of a device that has ATS on: by its ATC if that holds the page, else by a translation request whose
    /// answer it keeps. `transaction.kind` is not looked at.
    ///
    /// The ATC forgets nothing by itself but its oldest entry when room is needed: only ATC_INV makes it.
    public mutating func accessWithATS(_ transaction: Transaction) -> TranslationResult {
        let needed = Permissions.needed(
            write: transaction.write, privileged: false, instruction: transaction.instruction
        ).rawValue
        let key = CacheKey(atc: transaction)
        let offset = transaction.address & 0xfff
        if let cached = atc.value(of: key), cached.granted & needed != 0 {
            return accessTranslated(transaction, cached.address | offset)
        }
        var request = transaction
        request.kind = .translationRequest
        let entry: ATCEntry
        switch translate(request) {
        case .translated(let answer):
            // A request asks for a page; what stage 2 makes of a split-stage address is asked again at each access.
            let address = splitStage(transaction.streamID) ? answer.ipa : answer.pa
            entry = ATCEntry(address: address &- offset, granted: answer.permissions.withoutLevel)
        case .bypassed(let pa): entry = ATCEntry(address: pa &- offset, granted: Permissions.all.withoutLevel)
        case let other: return other
        }
        atc.insert(key, entry)
        guard entry.granted & needed != 0 else {
            let record = EventRecord(.stage1(.permission), request, access: AccessAttributes(request))
            return .faulted(Termination(record: record, recorded: false, response: .atsDenied))
        }
        return accessTranslated(transaction, entry.address | offset)
    }

    /// What the device of `transaction` has been granted for the page, for either privilege level; nil when its ATC does
    /// not hold it.
    public func grantedByATC(_ transaction: Transaction) -> Permissions? {
        guard let entry = atc.value(of: CacheKey(atc: transaction)) else { return nil }
        return Permissions(unprivileged: entry.granted, privileged: entry.granted)
    }

    private mutating func accessTranslated(_ transaction: Transaction, _ address: UInt64) -> TranslationResult {
        var translated = transaction
        translated.kind = .translated
        translated.address = address
        return translate(translated)
    }

    private mutating func splitStage(_ streamID: StreamID) -> Bool {
        var observer = NoObserver()
        guard let slot = try? streamSlot(streamID, &observer) else { return false }
        let stream = streams.values[slot]
        return stream.ats == .splitStage
    }

    /// ATC_INV: what the device drops (IHI 0070, 4.5.1). One that does not answer is reported by the next CMD_SYNC.
    mutating func invalidateATC(_ command: Command) {
        if unresponsiveATCs.contains(command.streamID) {
            atcTimeoutPending = true
            return
        }
        let stream = command.streamID.rawValue
        let everything = command.atcSize >= 52
        let size = min(command.atcSize, 51) + 12
        let first = everything ? 0 : command.address & ~UInt64.ones(size)
        let last = everything ? UInt64.max : first | UInt64.ones(size)
        let everySubstream = command.global && command.substreamValid
        let substream = command.substreamValid ? command.substreamID : nil
        atc.removeAll(where: { key, _ in
            guard key.atcStream == stream, everySubstream || key.atcSubstream == substream else { return false }
            let start = key.page &<< UInt64(key.atcSizeLog2)
            return start <= last && start | UInt64.ones(key.atcSizeLog2) >= first
        })
    }
}
