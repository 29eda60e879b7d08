import Backends
import BrokerCore
import SMMUv3
import Testing
import Wire

@Suite struct FaultyBackendTests {
    private let flush: [Command] = [.make(.tlbiNHAll)]

    @Test("the planned calls fail, and no others; a failed call does nothing")
    func plan() throws {
        let host = ModelHost(wrapped: true)
        let faulty = try #require(host.backend as? FaultyBackend)
        let guest = try Guest(host)
        try guest.attach(0, as: 7, .abort)
        let busy = BackendFailure(.busy, "attach", advice: "wait", isTransient: true)
        faulty.plan = [FaultyBackend.Fault(.install, at: 2, times: 2, .failure(busy))]
        try guest.install(.bypass, for: 7)
        for _ in 0..<2 {
            let failure = #expect(throws: BackendFailure.self) { try guest.install(.abort, for: 7) }
            #expect(failure == busy)
            let reply = guest.access(7, Guest.ramBase)
            #expect(reply.stage2 == .done, "what was in effect stays")
        }
        try guest.install(.abort, for: 7)
        let reply = guest.access(7, Guest.ramBase)
        #expect(reply.stage1 == .abort)
        #expect(faulty.count(of: .install) == 4 && faulty.history.prefix(3) == [.map, .createVSMMU, .attach])
    }

    @Test("invalidations fail or time out as planned, for ever if so")
    func invalidations() throws {
        let host = ModelHost(wrapped: true)
        let faulty = try #require(host.backend as? FaultyBackend)
        let guest = try Guest(host)
        faulty.plan = [
            FaultyBackend.Fault(.invalidate, at: 1, .deviceTimedOut),
            FaultyBackend.Fault(.invalidate, at: 3, times: .max),
        ]
        let outcomes = (0..<5).map { _ in faulty.invalidate(flush.span, on: guest.vsmmu) }
        #expect(outcomes == [.deviceTimedOut, .completed] + Array(repeating: .failed(.planned), count: 3))
    }

    @Test("every kind of call can be made to fail", arguments: FaultyBackend.Call.allCases)
    func everyCall(_ call: FaultyBackend.Call) throws {
        let host = ModelHost(wrapped: true)
        let faulty = try #require(host.backend as? FaultyBackend)
        let guest = try Guest(host)
        try guest.attach(0, as: 7, .bypass)
        let before = faulty.count(of: call)
        faulty.plan = [FaultyBackend.Fault(call, at: before + 1)]
        let doorbell = Doorbell(iova: IOVA(0x1000), ipa: IPA(0x1000))
        let vsid = StreamID(7)
        var failures = 0
        func attempt(_ body: () throws -> Void) { do { try body() } catch { failures += 1 } }
        attempt { try faulty.resynchronize(guest.vsmmu) }
        attempt { _ = try faulty.respond(.retry, to: StallTag(0), of: vsid, on: guest.vsmmu) }
        attempt { try faulty.terminateStalls(of: nil, on: guest.vsmmu) }
        attempt { _ = try faulty.bindDoorbell(doorbell, of: vsid, on: guest.vsmmu) }
        attempt { try faulty.install(.abort, for: vsid, on: guest.vsmmu) }
        attempt { try faulty.rebind(vsid, to: vsid, on: guest.vsmmu) }
        attempt {
            _ = try faulty.attach(host.device(1, ats: false), to: guest.vsmmu, as: StreamID(8), initially: .abort)
        }
        attempt { try faulty.detach(vsid, from: guest.vsmmu) }
        attempt { try faulty.createVSMMU(VSMMUID(2), on: host.smmu, advertised: host.advertised) }
        faulty.destroyVSMMU(VSMMUID(2))
        attempt { try faulty.unmap(guest.ram) }
        attempt {
            var map = guest.ram
            map.ipa = 0x8000_0000
            try faulty.map(map)
        }
        if faulty.invalidate(flush.span, on: guest.vsmmu) != .completed { failures += 1 }
        #expect(failures == (call == .destroyVSMMU ? 0 : 1))
        #expect(faulty.count(of: call) == before + 1)
    }
}
