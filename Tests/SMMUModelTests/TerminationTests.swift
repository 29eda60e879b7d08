import ModelMachine
import SMMUModel
import SMMUv3
import Testing

/// The four translation faults, each by what makes a leaf of 44 output bits give it to a write.
private struct LeafFault: Sendable {
    let id: EventID
    let damage: @Sendable (UInt64) -> UInt64

    static let stage1 = [
        LeafFault(id: .translation) { $0 & ~1 }, LeafFault(id: .addressSize) { $0 | 1 << 44 },
        LeafFault(id: .access) { $0 & ~(1 << 10) }, LeafFault(id: .permission) { $0 | 1 << 7 },
    ]
    static let stage2 = [
        LeafFault(id: .translation) { $0 & ~1 }, LeafFault(id: .addressSize) { $0 | 1 << 44 },
        LeafFault(id: .access) { $0 & ~(1 << 10) }, LeafFault(id: .permission) { $0 & ~(3 << 6) },
    ]
}

/// A nested stream 1 with a page at 0x5000, whose CD, first table and page have stage 2 leaves of their own.
private struct Policies: ~Copyable {
    var machine = Machine(capacity: .small)
    let stage2: TestTable
    let leaf1: UInt64
    let context: UInt64
    private let space: TestTable

    static let contextIPA: UInt64 = 0x10_0000_0000
    static let tableIPA: UInt64 = 0x20_0000_0000
    static let pageIPA: UInt64 = 0x8000_0000

    init(abort: Bool, record: Bool, s2Record: Bool) {
        stage2 = machine.stage2Table()
        machine.map(stage2, 0, to: 0, level: 1)
        machine.map(stage2, Self.pageIPA, to: 0x9000_0000)
        space = machine.stage1Table()
        leaf1 = machine.map(space, 0x5000, to: Self.pageIPA)
        machine.map(stage2, Self.tableIPA, to: space.base)
        var cd = machine.cd(space, ips: 4)
        cd.words[1] = Self.tableIPA
        cd.words[0].setBit(45, record)
        cd.words[0].setBit(46, abort)
        context = machine.place(cd)
        machine.map(stage2, Self.contextIPA, to: context)
        var ste = machine.nestedSTE(context: Self.contextIPA | context & 0xfff, stage2)
        ste.s2PS = 4
        ste.s2Record = s2Record
        machine.setSTE(1, ste)
    }

    mutating func damageStage1(_ fault: LeafFault) {
        machine.smmu.memory[leaf1] = fault.damage(machine.smmu.memory[leaf1])
    }

    mutating func damageStage2(_ ipa: UInt64, _ fault: LeafFault) {
        let at = machine.descriptorAddress(stage2, ipa, level: 3)
        machine.smmu.memory[at] = fault.damage(machine.smmu.memory[at])
    }
}

/// How transactions end that fault, and whether that is recorded.
@Suite struct TerminationTests {
    @Test(
        "term.cd-a, term.cd-r: A says how a stage 1 fault ends, R whether it is recorded, each by itself",
        arguments: [false, true], [false, true])
    func stage1(abort: Bool, record: Bool) {
        for s2Record in [false, true] {
            for fault in LeafFault.stage1 {
                var policies = Policies(abort: abort, record: record, s2Record: s2Record)
                policies.damageStage1(fault)
                let termination = policies.machine.termination(1, 0x5678, write: true)
                #expect(termination?.record.id == fault.id && termination?.record.stage2 == false)
                #expect(termination?.response == (abort ? .abort : .readZeroWriteIgnored))
                #expect(termination?.recorded == record)
                let events = policies.machine.takeEvents()
                #expect(events == (record ? [termination?.record].compactMap { $0 } : []))
                // A read that a hole in the tables stops ends the same way.
                let read = policies.machine.termination(1, 0x7_0000_0000)
                #expect(read?.response == (abort ? .abort : .readZeroWriteIgnored) && read?.recorded == record)
            }
        }
    }

