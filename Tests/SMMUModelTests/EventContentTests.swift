import ModelMachine
import SMMUModel
import SMMUv3
import Testing

/// What the model writes into its events, word for word.
@Suite struct EventContentTests {
    /// A transaction with everything that an event may say about it.
    struct Access: Sendable, CustomTestStringConvertible {
        let ssid: UInt32?
        let write: Bool
        let privileged: Bool
        let instruction: Bool
        var testDescription: String { "\(ssid ?? .max) \(write) \(privileged) \(instruction)" }

        static let all: [Access] = (0..<24).map { (code: Int) -> Access in
            let substreams: [UInt32?] = [nil, 1, 0xf_fffe]
            return Access(
                ssid: substreams[code >> 3], write: code & 1 != 0, privileged: code & 2 != 0, instruction: code & 4 != 0
            )
        }

        /// Word 0: number, SSV, SubstreamID, StreamID.
        func word0(_ id: EventID, stream: UInt32) -> UInt64 {
            UInt64(id.rawValue) | UInt64(stream) << 32 | (ssid.map { 1 << 11 | UInt64($0) << 12 } ?? 0)
        }

        /// PnU, InD and RnW of word 1.
        var attributes: UInt64 {
            (privileged ? 1 << 33 : 0) | (instruction && !write ? 1 << 34 : 0) | (write ? 0 : 1 << 35)
        }

        func fault(_ machine: inout Machine, _ stream: UInt32, _ address: UInt64) -> EventRecord? {
            let fault = machine.fault(
                stream, address, ssid: ssid, write: write, privileged: privileged, instruction: instruction)
            let events = machine.takeEvents()
            #expect(events == (fault.map { [$0] } ?? []))
            return fault
        }
    }

    /// A stream 0x5a whose CDs 0, 1 and 0xffffe have an address space, and that space.
    private static func substreams(_ machine: inout Machine, nested: TestTable? = nil) -> TestTable {
        let table = machine.contextTable(.leaves64K, log2Size: 20)
        let space = machine.stage1Table()
        for number in [UInt32(0), 1, 0xf_fffe] { machine.setCD(table, number, machine.cd(space, ips: 4)) }
        let ste = nested.map { machine.nestedSTE(context: 0, $0) } ?? machine.stage1STE(context: 0)
        machine.setSTE(0x5a, ste.using(table, default: .substream0))
        return space
    }

    @Test(
        "evt.class-stage1, evt.f-translation, evt.f-addr-size, evt.f-access, evt.f-permission: those of stage 1",
        arguments: Access.all)
    func stage1(access: Access) {
        var machine = Machine(ids: .with(ssidSize: 20))
        let space = Self.substreams(&machine)
        let none: UInt64 = LeafBits.stage1 & ~(1 << 6) | 1 << 7 | 3 << 53
        machine.map(space, 0x2000, to: 0x1000_8000_0000, attributes: LeafBits.stage1)
        machine.map(space, 0x3000, to: 0x8000_0000, attributes: LeafBits.stage1 & ~(1 << 10))
        machine.map(space, 0x4000, to: 0x8000_0000, attributes: none)
        for (address, id) in [
            (0x1234, EventID.translation), (0x2234, .addressSize), (0x3234, .access), (0x4234, .permission),
        ] as [(UInt64, EventID)] {
            // A privileged read is allowed of every page.
            if id == .permission, access.privileged, !access.write, !access.instruction { continue }
            let fault = access.fault(&machine, 0x5a, address)
            #expect(fault == EventRecord(access.word0(id, stream: 0x5a), access.attributes | 2 << 40, address, 0))
        }
    }

    @Test(
        "evt.f-translation, evt.f-addr-size, evt.f-access, evt.f-permission, evt.pnu-ind, evt.rnw: stage 2's four",
        arguments: Access.all)
    func stage2(access: Access) {
        var machine = Machine(ids: .with(ssidSize: 20))
        let stage2 = machine.stage2Table()
        machine.map(stage2, 0, to: 0, level: 1)
        let space = Self.substreams(&machine, nested: stage2)
        var ste = machine.ste(0x5a)
        ste.s2PS = 4
        machine.setSTE(0x5a, ste)
        let pages: [UInt64] = [0x1000, 0x2000, 0x3000, 0x4000]
        // Everything that one of the accesses might need: unprivileged execution, or privileged access and execution.
        let privileged: UInt64 = 1 << 10 | 1 << 11
        let attributes = access.privileged ? privileged : LeafBits.stage1
        for page in pages { machine.map(space, page, to: 0x55_0000_0000 + page, attributes: attributes) }
        machine.map(stage2, 0x55_0000_2000, to: 0x1000_8000_0000)
        machine.map(stage2, 0x55_0000_3000, to: 0x8000_0000, attributes: LeafBits.stage2 & ~(1 << 10))
        machine.map(stage2, 0x55_0000_4000, to: 0x8000_0000, attributes: LeafBits.stage2 & ~(3 << 6) | 2 << 53)
        for (page, id) in zip(pages, [EventID.translation, .addressSize, .access, .permission]) {
            let fault = access.fault(&machine, 0x5a, page | 0xabc)
            let word1 = access.attributes | 1 << 39 | 2 << 40
            let expected = EventRecord(access.word0(id, stream: 0x5a), word1, page | 0xabc, 0x55_0000_0000 + page)
            #expect(fault == expected)
        }
    }

