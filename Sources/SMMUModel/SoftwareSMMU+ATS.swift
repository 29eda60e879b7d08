import SMMUv3

/// A translation that a device keeps (PCIe ATS; IHI 0070, 3.9.1).
struct ATCEntry {
    /// Translated address of the first byte: physical, or an IPA with split-stage ATS.
    var address: UInt64
    var permissions: Permissions
}

/// What a device's ATC is asked: page number at 4 KB, and whose.
extension CacheKey {
    /// `sizeLog2` is at most 63, `substream` 20 bits.
    init(atc streamID: StreamID, _ substream: SubstreamID?, _ address: UInt64, sizeLog2: Int) {
        let identity = substream.map { UInt64($0.rawValue) | 1 &<< 20 } ?? 0
        self.init(
            page: address &>> UInt64(sizeLog2),
            tag: UInt64(streamID.rawValue) | identity &<< 32 | UInt64(sizeLog2) &<< 56)
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
        switch (transaction.kind, stream.ats) {
        case (.translationRequest, .disabled), (.translationRequest, .reserved): throw .configuration(.badATSRequest)
        case (.translated, .disabled), (.translated, .reserved): throw .configuration(.translationForbidden)
        case (.translated, .full): return .bypassed(pa: transaction.address)
        default: return nil
        }
    }

    /// An access of a device that has ATS on: by its ATC if that holds the page, else by a translation request whose
    /// answer it keeps. `transaction.kind` is not looked at.
    ///
    /// The ATC forgets nothing by itself but its oldest entry when room is needed: only ATC_INV makes it.
    public mutating func accessWithATS(_ transaction: Transaction) -> TranslationResult {
        let needed = Permissions.needed(
            write: transaction.write, privileged: transaction.privileged, instruction: transaction.instruction)
        if let cached = findATC(transaction), cached.permissions.contains(needed) {
            return accessTranslated(transaction, cached.address)
        }
        var request = transaction
        request.kind = .translationRequest
        switch translate(request) {
        case .translated(let translation):
            // A request asks for a page; what stage 2 makes of a split-stage address is asked again at each access.
            let split = splitStage(transaction.streamID)
            let address = split ? translation.ipa : translation.pa
            let pageOffset = transaction.address & 0xfff
            let entry = ATCEntry(address: address &- pageOffset, permissions: translation.permissions)
            atc.insert(
                CacheKey(atc: transaction.streamID, transaction.substreamID, transaction.address, sizeLog2: 12), entry)
            return accessTranslated(transaction, entry.address | pageOffset)
        case .bypassed(let pa): return .bypassed(pa: pa)
        case let other: return other
        }
    }

    private func findATC(_ transaction: Transaction) -> ATCEntry? {
        let key = CacheKey(atc: transaction.streamID, transaction.substreamID, transaction.address, sizeLog2: 12)
        guard var entry = atc.value(of: key) else { return nil }
        entry.address |= transaction.address & 0xfff
        return entry
    }

    private mutating func accessTranslated(_ transaction: Transaction, _ address: UInt64) -> TranslationResult {
        var translated = transaction
        translated.kind = .translated
        translated.address = address
        return translate(translated)
    }

    private mutating func splitStage(_ streamID: StreamID) -> Bool {
        var observer = NoObserver()
        guard let stream = try? stream(streamID, &observer) else { return false }
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
