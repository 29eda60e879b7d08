/// The second stage of one stream: from intermediate to physical addresses (IHI 0070, 5.2 and 3.4).
struct NaiveStage2 {
    /// Where an access came out, and what its leaf allows.
    struct Result {
        let pa: UInt64
        let permissions: NaivePermissions
    }

    let features: NaiveFeatures
    let granule: NaiveGranule
    let inputBits: Int
    let startLevel: Int
    let outputBits: Int
    let table: UInt64
    /// The effective S2PS is 52 bits, so that the table is aligned to 64 bytes at least.
    let alignsTable: Bool
    let bigEndian: Bool
    let accessFlagDisabled: Bool
    let protectsWalks: Bool
    let forcedWriteBack: Bool
    let stalls: Bool
    let records: Bool

    /// Translates `ipa`. For the classes `cd` and `table` the access is a data read by the SMMU itself.
    func translate(
        _ ipa: UInt64, _ accessClass: NaiveAccess.Class, _ access: NaiveAccess, _ read: NaiveSMMU.Read
    ) throws(NaiveStop) -> Result {
        if ipa.exceeds(width: inputBits) { throw fault(.translation, ipa, accessClass, access) }
        let entries: UInt64 = 1 &<< UInt64(inputBits - granule.shift(level: startLevel))
        var base = table.alignedDown(to: max(alignsTable ? 64 : 8, entries &* 8))
        var level = startLevel
        while level <= 3 {
            let raw = try fetch(base, level, ipa, accessClass, access, read)
            let descriptor = NaiveDescriptor(raw, level: level, granule: granule, outputBits: features.outputBits)
            switch descriptor.kind {
            case .invalid:
                throw fault(.translation, ipa, accessClass, access)
            case .table(let next):
                if next.exceeds(width: outputBits) { throw fault(.addressSize, ipa, accessClass, access) }
                base = next
                level += 1
            case .leaf(let output):
                let address = output | ipa.bits(granule.shift(level: level) - 1, 0)
                return try finish(descriptor, address, ipa, accessClass, access)
            }
        }
        throw fault(.translation, ipa, accessClass, access)
    }

    private func fetch(
        _ base: UInt64, _ level: Int, _ ipa: UInt64, _ accessClass: NaiveAccess.Class, _ access: NaiveAccess,
        _ read: NaiveSMMU.Read
    ) throws(NaiveStop) -> UInt64 {
        let shift = granule.shift(level: level)
        let top = level == startLevel ? inputBits - 1 : shift + granule.stride - 1
        let address = base &+ (ipa.bits(top, shift) &* 8)
        guard let word = read(address) else {
            let record = access.walkAbortRecord(accessClass, stage2: true, fetched: address)
            throw NaiveStop(answer: .fault(record: record, recorded: true))
        }
        return bigEndian ? word.byteSwapped : word
    }

    /// The checks at a leaf, in order of their priority: address size of the whole output
    /// address, access flag, permission.
    private func finish(
        _ descriptor: NaiveDescriptor, _ address: UInt64, _ ipa: UInt64, _ accessClass: NaiveAccess.Class,
        _ access: NaiveAccess
    ) throws(NaiveStop) -> Result {
        if address.exceeds(width: outputBits) { throw fault(.addressSize, ipa, accessClass, access) }
        if !descriptor.accessFlag && !accessFlagDisabled { throw fault(.access, ipa, accessClass, access) }
        let permissions = permissions(descriptor.raw)
        let allowed: Bool
        if accessClass == .input {
            allowed = permissions.allows(access)
        } else {
            allowed = permissions.unprivRead && !(protectsWalks && isDevice(descriptor.raw))
        }
        if !allowed { throw fault(.permission, ipa, accessClass, access) }
        return Result(pa: address, permissions: permissions)
    }

    /// S2AP and XN. The four values of the extended XN are: all, unprivileged only, none, privileged only.
    private func permissions(_ raw: UInt64) -> NaivePermissions {
        let readable = raw.bit(6)
        let writable = raw.bit(7)
        var executable = (unprivileged: !raw.bit(54), privileged: !raw.bit(54))
        if features.hasExtendedExecuteNever {
            let code = raw.bits(54, 53)
            executable = (unprivileged: code == 0 || code == 1, privileged: code == 0 || code == 3)
        }
        return NaivePermissions(
            unprivRead: readable, unprivWrite: writable, unprivExecute: executable.unprivileged,
            privRead: readable, privWrite: writable, privExecute: executable.privileged)
    }

    private func isDevice(_ raw: UInt64) -> Bool {
        forcedWriteBack ? !raw.bit(4) : raw.bits(5, 4) == 0
    }

    private func fault(
        _ event: NaiveAccess.Event, _ ipa: UInt64, _ accessClass: NaiveAccess.Class, _ access: NaiveAccess
    ) -> NaiveStop {
        let record = access.faultRecord(event, accessClass, ipa: ipa, stalled: stalls)
        return NaiveStop(answer: stalls ? .stalled(record: record) : .fault(record: record, recorded: records))
    }
}
