import BrokerCore
import SMMUv3
import Testing
import Wire

private func attached(_ reply: Reply) throws -> DeviceAttachReply {
    guard case .deviceAttach(let body) = reply.body else { throw reply.refusal ?? Refusal(.badValue, .invalid, "") }
    return body
}

@Suite("vSMMUs and devices")
struct DeviceTests {
    @Test("ATTACH tells what the VMM has to know, and sends a descriptor where there is one")
    func attach() throws {
        let harness = Harness()
        try harness.hello()
        try harness.create()
        let disk = try attached(harness.attach("disk", vsid: 1))
        #expect(disk.flags == .ats && disk.pasidBits == 8 && disk.physicalStream == StreamID(10))
        #expect(disk.msiBase == IOVA(0x800_0000) && disk.msiSize == 0x10_0000 && disk.state == .bypass)
        harness.backend.descriptor = ResourceID(55)
        let net = try attached(harness.attach("net", vsid: 2))
        #expect(net.flags == .descriptor && harness.answer.descriptor == ResourceID(55))
    }

    @Test("A template makes a device each time, which is named after it")
    func template() throws {
        let harness = try Harness.ready()
        for vsid in 3...5 as ClosedRange<UInt32> {
            let reply = try attached(harness.attach("virt", vsid: vsid))
            #expect(reply.physicalStream == StreamID(100 + vsid - 3))
            #expect(try harness.context(vsid).device.name == name("virt:\(vsid - 3)"))
        }
        try harness.detach(vsid: 3)
        #expect(try attached(harness.attach("virt", vsid: 9)).physicalStream == StreamID(100))
    }