    @Test(
        "evt.class, evt.rnw, evt.pnu-ind: the event of a CD's fetch says what the device did, not the SMMU",
        arguments: Access.all)
    func contextFetch(access: Access) {
        var machine = Machine(ids: .with(ssidSize: 20))
        let stage2 = machine.stage2Table()
        machine.map(stage2, 0, to: 0, level: 1, attributes: LeafBits.stage2 & ~(1 << 6))
        _ = Self.substreams(&machine, nested: stage2)
        let fault = access.fault(&machine, 0x5a, 0x1234)
        let level1 = machine.ste(0x5a).s1ContextPointer + UInt64((access.ssid ?? 0) >> 10) * 8
        let word1 = access.attributes | 1 << 39
        let expected = EventRecord(access.word0(.permission, stream: 0x5a), word1, 0x1234, level1 & ~0xfff)
        #expect(fault == expected)
    }

    @Test(
        "evt.class, evt.rnw, evt.pnu-ind, evt.f-permission: that of a descriptor's fetch, too, and TTRnW says it read",
        arguments: Access.all)
    func descriptorFetch(access: Access) {
        var machine = Machine(ids: .with(ssidSize: 20))
        let stage2 = machine.stage2Table()
        machine.map(stage2, 0, to: 0, level: 1)
        let space = Self.substreams(&machine, nested: stage2)
        let leaf = machine.map(space, 0x1000, to: 0x8000_0000)
        // The last table is at an IPA of its own that may not be read.
        let last = machine.descriptorAddress(space, 0x1000, level: 2)
        machine.smmu.memory[last] = 0x60_0000_0000 | 3
        machine.map(stage2, 0x60_0000_0000, to: leaf & ~0xfff, attributes: LeafBits.stage2 & ~(1 << 6))
        let fault = access.fault(&machine, 0x5a, 0x1234)
        let word1 = access.attributes | 1 << 39 | 1 << 40 | 1 << 44
        let expected = EventRecord(access.word0(.permission, stream: 0x5a), word1, 0x1234, 0x60_0000_0000)
        #expect(fault == expected)
    }

    @Test(
        "evt.c-bad-streamid, evt.c-bad-ste: both have the SubstreamID and nothing in words 1 to 3",
        arguments: Access.all)
    func configuration(access: Access) {
        var machine = Machine(ids: .with(ssidSize: 20))
        let illegal = access.fault(&machine, 0x5a, 0xdead_0000)
        #expect(illegal == EventRecord(access.word0(.badSTE, stream: 0x5a), 0, 0, 0))
        let beyond = access.fault(&machine, 0xfedc_ba98, 0xdead_0000)
        #expect(beyond == EventRecord(access.word0(.badStreamID, stream: 0xfedc_ba98), 0, 0, 0))
    }

    @Test(
        "evt.f-bad-ats-treq, evt.f-transl-forbidden: what ATS is refused has its address, and a translated access RnW",
        arguments: [nil, 3] as [UInt32?], [false, true])
    func ats(ssid: UInt32?, write: Bool) {
        var machine = Machine()
        machine.smmu.registers.atsChecked = true
        machine.addStage1Stream(0x5a)
        let access = Access(ssid: ssid, write: write, privileged: true, instruction: true)
        for (kind, id) in [
            (Transaction.Kind.translationRequest, EventID.badATSRequest), (.translated, .translationForbidden),
        ] {
            let fault = machine.fault(
                0x5a, 0xabcd_1234, ssid: ssid, write: write, privileged: true, instruction: true, kind: kind)
            let word1: UInt64 = kind == .translated && !write ? 1 << 35 : 0
            // A translated access carries no SubstreamID: PASIDs with translated addresses are an extension.
            let word0 = access.word0(id, stream: 0x5a) & (kind == .translated ? ~0xffff_f800 : .max)
            #expect(fault == EventRecord(word0, word1, 0xabcd_1234, 0))
            let events = machine.takeEvents()
            #expect(events == [fault])
        }
    }

    @Test("evt.pnu-ind: a write that says it is an instruction fetch is taken for data, and so is its event")
    func instructionWrite() {
        var machine = Machine()
        let stream = machine.addStage1Stream(1)
        // Data may be written here, nothing executed.
        machine.map(stream.table, 0x1000, to: 0x8000_0000, attributes: LeafBits.stage1 | 3 << 53)
        var transaction = Transaction(StreamID(1), 0x1000, write: true)
        transaction.instruction = true
        let result = machine.smmu.translate(transaction)
        guard case .translated = result else {
            Issue.record("\(result)")
            return
        }
        transaction.address = 0x2000
        let missing = machine.smmu.translate(transaction)
        guard case .faulted(let termination) = missing else {
            Issue.record("\(missing)")
            return
        }
        #expect(termination.record == EventRecord(1 << 32 | 0x10, 2 << 40, 0x2000, 0))
    }

    @Test("evt.vector-translation: an unprivileged read of a hole gives the published words")
    func vector() {
        var machine = Machine()
        machine.addStage1Stream(0x20)
        let fault = machine.fault(0x20, 0xdead_0000)
        #expect(fault == EventRecord(0x0000_0020_0000_0010, 0x0000_0208_0000_0000, 0xdead_0000, 0))
    }

    @Test("evt.input-address: all 64 bits of the address are in the event", arguments: UInt64(0)..<64)
    func inputAddress(bit: UInt64) {
        var machine = Machine()
        machine.addStage1Stream(1)
        let fault = machine.fault(1, 1 << bit)
        #expect(fault?.id == .translation && fault?.words[2] == 1 << bit)
    }
}
