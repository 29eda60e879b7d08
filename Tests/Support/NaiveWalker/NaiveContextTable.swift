/// The context descriptors that a stream table entry points to (IHI 0070, 5.2, 5.3 and 3.3.3). The table lies in
/// intermediate memory when the stream has a stage 2.
struct NaiveContextTable {
    let features: NaiveFeatures
    let ste: NaiveSTE
    let stage2: NaiveStage2?

    /// Reads the descriptor with this index and checks it. `twoRanges` as for ``NaiveCD/isLegal``.
    func descriptor(
        _ index: UInt64, twoRanges: Bool, _ access: NaiveAccess, _ read: NaiveSMMU.Read
    ) throws(NaiveStop) -> NaiveCD {
        let address = try address(of: index, access, read)
        let cd = NaiveCD(words: try fetch(address, words: 8, access, read))
        guard cd.isLegal(features, stallDisabled: ste.stage1StallDisabled, twoRanges: twoRanges) else {
            throw NaiveStop(answer: .fault(record: access.configurationRecord(.badCD), recorded: true))
        }
        return cd
    }

    private func address(
        of index: UInt64, _ access: NaiveAccess, _ read: NaiveSMMU.Read
    ) throws(NaiveStop) -> UInt64 {
        let pointer = ste.contextPointer
        if ste.contextMax(features) == 0 || ste.contextFormat == 0 || ste.contextFormat == 3 {
            return pointer &+ (index &* 64)
        }
        let leafBits = ste.contextFormat == 1 ? 6 : 10
        let first = try fetch(pointer &+ (index.bits(31, leafBits) &* 8), words: 1, access, read)[0]
        // An intermediate address that is too large meets a stage 2 fault when it is used.
        let isTooLarge = stage2 == nil && first.keeping(51, 12).exceeds(width: features.outputBits)
        if !first.bit(0) || isTooLarge {
            throw NaiveStop(answer: .fault(record: access.configurationRecord(.badSubstreamID), recorded: true))
        }
        return first.keeping(51, 12) &+ (index.bits(leafBits - 1, 0) &* 64)
    }

    private func fetch(
        _ address: UInt64, words count: UInt64, _ access: NaiveAccess, _ read: NaiveSMMU.Read
    ) throws(NaiveStop) -> [UInt64] {
        var pa = address
        if let stage2 { pa = try stage2.translate(address, .cd, access, read).pa }
        var words: [UInt64] = []
        for position in 0..<count {
            guard let word = read(pa &+ position &* 8) else {
                let record = access.configurationRecord(.cdFetch, fetched: pa)
                throw NaiveStop(answer: .fault(record: record, recorded: true))
            }
            words.append(word)
        }
        return words
    }
}