    @Test(
        "What may not be attached",
        arguments: [
            ("disk", 1, 1, Reason.duplicateVSID), ("disk", 3, 1, .deviceBusy), ("nobody", 3, 1, .unknownDevice),
            ("other", 3, 1, .otherSMMU), ("virt", 3, 9, .unknownVSMMU),
        ] as [(String, UInt32, UInt32, Reason)])
    func refused(device: String, vsid: UInt32, vsmmu: UInt32, reason: Reason) throws {
        let harness = try Harness.ready()
        #expect(try harness.attach(device, vsid: vsid, vsmmu: vsmmu).reason == reason)
        #expect(harness.backend.calls.isEmpty)
        if reason == .otherSMMU { #expect(harness.directory.inventory.owner(of: name("other")) == nil, "given back") }
        if reason == .deviceBusy { #expect(harness.directory.inventory.owner(of: name("disk")) == SessionID(1)) }
    }

    @Test("P19: a device whose SMMU has come to offer less is refused, and the field is named")
    func narrower() throws {
        let harness = try Harness.ready()
        var narrow = Harness.devices[0]
        narrow.name = name("late")
        narrow.smmu.registers.idr3 = 0
        harness.directory.inventory.replace(devices: [narrow], templates: [])
        let refusal = try #require(try harness.attach("late", vsid: 3).refusal)
        #expect(refusal.reason == .narrowerDevice && refusal.text.contains("IDR3."), "\(refusal.text)")
        #expect(harness.directory.inventory.owner(of: name("late")) == nil)
    }

    @Test("A device that the host cannot attach is given back")
    func attachFails() throws {
        let harness = try Harness.ready()
        harness.backend.fail = { if case .attach = $0 { .broken } else { nil } }
        #expect(try harness.attach("virt", vsid: 3).reason == .hostFailure)
        #expect(
            harness.directory.inventory.owner(of: name("virt:0")) == nil && harness.session.state.contexts.count == 2)
    }

    @Test("P8: the quota of contexts")
    func quota() throws {
        let harness = try Harness.ready()
        for vsid in 3...6 as ClosedRange<UInt32> { #expect(try harness.attach("virt", vsid: vsid).isDone) }
        let refusal = try #require(try harness.attach("virt", vsid: 7).refusal)
        #expect(refusal.reason == .quota && refusal.text.contains("MaxContexts= of [Grant test]"))
    }

    @Test("REBIND changes the vSID and nothing else")
    func rebind() throws {
        let harness = try Harness.translating()
        func rebind(_ old: UInt32, _ new: UInt32) throws -> Reply {
            try harness.send(
                DeviceRebindRequest(vsmmu: VSMMUID(1), vsid: StreamID(old), newVSID: StreamID(new)))
        }
        let before = try harness.context(1)
        #expect(try rebind(1, 7).isDone)
        #expect(harness.backend.calls == [.rebind(before.key, StreamID(7))])
        #expect(try harness.context(7).installed == before.installed && harness.context(7).ste == before.ste)
        #expect(try harness.setSTE(.bypass, vsid: 1).reason == .unknownVSID)
        #expect(try rebind(7, 2).reason == .duplicateVSID && rebind(1, 8).reason == .unknownVSID)
        #expect(try rebind(7, 7).isDone)
    }

    @Test("P23: DETACH gives the device back; DESTROY needs that")
    func detach() throws {
        let harness = try Harness.ready()
        #expect(try harness.destroy().reason == .vsmmuInUse)
        #expect(try harness.detach(vsid: 1).isDone && harness.detach(vsid: 2).isDone)
        #expect(harness.directory.inventory.owner(of: name("disk")) == nil)
        #expect(harness.session.eventSources == [Session.EventSource(vsmmu: VSMMUID(1), descriptor: ResourceID(9001))])
        #expect(try harness.destroy().isDone && harness.session.eventSources.isEmpty)
        #expect(harness.answer.effects.contains(.eventSources))
        guard case .vsmmuCreate(let again, _) = try harness.create().body else {
            Issue.record("no vSMMU")
            return
        }
        #expect(again.vsmmu == VSMMUID(2), "no number is used twice")
    }

    @Test("DEVICE_RESET is for orphans alone")
    func reset() throws {
        let harness = try Harness.ready()
        #expect(try harness.send(DeviceResetRequest(device: name("disk"))).reason == .notOrphaned)
    }

    // MARK: Registers

    @Test("CREATE with nothing wanted shows what nesting allows, and says what it leaves out")
    func registers() throws {
        let harness = Harness()
        try harness.hello()
        guard case .vsmmuCreate(let reply, let records) = try harness.create().body else {
            Issue.record("no vSMMU")
            return
        }
        let bytes = harness.reply
        // SAFETY: the bytes are integers, of which any bits are some.
        let narrowings = records.array(in: unsafe bytes.span.bytes)
        #expect(reply.host == Harness.registers)
        let shown = reply.advertised
        #expect(shown.stage1Supported && !shown.stage2Supported && shown.atsSupported && shown.rangeInvalidation)
        #expect(shown.msiSupported && shown.twoLevelStreamTableSupported && shown.streamIDSize == 16)
        #expect(shown.commandQueueLog2Size == 19 && shown.eventQueueLog2Size == 19 && shown.substreamIDSize == 10)
        let stage2 = try #require(narrowings.first { $0.field.description == "IDR0.S2P" })
        #expect(stage2.wanted == 1 && stage2.host == 1 && stage2.given == 0 && stage2.cause == .nesting)
        #expect(harness.directory.inventory.owner(of: name("disk")) == nil, "only ATTACH takes a device")
    }

    @Test("What is wanted beyond the host is narrowed because of the host")
    func wanted() throws {
        let harness = Harness()
        try harness.hello()
        var wanted = Harness.registers
        wanted.idr1 = 20 << 6
        guard case .vsmmuCreate(let reply, let records) = try harness.create(wanted: wanted).body else {
            Issue.record("no vSMMU")
            return
        }
        let bytes = harness.reply
        // SAFETY: the bytes are integers, of which any bits are some.
        let narrowings = records.array(in: unsafe bytes.span.bytes)
        #expect(reply.advertised.substreamIDSize == 10)
        let field = try #require(narrowings.first { $0.field.description == "IDR1.SSIDSIZE" })
        #expect(field.wanted == 20 && field.host == 10 && field.given == 10 && field.cause == .host)
    }

    @Test("Stalls are shown only to clients that can answer them")
    func stalls() throws {
        for (features, model) in [
            (Features.pageResponse, IDRegisters.StallModel.stallAndTerminate), ([], .terminateOnly),
        ]
            as [(Features, IDRegisters.StallModel)]
        {
            let harness = Harness()
            try harness.hello(features)
            try harness.create()
            #expect(harness.session.state.vsmmus[0].advertised.stallModel == model)
        }
    }

    @Test("No vSMMU on an SMMU that does not nest, nor beyond the quota")
    func createRefused() throws {
        let plain = PhysicalSMMU(name: name("s1"), registers: IDRegisters(idr0: 2))
        let device = HostDevice(name: name("x"), smmu: plain, streamID: StreamID(1))
        let harness = Harness(directory: FakeDirectory(HostInventory(devices: [device], templates: Harness.templates)))
        try harness.hello()
        #expect(try harness.create("x").reason == .notSupported)
        for _ in 0..<3 { #expect(try harness.create("virt").isDone) }
        #expect(try harness.create("virt").reason == .quota && harness.create("nobody").reason == .quota)
    }

    // MARK: The rest

    @Test("MSI_DOORBELL, TRANSLATE and DMA")
    func access() throws {
        let harness = try Harness.ready()
        let doorbell = MSIDoorbellRequest(vsmmu: VSMMUID(1), vsid: StreamID(1), iova: IOVA(0x9000), ipa: IPA(0x8000))
        guard case .msiDoorbell(let window) = try harness.send(doorbell).body else {
            Issue.record("no window")
            return
        }
        #expect(window == MSIDoorbellReply(base: IOVA(0x9000), size: 4096))
        let target = AccessRequest.Target(vsmmu: VSMMUID(1), vsid: StreamID(1), iova: IOVA(0x1000))
        let translated = try harness.send { AccessRequest.encodeTranslate(target, write: false, $0, into: &$1) }
        guard case .access(let reply, _) = translated.body else {
            Issue.record("\(translated)")
            return
        }
        #expect(reply.ipa == IPA(0x5000) && reply.size == 0)
        let read = try harness.send { AccessRequest.encodeRead(target, size: 300, $0, into: &$1) }
        guard case .access(let moved, let data) = read.body else {
            Issue.record("\(read)")
            return
        }
        let bytes = harness.reply
        // SAFETY: the bytes are integers, of which any bits are some.
        let got = data.array(in: unsafe bytes.span.bytes)
        #expect(moved.size == 300 && got == (0..<300).map { UInt8(truncatingIfNeeded: $0) })
        let written: [UInt8] = [1, 2, 3]
        let write = try harness.send {
            // SAFETY: the bytes are integers, of which any bits are some.
            AccessRequest.encodeWrite(target, data: unsafe written.span.bytes, $0, into: &$1)
        }
        guard case .access(let done, let none) = write.body else {
            Issue.record("\(write)")
            return
        }
        #expect(done.size == 3 && none.count == 0 && harness.backend.written == written)
    }

    @Test("What HELLO did not agree on is not supported")
    func features() throws {
        let harness = Harness()
        try harness.hello([])
        try harness.create()
        try harness.attach()
        let target = AccessRequest.Target(vsmmu: VSMMUID(1), vsid: StreamID(1), iova: IOVA(0))
        #expect(
            try harness.send { AccessRequest.encodeTranslate(target, write: false, $0, into: &$1) }.reason
                == .notSupported)
        #expect(
            try harness.send(
                PageResponseRequest(vsmmu: VSMMUID(1), vsid: StreamID(1), stag: StallTag(1), code: .retry)
            ).reason == .notSupported)
    }

    @Test("PAGE_RESPONSE answers what is stalled, once")
    func pageResponse() throws {
        let harness = try Harness.translating()
        harness.backend.stalled = [StallTag(3)]
        func respond(_ code: PageResponseRequest.Code, _ tag: UInt32) throws -> Reply {
            try harness.send(
                PageResponseRequest(vsmmu: VSMMUID(1), vsid: StreamID(1), stag: StallTag(tag), code: code))
        }
        #expect(try respond(.abort, 3).isDone)
        #expect(try respond(.abort, 3).reason == .unknownStallTag)
        #expect(try respond(.terminateAll, 0).isDone)
        #expect(harness.backend.calls.last == .terminateStalls(StreamID(1)))
    }
}
