import Backends
import BrokerClient
import BrokerCore
import BrokerHarness
import Configuration
import LinuxSystem
import SMMUv3
import Testing
import Wire

@Suite("vSMMUs and their contexts")
struct VSMMUTests {
    static let iova: UInt64 = 0x10_0000

    @Test("P16: from one stage 1 to the next the device is never on ABORT")
    func hitless() throws {
        let harness = try BrokerHarness()
        defer { harness.stop() }
        let guest = try Guest.translating(harness, iova: Self.iova)
        guest.store(1, at: 0x1_0000)
        for _ in 0..<50 {
            #expect(try guest.broker.setSTE(guest.stage1, of: Guest.vsid, on: guest.vsmmu).state == .translate)
            #expect(try guest.deviceReads(Self.iova) == 1)
        }
    }

    @Test("P16: when the host cannot make the new stage 1 the old one stays, and STE_SET is refused")
    func oldStays() throws {
        let permanent = BackendFailure(.noMemory, "attach the new stage 1", advice: "free memory")
        let failing = try BrokerHarness(backend: { descriptors in
            FaultyBackend(
                wrapping: ModelBackend(descriptors: descriptors), plan: [.init(.install, at: 2, .failure(permanent))])
        })
        defer { failing.stop() }
        let guest = try Guest.translating(failing, iova: Self.iova)
        guest.store(1, at: 0x1_0000)
        expectRefusal(.hostFailure) { _ = try guest.broker.setSTE(guest.stage1, of: Guest.vsid, on: guest.vsmmu) }
        #expect(try guest.deviceReads(Self.iova) == 1, "the old stage 1 is gone")
        #expect(try guest.broker.setSTE(guest.stage1, of: Guest.vsid, on: guest.vsmmu).state == .translate)
    }

    @Test("P17: a disabled vSMMU follows GBPA, an enabled one the STE; no STE, V = 0 and ILLEGAL ones abort")
    func states() throws {
        let harness = try BrokerHarness()
        defer { harness.stop() }
        let guest = try Guest.attached(harness)
        guest.map(iova: Self.iova, toPageAt: 0x1_0000)
        guest.store(7, at: 0x1_0000)
        let page = Guest.ramBase + 0x1_0000

        #expect(try guest.broker.setState(of: guest.vsmmu, []).contexts.first?.state == .bypass)
        #expect(try guest.deviceReads(page) == 7)
        #expect(try guest.broker.setState(of: guest.vsmmu, .bypassAborts).contexts.first?.state == .abort)
        #expect(try guest.deviceReads(page) == nil)

        #expect(try guest.enable().contexts.first?.state == .translate)
        #expect(try guest.deviceReads(Self.iova) == 7)
        #expect(try guest.deviceReads(page) == nil)

        let absent = try guest.broker.setSTE(StreamTableEntry(words: .zero), of: Guest.vsid, on: guest.vsmmu)
        #expect(absent.state == .abort && !absent.illegal)
        #expect(try guest.deviceReads(Self.iova) == nil)
        #expect(try guest.deviceReads(page) == nil, "V = 0 bypasses")

        // Config 6 and 7 would be the guest's own stage 2, which it has not been shown.
        var illegal = guest.stage1
        illegal.words[0] |= 7 << 1
        let report = try guest.broker.setSTE(illegal, of: Guest.vsid, on: guest.vsmmu)
        #expect(report.state == .abort && report.illegal)
        #expect(try guest.deviceReads(page) == nil, "an ILLEGAL STE bypasses")
        #expect(try guest.translate(page).event.id == .badSTE)

        // Config 4: bypass, which the guest may ask for.
        let bypass = StreamTableEntry(words: SIMD8(4 << 1 | 1, 1 << 44, 0, 0, 0, 0, 0, 0))
        #expect(try guest.broker.setSTE(bypass, of: Guest.vsid, on: guest.vsmmu).state == .bypass)
        #expect(try guest.deviceReads(page) == 7)
        expectRefusal(.missingContext) { _ = try guest.broker.setState(of: guest.vsmmu, .smmuEnabled) }
    }

    @Test("P18: each reset gives the same contexts and the next generation")
    func reset() throws {
        let harness = try BrokerHarness()
        defer { harness.stop() }
        let guest = try Guest.translating(harness, iova: Self.iova)
        let first = try guest.broker.reset(guest.vsmmu)
        let second = try guest.broker.reset(guest.vsmmu)
        #expect(first.contexts == second.contexts)
        #expect(second.generation.rawValue == first.generation.rawValue + 1)
        #expect(try guest.deviceReads(Self.iova) == nil)
        #expect(try guest.enable().contexts.first?.state == .translate)
    }

    @Test("P19: what is shown stays as it was, and a device with less is refused by the name of the field")
    func narrower() throws {
        var configuration = Configuration.open()
        // As when a reload finds the same SMMU with less.
        let less = try #require(configuration.devices.firstIndex { $0.device.name == "disk0" })
        configuration.devices[less].device.smmu.registers.idr5 &= ~(1 << 6)
        let harness = try BrokerHarness(configuration)
        defer { harness.stop() }
        let guest = try Guest(harness)
        let created = try guest.broker.createVSMMU(on: "gpu0")
        #expect(created.reply.advertised.idr5 & 1 << 6 != 0)
        let error = expectRefusal(.narrowerDevice) {
            try guest.broker.attach("disk0", to: created.reply.vsmmu, as: StreamID(1))
        }
        #expect(error?.text.contains("GRAN64K") == true, "\(error?.text ?? "")")
        try guest.broker.attach("net0", to: created.reply.vsmmu, as: StreamID(1))
    }

    @Test("P19: each field that is less than wanted is explained")
    func narrowings() throws {
        let harness = try BrokerHarness()
        defer { harness.stop() }
        let guest = try Guest(harness)
        let host = try guest.broker.createVSMMU(on: "gpu0").reply.host
        var wanted = host
        wanted.idr1 = wanted.idr1 & ~(0x1f << 6) | 31 << 6
        let narrowed = try guest.broker.createVSMMU(on: "gpu0", wanted: wanted)
        let field = try #require(narrowed.narrowings.first { $0.field.description == "IDR1.SSIDSIZE" })
        #expect(field.wanted == 31 && field.given < 31 && field.host == host.idr1 >> 6 & 31)
        let same = try guest.broker.createVSMMU(on: "gpu0", wanted: narrowed.reply.advertised)
        #expect(same.narrowings.isEmpty && same.reply.advertised == narrowed.reply.advertised)
    }
}
