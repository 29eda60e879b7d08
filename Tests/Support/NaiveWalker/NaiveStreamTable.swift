/// The stream table as STRTAB_BASE and STRTAB_BASE_CFG describe it (IHI 0070, 5.1 and 6.3.23 - 6.3.24).
struct NaiveStreamTable {
    let features: NaiveFeatures
    let base: UInt64
    let config: UInt64
    /// CR2.RECINVSID.
    let recordsBadStreamIDs: Bool

    /// Finds and reads the entry of the stream.
    func entry(_ access: NaiveAccess, _ read: NaiveSMMU.Read) throws(NaiveStop) -> NaiveSTE {
        let sid = UInt64(access.question.sid)
        let sizeBits = Int(config.bits(5, 0))
        if sid.exceeds(width: min(sizeBits, features.streamIDBits)) { throw badStreamID(access) }
        let isTwoLevel = features.hasTwoLevelStreams && config.bits(17, 16) == 1
        let address: UInt64
        if isTwoLevel {
            address = try twoLevelAddress(sid, sizeBits, access, read)
        } else {
            address = aligned(entryBytes: 64, indexBits: sizeBits) &+ (sid &* 64)
        }
        return NaiveSTE(words: try fetch(address, words: 8, access, read))
    }

    private func twoLevelAddress(
        _ sid: UInt64, _ sizeBits: Int, _ access: NaiveAccess, _ read: NaiveSMMU.Read
    ) throws(NaiveStop) -> UInt64 {
        let code = Int(config.bits(10, 6))
        let split = code == 8 || code == 10 ? code : 6
        let index = sid.bits(split - 1, 0)
        let table = aligned(entryBytes: 8, indexBits: max(0, sizeBits - split))
        let descriptor = try fetch(table &+ (sid.bits(31, split) &* 8), words: 1, access, read)[0]
        let span = Int(descriptor.bits(4, 0))
        if span == 0 || span > split + 1 { throw badStreamID(access) }
        if index.exceeds(width: span - 1) { throw badStreamID(access) }
        return descriptor.keeping(51, 6 + span - 1) &+ (index &* 64)
    }

    /// The base address, aligned to the size of the table that it points to. The size is what LOG2SIZE says, even when
    /// there are fewer StreamIDs.
    private func aligned(entryBytes: UInt64, indexBits: Int) -> UInt64 {
        // A table of more bytes than there are addresses begins at 0.
        guard entryBytes.leadingZeroBitCount > indexBits else { return 0 }
        return base.keeping(51, 6).alignedDown(to: max(64, entryBytes &<< UInt64(indexBits)))
    }

    private func fetch(
        _ address: UInt64, words count: UInt64, _ access: NaiveAccess, _ read: NaiveSMMU.Read
    ) throws(NaiveStop) -> [UInt64] {
        var words: [UInt64] = []
        for position in 0..<count {
            guard let word = read(address &+ position &* 8) else {
                let record = access.configurationRecord(.steFetch, fetched: address)
                throw NaiveStop(answer: .fault(record: record, recorded: true))
            }
            words.append(word)
        }
        return words
    }

    private func badStreamID(_ access: NaiveAccess) -> NaiveStop {
        let record = access.configurationRecord(.badStreamID)
        return NaiveStop(answer: .fault(record: record, recorded: recordsBadStreamIDs))
    }
}
