import Backends
import BrokerClient
import BrokerCore
import BrokerHarness
import Configuration
import Foundation
import LinuxSystem
import SMMUv3
import Server
import Systemd
import Testing
import Wire

@Suite("Commands and STEs")
struct CommandTests {
    static let iova: UInt64 = 0x10_0000
    static let invalidate = Command.tlbi(.tlbiNHAll)

    /// A guest that has read 1 through a translation, and has since mapped another page, which holds 2: until something is
    /// invalidated its device reads 1.
    private func staleGuest(_ harness: BrokerHarness) throws -> Guest {
        let guest = try Guest.translating(harness, iova: Self.iova, page: 0x1_0000)
        guest.store(1, at: 0x1_0000)
        guest.store(2, at: 0x1_1000)
        #expect(try guest.deviceReads(Self.iova) == 1)
        guest.map(iova: Self.iova, toPageAt: 0x1_1000)
        #expect(try guest.deviceReads(Self.iova) == 1, "nothing was invalidated")
        return guest
    }

    @Test("P12: an acknowledged invalidation is done")
    func invalidation() throws {
        let harness = try BrokerHarness()
        defer { harness.stop() }
        let guest = try staleGuest(harness)
        #expect(try guest.broker.invalidate([Self.invalidate, .sync()], on: guest.vsmmu) == 2)
        #expect(try guest.deviceReads(Self.iova) == 2)
    }

    @Test("P10, P11: an illegal command stops at its place: those before it are done, those after it are not")
    func prefix() throws {
        let harness = try BrokerHarness()
        defer { harness.stop() }
        let illegal = Command(d0: 0xff, d1: 0)
        let before = try staleGuest(harness)
        let stopped = expectRefusal(.illegalCommand) {
            try before.broker.invalidate([.sync(), Self.invalidate, illegal, .sync()], on: before.vsmmu)
        }
        #expect(stopped?.completed == 2 && stopped?.commandError == .illegal)
        #expect(try before.deviceReads(Self.iova) == 2)

        let after = try staleGuest(harness)
        let first = expectRefusal(.illegalCommand) {
            try after.broker.invalidate([illegal, Self.invalidate, .sync()], on: after.vsmmu)
        }
        #expect(first?.completed == 0 && first?.commandError == .illegal)
        #expect(try after.deviceReads(Self.iova) == 1, "a command after the illegal one was begun")
    }

    @Test("P11: a command for another message stops without an error of the guest's")
    func otherMessages() throws {
        var configuration = Configuration.open()
        var settings = SMMUSettings()
        settings.stalls = true
        configuration.smmus = [settings.smmu(named: "model0")]
        for index in configuration.devices.indices { configuration.devices[index].device.smmu = configuration.smmus[0] }
        let harness = try BrokerHarness(configuration)
        defer { harness.stop() }
        let guest = try staleGuest(harness)
        let cases: [(Command, Reason)] = [
            (.cfgiSTE(Guest.vsid), .configurationCommand),
            (.cfgiSTERange(StreamID(0), range: 31), .configurationCommand),
            (.resume(Guest.vsid, tag: 1, .retry), .pageResponseCommand), (.stallTerm(Guest.vsid), .pageResponseCommand),
        ]
        for (command, reason) in cases {
            let stopped = expectRefusal(reason) {
                try guest.broker.invalidate([.sync(), command, Self.invalidate], on: guest.vsmmu)
            }
            #expect(stopped?.completed == 1 && stopped?.commandError == CommandError.none)
            #expect(try guest.deviceReads(Self.iova) == 1, "\(reason.name) did not stop")
        }
    }

    @Test("P13: commands for streams that do not translate, or are not the session's, do nothing and are counted")
    func noOps() throws {
        let harness = try BrokerHarness()
        defer { harness.stop() }
        let guest = try Guest.translating(harness)
        let strangers: [Command] = [.cfgiCDAll(StreamID(99)), .cfgiCD(StreamID(99), SubstreamID(0)), .sync()]
        #expect(try guest.broker.invalidate(strangers, on: guest.vsmmu) == 3)
        #expect(eventually { harness.table.all.first?.snapshot.counters.ignoredCommands == 2 })
    }

