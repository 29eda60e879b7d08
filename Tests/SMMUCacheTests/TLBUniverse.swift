import ModelMachine
import SMMUModel
import SMMUv3
import Testing

/// One translation that a test wants cached, and where to ask for it.
struct TLBProbe: Sendable {
    let name: String
    let stream: UInt32
    let address: UInt64
    /// CR2.E2H while the stream is used.
    let e2h: Bool
    let granule: Granule
    let level: Int
    let global: Bool
}

/// A machine with translations of every regime, VMID, ASID, granule and level, all of them cached, and then all of them
/// changed in memory: what is still cached gives its old address, what has been dropped its new one.
///
/// Their names are `space.page`. The pages of a space: `below`, `at`, `above` lie side by side, `global` has nG = 0,
/// `block2` and `block1` are blocks of those levels.
struct TLBUniverse: ~Copyable {
    static let at: UInt64 = 0x1_0000_0000
    static let global: UInt64 = 0x1_4000_0000
    static let block2: UInt64 = 0x1_8000_0000
    static let block1: UInt64 = 0x2_0000_0000

    var machine: Machine
    private(set) var probes: [TLBProbe] = []
    private var outputs: [(old: UInt64, leaf: UInt64)] = []
    /// Where blocks of 1 GB may be mapped one to one so that nested streams reach their outputs.
    private var stage2OfNested: TestTable

    init(capacity: SMMUCapacity = SMMUCapacity()) {
        var machine = Machine(capacity: capacity)
        let stage2 = machine.stage2Table()
        machine.map(stage2, 0, to: 0, level: 1)
        self.machine = machine
        stage2OfNested = stage2
        addStage1("v1a1", 1, vmid: 1, asid: 1)
        addStage1("v1a2", 2, vmid: 1, asid: 2)
        addStage1("v2a1", 3, vmid: 2, asid: 1)
        addStage1("v1a3n", 4, vmid: 1, asid: 3, nested: true)
        addStage1("v1a4k16", 5, vmid: 1, asid: 4, granule: .k16)
        addStage1("v1a5k64", 6, vmid: 1, asid: 5, granule: .k64)
        addStage2("s2v1", 7, vmid: 1, stage2)
        addStage2("s2v2", 8, vmid: 2, self.machine.stage2Table())
        addStage2("s2v3k16", 9, vmid: 3, self.machine.stage2Table(.k16, startLevel: 2))
        addStage2("s2v4k64", 10, vmid: 4, self.machine.stage2Table(.k64, startLevel: 2))
        addStage1("el2", 11, asid: 0, world: .el2)
        addStage1("e2h1", 12, asid: 1, world: .el2, e2h: true)
        addStage1("e2h2", 13, asid: 2, world: .el2, e2h: true)
        warmAndChange()
    }

    // MARK: Building

    private mutating func addStage1(
        _ space: String, _ stream: UInt32, vmid: UInt16 = 0, asid: UInt16, granule: Granule = .k4,
        nested: Bool = false, world: StreamTableEntry.StreamWorld = .nsEL1, e2h: Bool = false
    ) {
        let table = machine.stage1Table(granule)
        let context = machine.place(machine.cd(table, asid: asid))
        var ste =
            nested
            ? machine.nestedSTE(context: context, stage2OfNested, vmid: vmid)
            : machine.stage1STE(context: context, vmid: vmid)
        ste.streamWorld = world
        machine.setSTE(stream, ste)
        addPages(space, stream, table, e2h: e2h, nested: nested)
    }

    private mutating func addStage2(_ space: String, _ stream: UInt32, vmid: UInt16, _ table: TestTable) {
        machine.setSTE(stream, machine.stage2STE(table, vmid: vmid))
        addPages(space, stream, table, e2h: false, nested: false)
    }

    private mutating func addPages(_ space: String, _ stream: UInt32, _ table: TestTable, e2h: Bool, nested: Bool) {
        let page = UInt64(1) << UInt64(table.granule.shift)
        var pages: [(String, UInt64, Int)] = [
            ("below", Self.at - page, 3), ("at", Self.at, 3), ("above", Self.at + page, 3),
            ("block2", Self.block2, 2),
        ]
        if !table.stage2 { pages.append(("global", Self.global, 3)) }
        if table.granule == .k4 { pages.append(("block1", Self.block1, 1)) }
        for (name, address, level) in pages {
            let output = 0x10_0000_0000 + UInt64(probes.count) << 32
            let global = name == "global"
            let attributes = global ? LeafBits.stage1 & ~(1 << 11) : nil
            let leaf = machine.map(table, address, to: output, level: level, attributes: attributes)
            if nested {
                machine.map(stage2OfNested, output, to: output, level: 1)
                machine.map(stage2OfNested, Self.changed(output), to: Self.changed(output), level: 1)
            }
            probes.append(
                TLBProbe(
                    name: "\(space).\(name)", stream: stream, address: address, e2h: e2h, granule: table.granule,
                    level: level, global: global))
            outputs.append((output, leaf))
        }
    }

    private static func changed(_ output: UInt64) -> UInt64 { output | 1 << 39 }

    private mutating func warmAndChange() {
        for probe in probes { _ = ask(probe) }
        for output in outputs { machine.smmu.memory[output.leaf] |= 1 << 39 }
    }

    private mutating func ask(_ probe: TLBProbe) -> UInt64? {
        machine.smmu.registers.e2h = probe.e2h
        return machine.pa(probe.stream, probe.address)
    }

    // MARK: Asking

    /// The names of those that give their new address, and of those that give neither.
    mutating func dropped() -> (fresh: Set<String>, wrong: Set<String>) {
        var fresh: Set<String> = []
        var wrong: Set<String> = []
        for (probe, output) in zip(probes, outputs) {
            let pa = ask(probe)
            if pa == Self.changed(output.old) {
                fresh.insert(probe.name)
            } else if pa != output.old {
                wrong.insert(probe.name)
            }
        }
        return (fresh, wrong)
    }

    /// The names that any of `patterns` means; `*` stands for any text, once in a pattern.
    func names(_ patterns: [String]) -> Set<String> {
        Set(probes.map(\.name).filter { name in patterns.contains { Self.matches(name, $0) } })
    }

    private static func matches(_ name: String, _ pattern: String) -> Bool {
        guard let star = pattern.firstIndex(of: "*") else { return name == pattern }
        let (head, tail) = (pattern[..<star], pattern[pattern.index(after: star)...])
        return name.count >= head.count + tail.count && name.hasPrefix(head) && name.hasSuffix(tail)
    }
}

/// One command, and which of the cached translations it has to drop: these and no others.
struct TLBCase: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let command: Command
    var e2h = false
    let drops: [String]

    init(_ title: String, _ command: Command, e2h: Bool = false, drops: [String]) {
        (testDescription, self.command, self.e2h, self.drops) = (title, command, e2h, drops)
    }
}
