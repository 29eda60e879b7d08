/// The first stage of one context: from input addresses to the addresses that stage 2, if there is one, takes
/// (IHI 0070, 5.4 and 3.4).
struct NaiveStage1 {
    /// Where an access came out, and what the tables allow.
    struct Result {
        let address: UInt64
        let permissions: NaivePermissions
    }

    let features: NaiveFeatures
    let cd: NaiveCD
    /// Two address ranges and two privilege levels. Without them (EL2 without E2H) there is only the lower table.
    let twoRanges: Bool
    let stage2: NaiveStage2?

    func translate(_ access: NaiveAccess, _ read: NaiveSMMU.Read) throws(NaiveStop) -> Result {
        let half = try selectHalf(access)
        guard let granule = half.granule else { throw fault(.translation, access) }
        let walk = Walk(
            granule: granule, inputBits: half.inputBits, outputBits: cd.outputBits(granule, features),
            startLevel: granule.stage1StartLevel(inputBits: half.inputBits),
            usesHierarchy: !(half.hierarchyDisabled && features.hasHierarchicalDisable))
        return try run(walk, table: half.table, access, read)
    }

    /// What stays the same over all the levels of one walk.
    private struct Walk {
        let granule: NaiveGranule
        let inputBits: Int
        let outputBits: Int
        let startLevel: Int
        let usesHierarchy: Bool
    }

    /// The restrictions that the table descriptors on the way down have added.
    private struct Hierarchy {
        var readOnly = false
        var privilegedOnly = false
        var executeNever = false
        var privilegedExecuteNever = false

        mutating func add(_ raw: UInt64) {
            privilegedExecuteNever = privilegedExecuteNever || raw.bit(59)
            executeNever = executeNever || raw.bit(60)
            privilegedOnly = privilegedOnly || raw.bit(61)
            readOnly = readOnly || raw.bit(62)
        }
    }

    /// Picks the table by bit 55; every bit from there down to the input size must repeat it, and those above it too
    /// unless the top byte is ignored.
    private func selectHalf(_ access: NaiveAccess) throws(NaiveStop) -> NaiveCD.Half {
        let iova = access.question.iova
        let isUpper = iova.bit(55)
        if isUpper && !twoRanges { throw fault(.translation, access) }
        let half = isUpper ? cd.upper : cd.lower
        if half.disabled && twoRanges { throw fault(.translation, access) }
        let top = half.topByteIgnored ? 55 : 63
        let repeated = isUpper ? ~iova : iova
        if repeated.keeping(top, half.inputBits) != 0 { throw fault(.translation, access) }
        if twoRanges && features.hasE0PD && half.deniesUnprivileged && !access.privileged {
            throw fault(.translation, access)
        }
        return half
    }

    private func run(
        _ walk: Walk, table: UInt64, _ access: NaiveAccess, _ read: NaiveSMMU.Read
    ) throws(NaiveStop) -> Result {
        let entries: UInt64 = 1 &<< UInt64(walk.inputBits - walk.granule.shift(level: walk.startLevel))
        var base = table.alignedDown(to: max(cd.alignsTables(features) ? 64 : 8, entries &* 8))
        var hierarchy = Hierarchy()
        var level = walk.startLevel
        while level <= 3 {
            let raw = try fetch(walk, base, level, access, read)
            let descriptor = NaiveDescriptor(
                raw, level: level, granule: walk.granule, outputBits: features.outputBits)
            switch descriptor.kind {
            case .invalid:
                throw fault(.translation, access)
            case .table(let next):
                if next.exceeds(width: walk.outputBits) { throw fault(.addressSize, access) }
                if walk.usesHierarchy { hierarchy.add(raw) }
                base = next
                level += 1
            case .leaf(let output):
                let address = output | access.question.iova.bits(walk.granule.shift(level: level) - 1, 0)
                if address.exceeds(width: walk.outputBits) { throw fault(.addressSize, access) }
                return try finish(descriptor, address, hierarchy, access)
            }
        }
        throw fault(.translation, access)
    }

    /// Reads one descriptor, through stage 2 if there is one.
    private func fetch(
        _ walk: Walk, _ base: UInt64, _ level: Int, _ access: NaiveAccess, _ read: NaiveSMMU.Read
    ) throws(NaiveStop) -> UInt64 {
        let shift = walk.granule.shift(level: level)
        let top = level == walk.startLevel ? walk.inputBits - 1 : shift + walk.granule.stride - 1
        var address = base &+ (access.question.iova.bits(top, shift) &* 8)
        if let stage2 { address = try stage2.translate(address, .table, access, read).pa }
        guard let word = read(address) else {
            let record = access.walkAbortRecord(.table, stage2: false, fetched: address)
            throw NaiveStop(answer: .fault(record: record, recorded: true))
        }
        return cd.bigEndian ? word.byteSwapped : word
    }

    private func finish(
        _ descriptor: NaiveDescriptor, _ output: UInt64, _ hierarchy: Hierarchy, _ access: NaiveAccess
    ) throws(NaiveStop) -> Result {
        if !descriptor.accessFlag && !cd.accessFlagDisabled { throw fault(.access, access) }
        let permissions =
            twoRanges ? twoLevels(descriptor.raw, hierarchy) : oneLevel(descriptor.raw, hierarchy)
        var allowed = permissions.allows(access)
        let isPrivilegedData = access.privileged && !access.instruction
        if twoRanges && cd.privilegedAccessNever && isPrivilegedData && permissions.unprivRead { allowed = false }
        if !allowed { throw fault(.permission, access) }
        return Result(address: output, permissions: permissions)
    }

    /// AP[2:1], UXN and PXN of a regime with two privilege levels.
    private func twoLevels(_ raw: UInt64, _ hierarchy: Hierarchy) -> NaivePermissions {
        let writable = !raw.bit(7) && !hierarchy.readOnly
        let forUnprivileged = raw.bit(6) && !hierarchy.privilegedOnly
        let unprivWrite = writable && forUnprivileged
        var unprivExecute = !raw.bit(54) && !hierarchy.executeNever
        var privExecute = !raw.bit(53) && !hierarchy.privilegedExecuteNever
        if unprivWrite { privExecute = false }
        if cd.writeImpliesNoExecute && writable { privExecute = false }
        if cd.writeImpliesNoExecute && unprivWrite { unprivExecute = false }
        if cd.unprivilegedWriteImpliesNoExecute && unprivWrite { privExecute = false }
        return NaivePermissions(
            unprivRead: forUnprivileged, unprivWrite: unprivWrite, unprivExecute: unprivExecute,
            privRead: true, privWrite: writable, privExecute: privExecute)
    }

    /// AP[2] and XN of a regime with a single privilege level; everyone gets the same.
    private func oneLevel(_ raw: UInt64, _ hierarchy: Hierarchy) -> NaivePermissions {
        let writable = !raw.bit(7) && !hierarchy.readOnly
        var executable = !raw.bit(54) && !hierarchy.executeNever
        if cd.writeImpliesNoExecute && writable { executable = false }
        return NaivePermissions(
            unprivRead: true, unprivWrite: writable, unprivExecute: executable,
            privRead: true, privWrite: writable, privExecute: executable)
    }

    private func fault(_ event: NaiveAccess.Event, _ access: NaiveAccess) -> NaiveStop {
        let record = access.faultRecord(event, .input, ipa: nil, stalled: cd.stalls)
        return NaiveStop(answer: cd.stalls ? .stalled(record: record) : .fault(record: record, recorded: cd.records))
    }
}