    @Test("P14: STE_SET drops the stream's CDs even when no bit of the STE changed")
    func repeatedSTE() throws {
        let harness = try BrokerHarness()
        defer { harness.stop() }
        let guest = try staleGuest(harness)
        // The TLB is cleaned, the CD is not: without it the walk would fail.
        guest.store(0, at: 0x3000)
        try guest.broker.invalidate([Self.invalidate, .sync()], on: guest.vsmmu)
        #expect(try guest.deviceReads(Self.iova) == 2, "the CD came from the cache")
        let report = try guest.broker.setSTE(guest.stage1, of: Guest.vsid, on: guest.vsmmu)
        #expect(report.state == .translate && !report.illegal)
        try guest.broker.invalidate([Self.invalidate, .sync()], on: guest.vsmmu)
        #expect(try guest.deviceReads(Self.iova) == nil, "the CD came from the cache still")
    }

    @Test("P15: after a failure of the host everything is invalidated before the vSMMU goes on")
    func hostFailure() throws {
        let failing = try BrokerHarness(backend: { descriptors in
            FaultyBackend(wrapping: ModelBackend(descriptors: descriptors), plan: [.init(.invalidate)])
        })
        defer { failing.stop() }
        let guest = try staleGuest(failing)
        let failed = expectRefusal(.hostFailure) { try guest.broker.invalidate([Self.invalidate], on: guest.vsmmu) }
        #expect(failed?.completed == 0)
        #expect(try guest.deviceReads(Self.iova) == 2, "it was not resynchronized")
        #expect(try guest.broker.invalidate([Self.invalidate], on: guest.vsmmu) == 1)
        failing.stop()
        #expect(failing.journal.records(of: .resynchronized).count == 1)
    }

    @Test("P15: a vSMMU that cannot be resynchronized aborts and says so until it is reset")
    func failedVSMMU() throws {
        let failing = try BrokerHarness(backend: { descriptors in
            FaultyBackend(
                wrapping: ModelBackend(descriptors: descriptors),
                plan: [.init(.invalidate), .init(.resynchronize, times: 8)])
        })
        defer { failing.stop() }
        let guest = try staleGuest(failing)
        #expect(throws: BrokerError.self) { try guest.broker.invalidate([Self.invalidate], on: guest.vsmmu) }
        expectRefusal(.vsmmuFailed) { _ = try guest.deviceReads(Self.iova) }
        expectRefusal(.vsmmuFailed) { try guest.broker.invalidate([Self.invalidate], on: guest.vsmmu) }
        expectRefusal(.vsmmuFailed) { _ = try guest.broker.setSTE(guest.stage1, of: Guest.vsid, on: guest.vsmmu) }
        var isReset = false
        for _ in 0..<10 where !isReset {
            do { isReset = try guest.broker.reset(guest.vsmmu).contexts.count == 1 } catch {}
        }
        #expect(isReset)
        #expect(try guest.enable().contexts.first?.state == .translate)
        #expect(try guest.deviceReads(Self.iova) == 2)
    }

    @Test("P15: a device that does not answer is CERROR_ATC_INV_SYNC, and only for a batch with an ATC_INV")
    func deviceTimeout() throws {
        let failing = try BrokerHarness(backend: { descriptors in
            FaultyBackend(
                wrapping: ModelBackend(descriptors: descriptors), plan: [.init(.invalidate, times: 2, .deviceTimedOut)])
        })
        defer { failing.stop() }
        let guest = try Guest.translating(failing)
        var ats = guest.stage1
        ats.words[1] |= 1 << 28
        #expect(try guest.broker.setSTE(ats, of: Guest.vsid, on: guest.vsmmu).state == .translate)
        let timedOut = expectRefusal(.hostFailure) {
            try guest.broker.invalidate([.atcInv(Guest.vsid), .sync()], on: guest.vsmmu)
        }
        #expect(timedOut?.commandError == .atcInvalidationSync)
        let plain = expectRefusal(.hostFailure) { try guest.broker.invalidate([Self.invalidate], on: guest.vsmmu) }
        #expect(plain?.commandError == CommandError.none)
    }
}
