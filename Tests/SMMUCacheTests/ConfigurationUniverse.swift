import ModelMachine
import SMMUModel
import SMMUv3
import Testing

/// A machine with cached STEs and CDs, all of them changed in memory afterwards.
///
/// `ste0` to `ste9` are bypassing streams that abort after the change. `cd16.0` to `cd18.3` are the four CDs of each of
/// three streams; after the change each has another ASID and another table.
struct ConfigurationUniverse: ~Copyable {
    static let bypassing: ClosedRange<UInt32> = 0...9
    static let substreams: ClosedRange<UInt32> = 16...18
    static let page: UInt64 = 0x1000

    var machine: Machine
    private var names: [String] = []

    init() {
        var machine = Machine()
        for stream in Self.bypassing {
            var ste = StreamTableEntry()
            ste.valid = true
            ste.config = .bypass
            machine.setSTE(stream, ste)
            _ = machine.pa(stream, Self.page)
            names.append("ste\(stream)")
        }
        var changed: [(UInt64, ContextDescriptor)] = []
        for stream in Self.substreams {
            let old = (0..<4).map { Self.context(&machine, asid: UInt16(stream * 8 + $0), output: 0x5000_0000) }
            let new = (0..<4).map { Self.context(&machine, asid: UInt16(stream * 8 + 4 + $0), output: 0x6000_0000) }
            let at = machine.place(old[0], old[1], old[2], old[3])
            var ste = machine.stage1STE(context: at)
            ste.s1CDMax = 2
            ste.s1DefaultSubstream = .substream0
            machine.setSTE(stream, ste)
            for substream in 0..<4 as Range<UInt32> {
                _ = machine.pa(stream, Self.page, ssid: substream == 0 ? nil : substream)
                changed.append((at + UInt64(substream * 64), new[Int(substream)]))
                names.append("cd\(stream).\(substream)")
            }
        }
        for stream in Self.bypassing {
            var ste = machine.ste(stream)
            ste.config = .abort
            machine.setSTE(stream, ste)
        }
        for (at, cd) in changed { machine.smmu.memory.store(cd.words, at: at) }
        self.machine = machine
    }

    private static func context(_ machine: inout Machine, asid: UInt16, output: UInt64) -> ContextDescriptor {
        let table = machine.stage1Table()
        machine.map(table, page, to: output)
        return machine.cd(table, asid: asid)
    }

    /// The names of what is read anew. Asks once: it fills the caches again.
    mutating func dropped() -> Set<String> {
        var fresh: Set<String> = []
        for stream in Self.bypassing {
            let result = machine.translate(stream, Self.page)
            if result == .aborted { fresh.insert("ste\(stream)") }
        }
        for stream in Self.substreams {
            for substream in 0..<4 as Range<UInt32> {
                let pa = machine.pa(stream, Self.page, ssid: substream == 0 ? nil : substream)
                if pa == 0x6000_0000 { fresh.insert("cd\(stream).\(substream)") }
            }
        }
        return fresh
    }

    /// The names that start with any of `prefixes`.
    func names(_ prefixes: [String]) -> Set<String> {
        Set(
            names.filter { name in
                prefixes.contains { name == $0 || $0.hasSuffix("*") && name.hasPrefix($0.dropLast()) }
            })
    }
}

/// One command, and which cached STEs and CDs it has to drop: these and no others.
struct ConfigurationCase: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let command: Command
    let drops: [String]

    init(_ title: String, _ command: Command, _ drops: String...) {
        (testDescription, self.command, self.drops) = (title, command, drops)
    }

    func check() {
        var universe = ConfigurationUniverse()
        let error = universe.machine.run(command)
        #expect(error == .none)
        let fresh = universe.dropped()
        let expected = universe.names(drops)
        #expect(fresh.subtracting(expected).sorted() == [], "dropped, but not covered")
        #expect(expected.subtracting(fresh).sorted() == [], "covered, but still there")
    }
}