    @Test(
        "term.s2r, term.s2-aborts: a stage 2 fault aborts whatever A says, and S2R alone says if it is recorded",
        arguments: [Policies.contextIPA, Policies.tableIPA, Policies.pageIPA], [false, true])
    func stage2(ipa: UInt64, s2Record: Bool) {
        for (abort, record) in [(false, false), (false, true), (true, false), (true, true)] {
            for fault in LeafFault.stage2 {
                var policies = Policies(abort: abort, record: record, s2Record: s2Record)
                policies.damageStage2(ipa, fault)
                let termination = policies.machine.termination(1, 0x5678, write: true)
                #expect(termination?.record.id == fault.id && termination?.record.stage2 == true)
                #expect(termination?.response == .abort && termination?.recorded == s2Record)
                let events = policies.machine.takeEvents()
                #expect(events.count == (s2Record ? 1 : 0))
            }
        }
    }

    @Test("term.s2r: so for a stream with stage 2 alone", arguments: [false, true])
    func stage2Alone(record: Bool) {
        for fault in LeafFault.stage2 {
            var machine = Machine()
            let table = machine.stage2Table()
            let leaf = machine.map(table, 0x5000, to: 0x8000_0000)
            machine.smmu.memory[leaf] = fault.damage(machine.smmu.memory[leaf])
            var ste = machine.stage2STE(table, ps: 4)
            ste.s2Record = record
            machine.setSTE(1, ste)
            let termination = machine.termination(1, 0x5678, write: true)
            #expect(termination?.record.id == fault.id && termination?.response == .abort)
            let events = machine.takeEvents()
            #expect(events.count == (record ? 1 : 0) && termination?.recorded == record)
        }
    }

    @Test("term.always-recorded: with A, R and S2R all 0, errors and aborted fetches are recorded and abort")
    func alwaysRecorded() {
        func check(_ id: EventID, ssid: UInt32? = nil, _ damage: (inout Policies) -> Void) {
            var policies = Policies(abort: false, record: false, s2Record: false)
            let before = policies.machine.pa(1, 0x5678)
            #expect(before == 0x9000_0678)
            policies.machine.smmu.invalidateEverything()
            damage(&policies)
            let termination = policies.machine.termination(1, 0x5678, ssid: ssid, write: true)
            #expect(termination?.record.id == id && termination?.recorded == true, "\(id)")
            #expect(termination?.response == .abort, "\(id)")
            let events = policies.machine.takeEvents()
            #expect(events == [termination?.record].compactMap { $0 }, "\(id)")
        }
        func hole(_ policies: inout Policies, _ at: UInt64) { policies.machine.smmu.memory.holes = [at >> 12] }

        check(.badSTE) { $0.machine.setSTE(1, StreamTableEntry()) }
        check(.badCD) { $0.machine.smmu.memory[$0.context] &= ~(1 << 31) }
        check(.badSubstreamID, ssid: 1) { _ in }
        check(.streamDisabled) { policies in
            var ste = policies.machine.ste(1)
            ste.s1CDMax = 1
            policies.machine.setSTE(1, ste)
        }
        check(.steFetch) { hole(&$0, Machine.streamTable) }
        check(.cdFetch) { hole(&$0, $0.context) }
        check(.walkExternalAbort) { hole(&$0, $0.leaf1) }
        check(.walkExternalAbort) { policies in
            let at = policies.machine.descriptorAddress(policies.stage2, Policies.pageIPA, level: 3)
            hole(&policies, at)
        }
        check(.badStreamID) { $0.machine.smmu.registers.streamTableBaseConfig = 0 }
    }

    @Test("term.cd-a: where TERM_MODEL leaves no quiet end, A=0 is C_BAD_CD")
    func termModel() {
        for (termModel, abort, id) in [
            (true, false, EventID.badCD), (true, true, .translation), (false, false, .translation),
        ] {
            var machine = Machine(ids: .with(termModel: termModel))
            let stream = machine.addStage1Stream(1)
            var cd = machine.cd(stream.table)
            cd.words[0].setBit(46, abort)
            machine.smmu.memory.store(cd.words, at: stream.context)
            let termination = machine.termination(1, 0x5000)
            #expect(termination?.record.id == id)
            #expect((termination?.response == .abort) == (id == .badCD || abort))
        }
    }
}
