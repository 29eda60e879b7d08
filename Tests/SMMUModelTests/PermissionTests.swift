import ModelMachine
import SMMUModel
import SMMUv3
import Testing

/// One of the six kinds of access, and the permission that it needs.
struct AccessKind: Sendable {
    let write: Bool
    let privileged: Bool
    let instruction: Bool
    let permission: Permissions

    static let all = [
        AccessKind(write: false, privileged: false, instruction: false, permission: .unprivilegedRead),
        AccessKind(write: true, privileged: false, instruction: false, permission: .unprivilegedWrite),
        AccessKind(write: false, privileged: false, instruction: true, permission: .unprivilegedExecute),
        AccessKind(write: false, privileged: true, instruction: false, permission: .privilegedRead),
        AccessKind(write: true, privileged: true, instruction: false, permission: .privilegedWrite),
        AccessKind(write: false, privileged: true, instruction: true, permission: .privilegedExecute),
    ]
}

/// Everything that stage 1 permissions come of, and what the Arm architecture says comes of it.
private struct Stage1Attributes {
    var ap = 0
    var apTable = 0
    var uxn = false
    var pxn = false
    var uxnTable = false
    var pxnTable = false
    var wxn = false
    var uwxn = false
    var pan = false

    init(ap: Int, apTable: Int, flags: Int) {
        (self.ap, self.apTable) = (ap, apTable)
        (uxn, pxn, uxnTable, pxnTable) = (flags & 1 != 0, flags & 2 != 0, flags & 4 != 0, flags & 8 != 0)
        (wxn, uwxn, pan) = (flags & 16 != 0, flags & 32 != 0, flags & 64 != 0)
    }

    var leaf: UInt64 {
        1 << 10 | 1 << 11 | UInt64(ap) << 6 | (pxn ? 1 << 53 : 0) | (uxn ? 1 << 54 : 0)
    }
    var table: UInt64 { UInt64(apTable) << 61 | (uxnTable ? 1 << 60 : 0) | (pxnTable ? 1 << 59 : 0) }

    func apply(to cd: inout ContextDescriptor) {
        cd.words[0].setBit(36, wxn)
        cd.words[0].setBit(37, uwxn)
        cd.words[0].setBit(40, pan)
    }

    /// Two privilege levels: AP by its table, then what the tables above and the CD take away.
    var expected: Permissions {
        var allowed: Permissions = [.privilegedRead, .privilegedExecute, .unprivilegedExecute]
        switch ap {
        case 0: allowed.insert(.privilegedWrite)
        case 1: allowed.formUnion([.privilegedWrite, .unprivilegedRead, .unprivilegedWrite])
        case 2: break
        default: allowed.insert(.unprivilegedRead)
        }
        if apTable == 1 || apTable == 3 { allowed.subtract([.unprivilegedRead, .unprivilegedWrite]) }
        if apTable == 2 || apTable == 3 { allowed.subtract([.privilegedWrite, .unprivilegedWrite]) }
        let userWrites = allowed.contains(.unprivilegedWrite)
        if uxn || uxnTable || (wxn && userWrites) { allowed.remove(.unprivilegedExecute) }
        if pxn || pxnTable || userWrites || (wxn && allowed.contains(.privilegedWrite)) {
            allowed.remove(.privilegedExecute)
        }
        if pan && allowed.contains(.unprivilegedRead) { allowed.subtract([.privilegedRead, .privilegedWrite]) }
        return allowed
    }

    /// EL2 without E2H: read always, write by AP[2], execution by the one XN; the same for every access.
    var expectedAtEL2: Permissions {
        var allowed: Permissions = [.privilegedRead, .unprivilegedRead]
        let writable = (ap == 0 || ap == 1) && (apTable == 0 || apTable == 1)
        if writable { allowed.formUnion([.privilegedWrite, .unprivilegedWrite]) }
        if !uxn && !uxnTable && !(wxn && writable) { allowed.formUnion([.privilegedExecute, .unprivilegedExecute]) }
        return allowed
    }
}

/// A page of stream 1 whose attributes change.
private struct OnePage: ~Copyable {
    var machine = Machine(capacity: .small)
    private let base: ContextDescriptor
    private let context: UInt64
    private let leafAt: UInt64
    private let tableAt: UInt64

    static let address: UInt64 = 0x12_3456_7000

    init(world: StreamTableEntry.StreamWorld = .nsEL1) {
        let stream = machine.addStage1Stream(1)
        leafAt = machine.map(stream.table, Self.address, to: 0x8000_0000)
        tableAt = machine.descriptorAddress(stream.table, Self.address, level: 2)
        base = machine.cd(stream.table)
        context = stream.context
        var ste = machine.ste(1)
        ste.streamWorld = world
        machine.setSTE(1, ste)
    }

    mutating func use(_ attributes: Stage1Attributes, hierarchicalDisabled: Bool = false) {
        machine.smmu.memory[leafAt] = 0x8000_0003 | attributes.leaf
        let next = machine.smmu.memory[tableAt] & 0x0000_ffff_ffff_ffff
        machine.smmu.memory[tableAt] = next | attributes.table
        var cd = base
        attributes.apply(to: &cd)
        cd.words[1].setBit(1, hierarchicalDisabled)
        machine.smmu.memory.store(cd.words, at: context)
        machine.smmu.invalidateEverything()
    }

