/// A second, deliberately simple SMMUv3 translation: the oracle that tests and fuzzers compare the real model with.
///
/// It shares no code with the model, keeps nothing between questions and reads every structure anew. Each step is
/// written as the architecture states it; speed does not matter. No input, however hostile, makes it trap. Hardware
/// update of access flags and dirty state, secure streams and memory attributes are left out.
package struct NaiveSMMU: Sendable {
    /// Reads the aligned little-endian word at a physical address; nil is an external abort.
    package typealias Read = (UInt64) -> UInt64?

    /// IDR0 to IDR5.
    package var idr: [UInt32]
    package var cr0: UInt32
    package var cr2: UInt32
    package var gbpa: UInt32
    package var strtabBase: UInt64
    package var strtabBaseCfg: UInt32

    package init(
        idr: [UInt32], cr0: UInt32, cr2: UInt32, gbpa: UInt32, strtabBase: UInt64, strtabBaseCfg: UInt32
    ) {
        self.idr = idr
        self.cr0 = cr0
        self.cr2 = cr2
        self.gbpa = gbpa
        self.strtabBase = strtabBase
        self.strtabBaseCfg = strtabBaseCfg
    }

    private var features: NaiveFeatures { NaiveFeatures(idr: idr) }

    /// What happens to this transaction, given the registers and what memory holds now.
    package func translate(_ question: NaiveQuestion, read: Read) -> NaiveAnswer {
        guard UInt64(cr0).bit(0) else { return globalBypass(question) }
        do {
            return try stream(NaiveAccess(question), read)
        } catch {
            return error.answer
        }
    }

    /// CR0.SMMUEN is 0: GBPA decides (IHI 0070, 6.3.14).
    private func globalBypass(_ question: NaiveQuestion) -> NaiveAnswer {
        if UInt64(gbpa).bit(20) || question.iova.exceeds(width: features.outputBits) { return .abort }
        return .bypass(pa: question.iova)
    }

    private func stream(_ incoming: NaiveAccess, _ read: Read) throws(NaiveStop) -> NaiveAnswer {
        let table = NaiveStreamTable(
            features: features, base: strtabBase, config: UInt64(strtabBaseCfg),
            recordsBadStreamIDs: UInt64(cr2).bit(1))
        let ste = try table.entry(incoming, read)
        guard ste.valid else { throw stop(.badSTE, incoming) }
        if ste.aborts { return .abort }
        guard ste.isLegal(features) else { throw stop(.badSTE, incoming) }
        let stage2 = ste.usesStage2 ? ste.stage2(features) : nil
        if ste.usesStage2 && stage2 == nil { throw stop(.badSTE, incoming) }

        var access = incoming
        if features.canOverridePermissions {
            access.override(privilege: ste.privilegeOverride, instruction: ste.instructionOverride)
        }
        guard let context = try context(ste, access) else { return try withoutStage1(stage2, access, read) }
        return try withStage1(ste, stage2, context: context, access, read)
    }

    /// The index of the context descriptor to use, or nil when stage 1 is bypassed (IHI 0070, 3.3.3 and 5.2, S1DSS).
    private func context(_ ste: NaiveSTE, _ access: NaiveAccess) throws(NaiveStop) -> UInt64? {
        guard let ssid = access.question.ssid.map({ UInt64($0) }) else {
            guard ste.usesStage1 else { return nil }
            if ste.contextMax(features) == 0 { return 0 }
            switch ste.defaultSubstream {
            case 1: return nil
            case 2: return 0
            default: throw stop(.streamDisabled, access)
            }
        }
        let contextMax = Int(ste.contextMax(features))
        if !ste.usesStage1 || contextMax == 0 || ssid.exceeds(width: contextMax) {
            throw stop(.badSubstreamID, access)
        }
        if ssid == 0 && ste.defaultSubstream == 2 { throw stop(.streamDisabled, access) }
        return ssid
    }

    /// Stage 1 is bypassed: its output is its input, which must fit (IHI 0070, 3.4.1).
    private func withoutStage1(
        _ stage2: NaiveStage2?, _ access: NaiveAccess, _ read: Read
    ) throws(NaiveStop) -> NaiveAnswer {
        let iova = access.question.iova
        if iova.exceeds(width: features.outputBits) {
            let record = access.faultRecord(.addressSize, .input, ipa: nil, stalled: false)
            return .fault(record: record, recorded: true)
        }
        guard let stage2 else { return .bypass(pa: iova) }
        let result = try stage2.translate(iova, .input, access, read)
        return .ok(
            pa: result.pa, unprivRead: result.permissions.unprivRead, unprivWrite: result.permissions.unprivWrite,
            stage: 2)
    }

    private func withStage1(
        _ ste: NaiveSTE, _ stage2: NaiveStage2?, context: UInt64, _ access: NaiveAccess, _ read: Read
    ) throws(NaiveStop) -> NaiveAnswer {
        let hasE2H = UInt64(cr2).bit(0)
        let twoRanges = !ste.isEL2(features) || hasE2H
        let contexts = NaiveContextTable(features: features, ste: ste, stage2: stage2)
        let cd = try contexts.descriptor(context, twoRanges: twoRanges, access, read)
        let stage1 = NaiveStage1(features: features, cd: cd, twoRanges: twoRanges, stage2: stage2)
        let first = try stage1.translate(access, read)
        guard let stage2 else {
            return .ok(
                pa: first.address, unprivRead: first.permissions.unprivRead,
                unprivWrite: first.permissions.unprivWrite, stage: 1)
        }
        let second = try stage2.translate(first.address, .input, access, read)
        return .ok(
            pa: second.pa, unprivRead: first.permissions.unprivRead && second.permissions.unprivRead,
            unprivWrite: first.permissions.unprivWrite && second.permissions.unprivWrite, stage: 3)
    }

    private func stop(_ event: NaiveAccess.Event, _ access: NaiveAccess) -> NaiveStop {
        NaiveStop(answer: .fault(record: access.configurationRecord(event), recorded: true))
    }
}
