import CaptureFixtures
import Captures
import Testing

@Suite struct CaptureTests {
    @Test(arguments: CaptureFixtures.names)
    func loads(name: String) throws {
        let capture = try Capture(directory: try CaptureFixtures.directory(named: name))
        #expect(capture.name == name)
        #expect(!capture.title.isEmpty)
        #expect(capture.registers.idr.count == 6)
        #expect(capture.registers["IDR0"] == UInt64(capture.registers.idr[0]))
        #expect(capture.registers.strtabBase == capture.registers["STRTAB_BASE"])
        #expect(!capture.pages.addresses.isEmpty)
        // The stream table at least must be there, or nothing could be translated.
        #expect(capture.pages.contains(capture.registers.strtabBase & 0x000f_ffff_ffff_ffc0))
        #expect(!capture.streams.isEmpty)
    }

    @Test(arguments: CaptureFixtures.oracleRows)
    func hasTheRowsItDeclares(name: String, count: Int) throws {
        let capture = try Capture(directory: try CaptureFixtures.directory(named: name))
        #expect(capture.kind == .oracle)
        #expect(capture.declaredRows == count)
        let rows = try capture.rows()
        #expect(rows.count == count)
        #expect(rows.map(\.line) == Array(1...count))
        #expect(rows.allSatisfy { $0.ssid == nil && $0.alternative == nil && $0.iova.isMultiple(of: 4) })
        #expect(rows.allSatisfy { $0.src.contains("reference-walker") })
        let error = #expect(throws: CaptureError.self) { try capture.steps() }
        #expect(error?.fault == .caller)
    }

    @Test func readsAScript() throws {
        let capture = try Capture(directory: try CaptureFixtures.directory(named: "seq-short"))
        #expect(capture.kind == .steps)
        #expect(capture.origin == "generated")
        let steps = try capture.steps()
        #expect(steps.count == 700)
        #expect(steps[1] == .write(pa: 0x4033_5078, bytes: Array(repeating: 0, count: 8)))
        #expect(steps[3] == .command(d0: 0x005b_0000_0000_0011, d1: 0))
        let rows = steps.compactMap { step in if case .translate(let row) = step { row } else { nil } }
        #expect(rows.count == 272)
        #expect(rows[1].line == 3)
        #expect(rows[1].alternative == .ok(pa: 0x1a9_419a_5040, permissions: .read, stage: 1))
        #expect(rows[0].alternative == nil && rows[0].answer != rows[1].answer)
        #expect(throws: CaptureError.self) { try capture.rows() }
        #expect(try capture.commands().isEmpty)
        #expect(try capture.events().isEmpty)
        #expect(try capture.disputed().isEmpty)
    }

    @Test("a capture is called as its directory is, however the path is written", arguments: ["", "/", "/.", "/./"])
    func name(suffix: String) throws {
        let directory = try CaptureFixtures.directory(named: "seq-short")
        #expect(try Capture(directory: directory + suffix).name == "seq-short")
    }

    @Test func readsRowsOfEachKind() throws {
        let capture = try Capture(directory: try CaptureFixtures.directory(named: "lin-4k-nested"))
        let rows = try capture.rows()
        let nested = rows.contains { if case .ok(_, _, stage: 3) = $0.answer { true } else { false } }
        #expect(nested)
        #expect(rows.count { $0.answer == .abort } == 48)
        let permission = rows.count { row in
            guard case .fault("F_PERMISSION", let record?) = row.answer else { return false }
            return record.isEmpty || record.count == 32 && record[0] == 0x13
        }
        #expect(permission == 92)
    }

    /// Commands and events as meta.json counts them.
    @Test(arguments: [
        ("lin-4k-nested", 4013, 66), ("lin-4k-s1-faults", 321, 312), ("lin-4k-s1-plain", 4127, 0),
        ("lin-4k-s2-vfio", 4419, 64),
    ])
    func readsTheQueues(name: String, commands: Int, events: Int) throws {
        let capture = try Capture(directory: try CaptureFixtures.directory(named: name))
        #expect(try capture.commands().count == commands)
        let records = try capture.events()
        #expect(records.count == events)
        #expect(records.allSatisfy { $0.count == 32 })
        #expect(capture.marks.first?.name == "init")
        // Marks never go back, and what followed the last of them is in the queues as well.
        #expect(zip(capture.marks, capture.marks.dropFirst()).allSatisfy { $0.commands <= $1.commands })
        #expect(capture.marks.allSatisfy { $0.commands <= commands && $0.events <= events })
    }

    @Test func readsStreamsOfBothForms() throws {
        let recorded = try Capture(directory: try CaptureFixtures.directory(named: "lin-4k-nested")).streams
        #expect(recorded[0].sid == 0 && recorded[0].asid == 1 && recorded[0].vmid == nil)
        #expect(recorded.allSatisfy { $0.granuleBits == nil && $0.stage == nil })
        #expect(recorded.map(\.sid) == recorded.map(\.sid).sorted())
        let generated = try Capture(directory: try CaptureFixtures.directory(named: "seq-short")).streams
        let third = generated[2]
        #expect(third.sid == 10 && third.asid == 22 && third.vmid == 32 && third.granuleBits == 16 && third.stage == 2)
    }

    @Test func readsDisputedRows() throws {
        let nested = try Capture(directory: try CaptureFixtures.directory(named: "lin-4k-nested")).disputed()
        #expect(nested.count == 15)
        #expect(nested.allSatisfy { $0.known == "K1" })
        let first = try #require(nested.first)
        #expect(first.sid == 152 && first.iova == 0x4000_9000 && !first.write)
        #expect(first.reference.event == "F_PERMISSION" && first.reference.recorded && first.reference.class == 2)
        #expect(first.reference.record.count == 32)
        #expect(first.reference.answer == .fault(event: "F_PERMISSION", record: first.reference.record))
        let stage2 = try Capture(directory: try CaptureFixtures.directory(named: "lin-4k-s2-vfio")).disputed()
        #expect(stage2.count == 72)
        #expect(stage2.allSatisfy { $0.known == "K4" && !$0.reference.s2 })
    }
}