    /// What each access is answered must agree with `expected`, and so must what the answers say about each other.
    mutating func check(_ expected: Permissions, _ comment: Comment) {
        for kind in AccessKind.all {
            let result = machine.translate(
                1, Self.address, write: kind.write, privileged: kind.privileged, instruction: kind.instruction)
            switch result {
            case .translated(let translation):
                #expect(translation.pa == 0x8000_0000)
                #expect(translation.permissions == expected, comment)
                #expect(expected.contains(kind.permission), comment)
            case .faulted(let termination):
                #expect(termination.record.id == .permission && !termination.record.stage2, comment)
                #expect(!expected.contains(kind.permission), comment)
            default: Issue.record("\(result)")
            }
        }
    }
}

/// Who may do what to a page.
@Suite struct PermissionTests {
    @Test("perm.ap-privileged, perm.ap-unprivileged: AP alone, without any other attribute", arguments: 0..<4)
    func accessPermissions(ap: Int) {
        let reads: [Permissions] = [.privilegedRead, [.privilegedRead, .unprivilegedRead]]
        let writes: [Permissions] = [.privilegedWrite, [.privilegedWrite, .unprivilegedWrite], [], []]
        // Nothing may be executed: this is about data.
        let attributes = Stage1Attributes(ap: ap, apTable: 0, flags: 3)
        var page = OnePage()
        page.use(attributes)
        page.check(reads[ap & 1].union(writes[ap]), "AP \(ap)")
    }

    @Test(
        "perm.aptable, perm.uxn, perm.pxn, perm.el0-writable, perm.wxn, perm.pan: every combination of attributes",
        arguments: 0..<4, 0..<4)
    func everyCombination(ap: Int, apTable: Int) {
        var page = OnePage()
        for flags in 0..<128 {
            let attributes = Stage1Attributes(ap: ap, apTable: apTable, flags: flags)
            page.use(attributes)
            page.check(attributes.expected, "AP \(ap) APTable \(apTable) flags \(flags)")
        }
    }

    @Test("perm.el2: EL2 has one privilege level and one XN, whatever AP[1] and PXN say", arguments: 0..<4, 0..<4)
    func everyCombinationAtEL2(ap: Int, apTable: Int) {
        var page = OnePage(world: .el2)
        for flags in 0..<128 {
            let attributes = Stage1Attributes(ap: ap, apTable: apTable, flags: flags)
            page.use(attributes)
            page.check(attributes.expectedAtEL2, "AP \(ap) APTable \(apTable) flags \(flags)")
        }
    }

    @Test("perm.el2: EL2 with E2H has the two privilege levels of EL1", arguments: 0..<4)
    func el2E2H(ap: Int) {
        var page = OnePage(world: .el2)
        page.machine.smmu.registers.e2h = true
        for flags in 0..<128 {
            let attributes = Stage1Attributes(ap: ap, apTable: flags & 3, flags: flags)
            page.use(attributes)
            page.check(attributes.expected, "AP \(ap) flags \(flags)")
        }
    }

    @Test("perm.aptable-had: HAD ignores what table descriptors take away", arguments: 0..<4, 0..<4)
    func hierarchicalDisabled(ap: Int, apTable: Int) {
        var page = OnePage()
        for flags in 0..<128 {
            page.use(Stage1Attributes(ap: ap, apTable: apTable, flags: flags), hierarchicalDisabled: true)
            let expected = Stage1Attributes(ap: ap, apTable: 0, flags: flags & ~0xc).expected
            page.check(expected, "AP \(ap) APTable \(apTable) flags \(flags)")
        }
    }

    @Test("perm.aptable-had: an SMMU without HAD takes no notice of the bit, and each table has its own")
    func hierarchicalDisabledWhere() {
        var without = IDRegisters.everything
        without.idr3 &= ~(1 << 2)
        for (ids, had, upper, forbidden) in [
            (without, 1, false, true), (.everything, 1, false, false), (.everything, 1, true, true),
            (.everything, 2, false, true), (.everything, 2, true, false),
        ] {
            var machine = Machine(ids: ids)
            let (low, high) = (machine.stage1Table(), machine.stage1Table())
            var cd = machine.cd(low, high)
            cd.words[had].setBit(1, true)
            machine.setSTE(1, machine.stage1STE(context: machine.place(cd)))
            let address: UInt64 = upper ? 0xffff_ffff_ffff_1000 : 0x1000
            let table = upper ? high : low
            machine.map(table, address, to: 0x8000_0000)
            machine.smmu.memory[machine.descriptorAddress(table, address, level: 1)] |= 3 << 61
            let fault = machine.fault(1, address)
            #expect((fault?.id == .permission) == forbidden)
        }
    }

    @Test("perm.aptable: what tables of several levels take away adds up")
    func hierarchyAddsUp() {
        for (first, second) in [(0, 1), (0, 2), (1, 2), (2, 0), (2, 1), (1, 0)] {
            var machine = Machine()
            let stream = machine.addStage1Stream(1)
            machine.map(stream.table, 0x1000, to: 0x8000_0000)
            let unprivileged = machine.descriptorAddress(stream.table, 0x1000, level: first)
            let writing = machine.descriptorAddress(stream.table, 0x1000, level: second)
            machine.smmu.memory[unprivileged] |= 1 << 61
            machine.smmu.memory[writing] |= 1 << 62
            let results = [
                machine.fault(1, 0x1000, privileged: true), machine.fault(1, 0x1000),
                machine.fault(1, 0x1000, write: true, privileged: true),
            ]
            #expect(results.map { $0?.id } == [nil, .permission, .permission])
        }
    }
}
