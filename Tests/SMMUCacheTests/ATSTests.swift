import ModelMachine
import SMMUModel
import SMMUv3
import Testing

/// Translation requests and translated accesses.
@Suite struct ATSTests {
    /// A stage 1 stream 1 with ATS: 0x1000 read and write, 0x2000 read-only, 0x3000 privileged, 0x4000 a 2 MB block.
    private func stage1(_ mode: StreamTableEntry.ATSMode = .full) -> Machine {
        var machine = Machine()
        let stream = machine.addStage1Stream(1)
        machine.map(stream.table, 0x1000, to: 0x5000_1000)
        machine.map(stream.table, 0x2000, to: 0x5000_2000, attributes: LeafBits.stage1 | 1 << 7)
        machine.map(stream.table, 0x3000, to: 0x5000_3000, attributes: LeafBits.stage1 & ~(1 << 6))
        machine.map(stream.table, 0x40_0000, to: 0x5040_0000, level: 2)
        var ste = machine.ste(1)
        ste.atsMode = mode
        machine.setSTE(1, ste)
        machine.smmu.registers.atsChecked = true
        return machine
    }

    /// A nested stream 1: 0x1000 to IPA 0x8000_0000 to 0x9000_0000.
    private func nested(_ mode: StreamTableEntry.ATSMode) -> Machine {
        var machine = Machine()
        let stream = machine.addNestedStream(1)
        machine.map(stream.table, 0x1000, to: 0x8000_0000)
        machine.map(stream.stage2, 0x8000_0000, to: 0x9000_0000)
        var ste = machine.ste(1)
        ste.atsMode = mode
        machine.setSTE(1, ste)
        machine.smmu.registers.atsChecked = true
        return machine
    }

    /// The answer to a translation request; nil when there is none.
    private func request(
        _ machine: inout Machine, _ address: UInt64, write: Bool = false, privileged: Bool = false,
        instruction: Bool = false
    ) -> Translation? {
        let result = machine.translate(
            1, address, write: write, privileged: privileged, instruction: instruction, kind: .translationRequest)
        if case .translated(let answer) = result { return answer }
        return nil
    }

    @Test("ats.request: an answer has the address and what was asked for, as far as the tables grant it at that level")
    func permissions() {
        var machine = stage1()
        let read = request(&machine, 0x1234)
        #expect(read?.pa == 0x5000_1234 && read?.permissions == .unprivilegedRead)
        let write = request(&machine, 0x1234, write: true)
        #expect(write?.permissions == [.unprivilegedRead, .unprivilegedWrite])
        let privileged = request(&machine, 0x1234, write: true, privileged: true)
        #expect(privileged?.permissions == [.privilegedRead, .privilegedWrite])
        let execute = request(&machine, 0x1234, instruction: true)
        #expect(execute?.permissions == [.unprivilegedRead, .unprivilegedExecute])
        let readOnly = request(&machine, 0x2000, write: true)
        #expect(readOnly?.permissions == .unprivilegedRead)
        let notExecutable = request(&machine, 0x1234, privileged: true, instruction: true)
        #expect(notExecutable?.permissions == .privilegedRead, "unprivileged code can write it")
        let block = request(&machine, 0x5f_f123)
        #expect(block?.pa == 0x505f_f123 && block?.sizeLog2 == 21)
        #expect(machine.takeEvents().isEmpty)
    }

    @Test("a device's ATC tells what it was granted, until it is invalidated")
    func granted() {
        var machine = stage1()
        let (read, write) = (Transaction(StreamID(1), 0x1234), Transaction(StreamID(1), 0x2234, write: true))
        let before = machine.smmu.grantedByATC(read)
        _ = machine.smmu.accessWithATS(read)
        _ = machine.smmu.accessWithATS(write)
        let (readable, readOnly) = (machine.smmu.grantedByATC(read), machine.smmu.grantedByATC(write))
        #expect(before == nil && readable == [.unprivilegedRead, .privilegedRead] && readOnly == readable)
        _ = machine.smmu.execute(.atcInv(StreamID(1)))
        let after = machine.smmu.grantedByATC(read)
        #expect(after == nil)
    }

    @Test("ats.request: a page of which the tables grant nothing that was asked is answered without a translation")
    func nothingGranted() {
        var machine = stage1()
        let unprivileged = machine.translate(1, 0x3000, write: true, kind: .translationRequest)
        guard case .faulted(let termination) = unprivileged else {
            Issue.record("\(unprivileged)")
            return
        }
        #expect(termination.response == .atsDenied && !termination.recorded)
        let privileged = request(&machine, 0x3000, write: true, privileged: true)
        #expect(privileged?.permissions == [.privilegedRead, .privilegedWrite])
        let events = machine.takeEvents()
        #expect(events.isEmpty)
    }

