import ModelMachine
import SMMUModel
import SMMUv3
import Testing

/// What stage 2, and both stages together, let a device do.
@Suite struct Stage2PermissionTests {
    /// S2AP and XN by the book.
    private static func expected(s2ap: Int, xn: Int, xnx: Bool) -> Permissions {
        var allowed: Permissions = []
        if s2ap == 1 || s2ap == 3 { allowed.formUnion([.privilegedRead, .unprivilegedRead]) }
        if s2ap == 2 || s2ap == 3 { allowed.formUnion([.privilegedWrite, .unprivilegedWrite]) }
        switch (xnx, xn) {
        case (false, 0), (false, 1), (true, 0): allowed.formUnion([.privilegedExecute, .unprivilegedExecute])
        case (true, 1): allowed.insert(.unprivilegedExecute)
        case (true, 3): allowed.insert(.privilegedExecute)
        default: break
        }
        return allowed
    }

    private static func leaf(s2ap: Int, xn: Int) -> UInt64 {
        1 << 10 | 0xf << 2 | UInt64(s2ap) << 6 | UInt64(xn) << 53
    }

    @Test(
        "perm.s2ap, perm.s2-xn: S2AP and XN of a stage 2 leaf, with and without XNX", arguments: 0..<16, [false, true])
    func stage2(code: Int, xnx: Bool) {
        var ids = IDRegisters.everything
        if !xnx { ids.idr3 &= ~(1 << 4) }
        let (s2ap, xn) = (code & 3, code >> 2)
        let expected = Self.expected(s2ap: s2ap, xn: xn, xnx: xnx)
        var machine = Machine(ids: ids, capacity: .small)
        let table = machine.stage2Table()
        machine.map(table, 0x5000, to: 0x8000_0000, attributes: Self.leaf(s2ap: s2ap, xn: xn))
        machine.setSTE(1, machine.stage2STE(table))
        for kind in AccessKind.all {
            let result = machine.translate(
                1, 0x5000, write: kind.write, privileged: kind.privileged, instruction: kind.instruction)
            switch result {
            case .translated(let translation):
                #expect(translation.permissions == expected && expected.contains(kind.permission))
            case .faulted(let termination):
                #expect(!expected.contains(kind.permission))
                #expect(termination.record.id == .permission && termination.record.stage2)
                #expect(termination.record.eventClass == .input && termination.record.ipa == 0x5000)
            default: Issue.record("\(result)")
            }
        }
    }

    @Test(
        "perm.both-stages, order.stage1-before-stage2: an access needs both stages, and stage 1 speaks first",
        arguments: 0..<16, 0..<16)
    func bothStages(code1: Int, code2: Int) {
        let (ap, uxn, pxn) = (code1 & 3, code1 & 4 != 0, code1 & 8 != 0)
        var first: Permissions = [.privilegedRead]
        if ap <= 1 { first.insert(.privilegedWrite) }
        if ap == 1 || ap == 3 { first.insert(.unprivilegedRead) }
        if ap == 1 { first.insert(.unprivilegedWrite) }
        if !uxn { first.insert(.unprivilegedExecute) }
        if !pxn && ap != 1 { first.insert(.privilegedExecute) }
        let second = Self.expected(s2ap: code2 & 3, xn: code2 >> 2, xnx: true)

        var machine = Machine(capacity: .small)
        let stream = machine.addNestedStream(1)
        let attributes = 1 << 10 | 1 << 11 | UInt64(ap) << 6 | (pxn ? 1 << 53 : 0) | (uxn ? 1 << 54 : 0)
        machine.map(stream.table, 0x5000, to: 0x8000_0000, attributes: attributes)
        machine.map(
            stream.stage2, 0x8000_0000, to: 0x9000_0000, attributes: Self.leaf(s2ap: code2 & 3, xn: code2 >> 2))
        for kind in AccessKind.all {
            let result = machine.translate(
                1, 0x5000, write: kind.write, privileged: kind.privileged, instruction: kind.instruction)
            switch result {
            case .translated(let translation):
                #expect(translation.permissions == first.intersection(second))
                #expect(translation.permissions.contains(kind.permission))
            case .faulted(let termination):
                #expect(termination.record.id == .permission && termination.record.eventClass == .input)
                #expect(termination.record.stage2 == first.contains(kind.permission))
                #expect(!first.contains(kind.permission) || !second.contains(kind.permission))
                #expect(termination.record.ipa == (termination.record.stage2 ? 0x8000_0000 : 0))
            default: Issue.record("\(result)")
            }
        }
    }

    @Test("perm.af: AF=0 is F_ACCESS at its stage, unless AFFD or S2AFFD", arguments: 0..<16)
    func accessFlag(code: Int) {
        let (af1, af2, affd, s2affd) = (code & 1 != 0, code & 2 != 0, code & 4 != 0, code & 8 != 0)
        var machine = Machine()
        let stream = machine.addNestedStream(1)
        machine.map(stream.table, 0x5000, to: 0x8000_0000, attributes: LeafBits.stage1 & ~(af1 ? 0 : 1 << 10))
        machine.map(stream.stage2, 0x8000_0000, to: 0x9000_0000, attributes: LeafBits.stage2 & ~(af2 ? 0 : 1 << 10))
        var cd = machine.cd(stream.table)
        cd.words[0].setBit(35, affd)
        machine.smmu.memory.store(cd.words, at: stream.context)
        var ste = machine.ste(1)
        ste.s2AccessFlagFaultDisabled = s2affd
        machine.setSTE(1, ste)
        let fault = machine.fault(1, 0x5000)
        let (faults1, faults2) = (!af1 && !affd, !af2 && !s2affd)
        #expect(fault?.id == (faults1 || faults2 ? .access : nil))
        #expect(fault.map(\.stage2) == (faults1 ? false : (faults2 ? true : nil)))
    }
}