    @Test("ats.request: the answer of a nested stream has the physical address and what both stages grant")
    func nestedRequest() {
        var machine = nested(.full)
        let answer = request(&machine, 0x1010, write: true)
        #expect(answer?.pa == 0x9000_0010 && answer?.permissions == [.unprivilegedRead, .unprivilegedWrite])
    }

    @Test(
        "ats.request-refused: ATS that is off is F_BAD_ATS_TREQ, recorded",
        arguments: [(StreamTableEntry.ATSMode.disabled, true), (.reserved, true), (.full, false)])
    func refused(_ mode: StreamTableEntry.ATSMode, _ enabled: Bool) {
        var machine = stage1(mode)
        machine.smmu.registers.smmuEnabled = enabled
        let fault = machine.fault(1, 0x1000, kind: .translationRequest)
        let events = machine.takeEvents()
        #expect(fault?.id == .badATSRequest && fault?.inputAddress == 0x1000 && events == [fault])
    }

    @Test("ats.request-refused: split-stage ATS counts as off while ATSCHK is 0; a bypassing stream has no ATS")
    func refusedByMode() {
        var machine = nested(.splitStage)
        machine.smmu.registers.atsChecked = false
        let unchecked = machine.fault(1, 0x1000, kind: .translationRequest)
        var ste = StreamTableEntry()
        ste.valid = true
        ste.config = .bypass
        ste.atsMode = .full
        machine.setSTE(2, ste)
        let bypassing = machine.fault(2, 0x1000, kind: .translationRequest)
        #expect(unchecked?.id == .badATSRequest && bypassing?.id == .badATSRequest)
    }

    @Test("ats.request-fault: a request that meets an error or a fault is answered without a translation, silently")
    func requestFaults() {
        var machine = stage1()
        machine.setSTE(2, StreamTableEntry())
        let hole = machine.allocate(4096)
        machine.smmu.memory.holes = [hole >> 12]
        var ste = machine.ste(1)
        ste.s1ContextPointer = hole
        machine.setSTE(3, ste)
        let cases: [(UInt32, UInt64, UInt32?, EventID, Termination.Response)] = [
            (1, 0x9000, nil, .translation, .atsDenied), (1, 1 << 60, nil, .translation, .atsDenied),
            (1, 0x1000, 1, .badSubstreamID, .abort), (2, 0x1000, nil, .badSTE, .abort),
            (3, 0x1000, nil, .cdFetch, .abort), (1 << 20, 0x1000, nil, .badStreamID, .abort),
        ]
        for (stream, address, substream, id, response) in cases {
            let result = machine.translate(stream, address, ssid: substream, kind: .translationRequest)
            guard case .faulted(let termination) = result else {
                Issue.record("\(result)")
                continue
            }
            #expect(termination.record.id == id && termination.response == response && !termination.recorded)
        }
        let events = machine.takeEvents()
        #expect(events.isEmpty)
    }

    @Test("ats.translated-forbidden: ATS off, or the SMMU off, forbids a translated access, and an event says so")
    func forbidden() {
        for (mode, enabled) in [(StreamTableEntry.ATSMode.disabled, true), (.reserved, true), (.full, false)] {
            var machine = stage1(mode)
            machine.smmu.registers.smmuEnabled = enabled
            let fault = machine.fault(1, 0x1000, write: true, kind: .translated)
            let events = machine.takeEvents()
            #expect(fault?.id == .translationForbidden && fault?.read == false && events == [fault])
        }
    }

    @Test("ats.translated-forbidden: a translated access of a stream without a legal STE aborts without an event")
    func translatedConfiguration() {
        var machine = stage1()
        machine.setSTE(2, StreamTableEntry())
        for (stream, id) in [(UInt32(2), EventID.badSTE), (1 << 20, .badStreamID)] {
            let fault = machine.fault(stream, 0x1000, kind: .translated)
            #expect(fault?.id == id)
        }
        let events = machine.takeEvents()
        #expect(events.isEmpty)
    }

    @Test(
        "ats.translated: a translated access goes to its address: with EATS 1, or unchecked; beyond the output size it aborts"
    )
    func translated() {
        var machine = stage1()
        let full = machine.translate(1, 0x7777_0000, write: true, kind: .translated)
        let tooLarge = machine.translate(1, 1 << 48, kind: .translated)
        #expect(full == .bypassed(pa: 0x7777_0000) && tooLarge == .aborted)
        var unchecked = stage1(.disabled)
        unchecked.smmu.registers.atsChecked = false
        let any = unchecked.translate(1, 0x7777_0000, kind: .translated)
        let beyond = unchecked.translate(1, .max, kind: .translated)
        #expect(any == .bypassed(pa: 0x7777_0000) && beyond == .aborted)
    }

    @Test("ats.split-stage: a device holds an IPA, and stage 2 translates each access with it, or faults")
    func splitStage() {
        var machine = nested(.splitStage)
        let answer = request(&machine, 0x1010)
        #expect(answer?.ipa == 0x8000_0010)
        let access = machine.pa(translating: 0x8000_0010)
        #expect(access == 0x9000_0010)
        let unmapped = machine.fault(1, 0xa000_0000, kind: .translated)
        #expect(unmapped?.id == .translation && unmapped?.stage2 == true && unmapped?.ipa == 0xa000_0000)
        let events = machine.takeEvents()
        #expect(events == [unmapped])
    }

    @Test(
        "ats.split-stage, atc.stale: the ATC of a split-stage device keeps stage 1's answer; stage 2 is asked each time"
    )
    func splitStageATC() {
        var machine = nested(.splitStage)
        let first = machine.withATS(0x1010)
        var ste = machine.ste(1)
        let other = machine.stage2Table()
        machine.map(other, 0, to: 0, level: 1)
        machine.map(other, 0x8000_0000, to: 0xb000_0000)
        ste.s2TableBase = other.base
        machine.setSTE(1, ste)
        machine.run(.cfgiSTE(StreamID(1)), .tlbi(.tlbiS12VMAll, vmid: 1))
        let second = machine.withATS(0x1010)
        #expect(first == 0x9000_0010 && second == 0xb000_0010)
    }

    @Test("ats.split-stage: privilege and instruction marks of a translated access do not reach stage 2")
    func translatedIsData() {
        var machine = nested(.splitStage)
        let stage2 = machine.stage2Table()
        machine.map(stage2, 0, to: 0, level: 1)
        machine.map(stage2, 0x8000_0000, to: 0x9000_0000, attributes: LeafBits.stage2 | 1 << 54)
        var ste = machine.ste(1)
        ste.s2TableBase = stage2.base
        machine.setSTE(1, ste)
        let result = machine.translate(1, 0x8000_0000, privileged: true, instruction: true, kind: .translated)
        guard case .translated(let translation) = result else {
            Issue.record("\(result)")
            return
        }
        #expect(translation.pa == 0x9000_0000)
    }

    @Test("ats.request: a device asks again for what its ATC was not granted, and is refused what the tables refuse")
    func deviceAsksAgain() {
        var machine = stage1()
        let device = StreamID(1)
        let read = machine.smmu.accessWithATS(Transaction(device, 0x1008))
        let write = machine.smmu.accessWithATS(Transaction(device, 0x1008, write: true))
        #expect(read == .bypassed(pa: 0x5000_1008) && write == read)
        let readOnly = machine.smmu.accessWithATS(Transaction(device, 0x2008))
        #expect(readOnly == .bypassed(pa: 0x5000_2008))
        let denied = machine.smmu.accessWithATS(Transaction(device, 0x2008, write: true))
        guard case .faulted(let termination) = denied else {
            Issue.record("\(denied)")
            return
        }
        #expect(termination.response == .atsDenied && !termination.recorded)
        let privileged = machine.smmu.accessWithATS(Transaction(device, 0x3008, privileged: true))
        let unprivileged = machine.smmu.accessWithATS(Transaction(device, 0x3008))
        #expect(privileged == .bypassed(pa: 0x5000_3008) && unprivileged != privileged)
        let inBlock = machine.smmu.accessWithATS(Transaction(device, 0x5f_f008))
        let elsewhere = machine.smmu.accessWithATS(Transaction(device, 0x40_0008))
        #expect(inBlock == .bypassed(pa: 0x505f_f008) && elsewhere == .bypassed(pa: 0x5040_0008))
        let events = machine.takeEvents()
        #expect(events.isEmpty)
    }
}

extension Machine {
    /// Where a translated read of stream 1 at `address` goes through stage 2.
    fileprivate mutating func pa(translating address: UInt64) -> UInt64? {
        if case .translated(let translation) = translate(1, address, kind: .translated) { return translation.pa }
        return nil
    }

    /// Where a read of stream 1 by way of its ATC goes.
    fileprivate mutating func withATS(_ address: UInt64) -> UInt64? {
        switch smmu.accessWithATS(Transaction(StreamID(1), address)) {
        case .translated(let translation): translation.pa
        case .bypassed(let pa): pa
        default: nil
        }
    }
}
