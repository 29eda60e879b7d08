import BrokerCore
import SMMUv3
import Testing
import Wire

/// Storms and what they lead to, in a session: the owner has every event, and devices are parked and come back.
@Suite("Storms in a session") struct HealthTests {
    private let first = VSMMUID(1)

    private func harness(
        _ action: FaultPolicy.Action, _ change: (inout FaultPolicy) -> Void = { _ in },
        journalLimit: JournalLimit = JournalLimit(burst: .max / 1024)
    ) throws -> Harness {
        var grant = Harness.grant
        grant.faults.action = action
        grant.faults.storm = FaultPolicy.Rate(100, withinMilliseconds: 10_000)
        (grant.faults.parkMilliseconds, grant.faults.maximumParkMilliseconds) = (1000, 3000)
        change(&grant.faults)
        let harness = Harness(grant: grant, journalLimit: journalLimit)
        try harness.hello()
        try harness.create()
        try harness.attach("disk", vsid: 1)
        try harness.attach("net", vsid: 2)
        try harness.switchState(.smmuEnabled, [(1, .stage1), (2, .stage1)])
        harness.now = Instant(nanoseconds: 1_000_000_000)
        return harness
    }

    /// Faults of a stream at pages from `page` on.
    private func storm(_ harness: Harness, _ count: Int, stream: UInt32 = 1, page: UInt64 = 0, step: UInt64 = 1) {
        harness.backend.source[first, default: []] += (0..<count).map { number in
            var record = EventRecord(.translation, stream: StreamID(stream))
            record.inputAddress = (page + UInt64(number) * step) << 12
            return record
        }
        while harness.backend.source[first]?.isEmpty == false && harness.session.hasRoomForEvents(of: first) {
            _ = harness.session.readSource(of: first, at: harness.now)
        }
    }

    private func pass(_ harness: Harness, milliseconds: UInt64) {
        harness.now = harness.now.advanced(byMilliseconds: milliseconds)
        _ = harness.session.timeout(at: harness.now)
    }

    /// What the owner is told, in order.
    private func deliver(_ harness: Harness) throws -> (health: [HealthNotice], records: Int) {
        var (health, records): ([HealthNotice], Int) = ([], 0)
        if harness.session.sockets.isEmpty { try harness.subscribe() }
        while let (message, some) = try harness.nextDelivery() {
            if case .health(let notice) = message.body { health.append(notice) }
            records += some.count
            harness.session.delivered()
        }
        return (health, records)
    }

    private func changes(_ harness: Harness) -> [HealthChange] {
        harness.observer.notices.compactMap { if case .health(let change) = $0 { change } else { nil } }
    }

    private func health(_ harness: Harness, _ vsid: UInt32 = 1) throws -> ContextHealth {
        try harness.context(vsid).health
    }

    @Test("A storm that a reset finds in the source is told behind the loss, as of before the reset")
    func stormAtReset() throws {
        let harness = try harness(.log) { $0.storm = FaultPolicy.Rate(1100, withinMilliseconds: 10_000) }
        storm(harness, 1200)
        #expect(try health(harness).state == .healthy)
        #expect(try harness.reset().isDone)
        try harness.subscribe()
        var told: [EventMessage] = []
        while let (message, records) = try harness.nextDelivery() {
            if records.isEmpty { told.append(message) }
            harness.session.delivered()
        }
        try #require(told.count == 2)
        let lost = UInt64(1200 - EventRing.capacity)
        #expect(told[0].body == .lost(LossNotice(count: lost, place: .subscriber)))
        let reasons = HealthReasons(.eventStorm)
        #expect(
            told[1].body
                == .health(
                    HealthNotice(vsid: StreamID(1), state: .suspect, reason: .eventStorm, reasons: reasons)))
        #expect(told[1].header.sequence == EventSequence(1200) && told[1].header.generation == Generation(0))
    }

    @Test("A storm makes a device suspect at its number and not before, and a calm span makes it healthy")
    func suspect() throws {
        let harness = try harness(.log)
        storm(harness, 99)
        #expect(try health(harness).state == .healthy)
        storm(harness, 1)
        #expect(try health(harness).state == .suspect && health(harness, 2).state == .healthy)
        #expect(harness.inEffect()?.state == .translate)
        pass(harness, milliseconds: 9_999)
        #expect(try health(harness).state == .suspect)
        pass(harness, milliseconds: 1)
        #expect(try health(harness).state == .healthy && harness.session.deadline == nil)
        #expect(changes(harness).map(\.health.reason) == [.eventStorm, .calm])
        let told = try deliver(harness)
        #expect(told.health.map(\.state) == [.suspect, .healthy] && told.records == 100)
    }

    @Test("Half as many go on being a storm, fewer do not")
    func hysteresis() throws {
        let harness = try harness(.log)
        storm(harness, 100)
        for _ in 0..<20 {
            pass(harness, milliseconds: 2000)
            storm(harness, 10)
        }
        #expect(try health(harness).state == .suspect)
        for _ in 0..<20 {
            pass(harness, milliseconds: 2000)
            storm(harness, 2)
        }
        #expect(try health(harness).state == .healthy)
    }

    @Test("Stalled transactions ask for pages: they are no storm")
    func stalls() throws {
        let harness = try harness(.park)
        harness.backend.source[first] = (0..<500).map { number in
            var record = EventRecord(.translation, stream: StreamID(1))
            record.stallTag = UInt16(number)
            return record
        }
        _ = harness.session.readSource(of: first, at: harness.now)
        #expect(try health(harness).state == .healthy)
        #expect(harness.observer.faults.count == 500, "each is told")
    }

    @Test("Park: ABORT, told in two steps, and the owner has every event")
    func park() throws {
        let harness = try harness(.park)
        storm(harness, 150, page: 7, step: 0)
        #expect(harness.inEffect() == .abort && harness.inEffect(2)?.state == .translate)
        let told = try deliver(harness)
        #expect(told.health.map(\.state) == [.suspect, .quarantined] && told.records == 150)
        #expect(told.health.allSatisfy { $0.reason == .eventStorm && $0.reasons.known == [.eventStorm] })
        #expect(changes(harness).map(\.health.state) == [.suspect, .quarantined])
        let counters = harness.session.faultCounters
        #expect(counters.changes(to: .quarantined, because: .eventStorm) == 1)
        #expect(harness.session.tallies.events[EventID.translation.place] == 150)
        // A guest's new STE changes nothing.
        try harness.setSTE(.otherStage1)
        #expect(harness.inEffect() == .abort)
        #expect(try harness.reset().isDone)
        #expect(harness.inEffect() == .abort)
    }

    @Test("A parked device comes back; one that goes on is parked again for twice as long, up to the bound")
    func comingBack() throws {
        let harness = try harness(.park)
        for time: UInt64 in [1000, 2000, 3000, 3000] {
            storm(harness, 100)
            #expect(harness.inEffect() == .abort)
            #expect(harness.session.deadline == harness.now.advanced(byMilliseconds: time) || time > 1000)
            pass(harness, milliseconds: time - 1)
            #expect(harness.inEffect() == .abort)
            pass(harness, milliseconds: 1)
            #expect(harness.inEffect()?.state == .translate)
            #expect(try health(harness).state == .recovered)
            _ = try deliver(harness)
        }
        pass(harness, milliseconds: 10_000)
        #expect(try health(harness).state == .healthy)
        storm(harness, 100)
        pass(harness, milliseconds: 1000)
        #expect(try health(harness).state == .recovered, "after it was healthy the first time counts again")
    }

    @Test("What the STE became meanwhile counts when it comes back")
    func newSTE() throws {
        let harness = try harness(.park)
        storm(harness, 100)
        try harness.setSTE(.bypass)
        pass(harness, milliseconds: 1000)
        #expect(harness.inEffect() == .bypass)
    }

    @Test("ParkReturn=reset: VSMMU_RESET brings it back, time does not")
    func reset() throws {
        let harness = try harness(.park) { $0.comesBack = .reset }
        storm(harness, 100)
        pass(harness, milliseconds: 1_000_000)
        #expect(harness.inEffect() == .abort)
        try harness.reset()
        #expect(harness.inEffect() == .bypass)
        #expect(try health(harness).reason == .reset)
    }

    @Test("An operator's quarantine only the operator lifts, one's of a parked device too")
    func operatorsQuarantine() throws {
        let harness = try harness(.park)
        storm(harness, 100)
        #expect(harness.session.quarantine(name("disk"), at: harness.now))
        pass(harness, milliseconds: 1_000_000)
        #expect(harness.inEffect() == .abort)
        #expect(harness.session.release(name("disk"), at: harness.now))
        #expect(harness.inEffect()?.state == .translate)
        #expect(
            try deliver(harness).health.map(\.reason) == [.eventStorm, .eventStorm, .operatorOrder, .operatorOrder])
    }

    @Test("To attach a device anew is no way out of a quarantine")
    func reattached() throws {
        let harness = try harness(.park)
        storm(harness, 100)
        try harness.detach()
        try harness.attach("disk", vsid: 9)
        #expect(harness.inEffect(9) == .abort)
        try harness.setSTE(.stage1, vsid: 9)
        #expect(harness.inEffect(9) == .abort)
        pass(harness, milliseconds: 1000)
        #expect(harness.inEffect(9)?.state == .translate)
    }

    @Test("What the host refuses to abort is asked for again")
    func refused() throws {
        let harness = try harness(.park)
        harness.backend.fail = { if case .install(_, .abort) = $0 { .broken } else { nil } }
        storm(harness, 100)
        #expect(harness.inEffect()?.state == .translate)
        harness.backend.fail = { _ in nil }
        pass(harness, milliseconds: 0)
        #expect(harness.inEffect() == .abort)
    }

    @Test("A new policy counts at once, for what is parked too")
    func reload() throws {
        let harness = try harness(.park)
        storm(harness, 100)
        var grant = Harness.grant
        grant.faults.action = .log
        harness.session.replaceGrant(nil, at: harness.now)
        #expect(harness.inEffect() == .abort, "a grant that is gone releases nothing")
        harness.session.replaceGrant(grant, at: harness.now)
        #expect(harness.inEffect()?.state == .translate)
        #expect(try health(harness).reason == .configuration)
    }

    @Test("An ATC invalidation without an answer makes a device suspect, and several park it")
    func timeouts() throws {
        let harness = try harness(.park)
        harness.backend.outcome = .deviceTimedOut
        try harness.commands([.atcInv(StreamID(1))])
        #expect(try health(harness).state == .suspect && health(harness).reason == .atcTimeout)
        try harness.commands([.atcInv(StreamID(1))])
        try harness.commands([.atcInv(StreamID(1))])
        #expect(harness.inEffect() == .abort)
        #expect(try health(harness).reason == .atcTimeout)
    }

    @Test("What a backend has noticed of a device counts, and it is not blamed twice")
    func backendTrouble() throws {
        let harness = try harness(.park)
        harness.backend.troubles = [DeviceTrouble(vsmmu: first, vsid: StreamID(1), reason: .slowATC)]
        try harness.commands([.tlbi])
        #expect(try health(harness).reason == .slowATC && harness.inEffect()?.state == .translate)
        harness.backend.outcome = .deviceTimedOut
        for _ in 0..<2 {
            harness.backend.troubles = [DeviceTrouble(vsmmu: first, vsid: StreamID(1), reason: .atcTimeout)]
            try harness.commands([.atcInv(StreamID(1))])
        }
        #expect(try health(harness).reasons.known == [.atcTimeout, .slowATC])
        #expect(try health(harness).state == .suspect)
    }

    @Test("A sampled storm is told one of so many, with every fault in a count, and ends with the storm")
    func sampling() throws {
        let harness = try harness(.sample) { $0.sampling = 50 }
        for round in 0..<5 {
            storm(harness, 1000, page: UInt64(round) * 1000)
            _ = try deliver(harness)
        }
        // 100 until the storm is one, and those of the batch that it was in.
        #expect(harness.observer.faults.count < 1200)
        #expect(harness.observer.faults.contains { $0.isSample && $0.count == 50 })
        pass(harness, milliseconds: 1000)
        #expect(harness.observer.faults.reduce(0) { $0 + $1.count } == 5000)
        pass(harness, milliseconds: 60_000)
        let before = harness.observer.faults.count
        storm(harness, 10, page: 50_000)
        #expect(harness.observer.faults.count == before + 10)
    }

    @Test("I5: every fault is told, merged into a told count, or suppressed with an exact one", arguments: 0..<8)
    func conservation(_: Int) throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        var random = Seeded(state: seed)
        let actions: [FaultPolicy.Action] = [.log, .sample, .park]
        let harness = try harness(
            actions[Int(random.next() % 3)], { $0.sampling = 7 },
            journalLimit: JournalLimit(burst: 3, intervalMilliseconds: 500))
        var made: UInt64 = 0
        var owned = 0
        for _ in 0..<300 {
            let count = Int(random.next() % 60)
            storm(
                harness, count, stream: [1, 2, 99][Int(random.next() % 3)], page: random.next() % 5,
                step: random.next() % 2)
            made += UInt64(count)
            switch random.next() % 10 {
            case 0: pass(harness, milliseconds: random.next() % 2000)
            case 1: _ = try harness.reset()
            case 2:
                try harness.detach(vsid: 2)
                try harness.attach("net", vsid: 2)
            default: harness.now = harness.now.advanced(byMilliseconds: random.next() % 100)
            }
            owned += try deliver(harness).records
        }
        _ = harness.session.end(at: harness.now)
        #expect(owned == Int(made), "the owner has each of them, seed \(seed)")
        let faults = harness.observer.faults
        #expect(faults.reduce(0) { $0 + $1.count } == made, "seed \(seed)")
        let journal = faults.reduce(UInt64(0)) { $0 + ($1.journal ? $1.count : 0) }
        #expect(journal + harness.session.counters.journalSuppressed == made, "seed \(seed)")
        let told = faults.reduce(UInt64(0)) { $0 + $1.suppressed }
        let noticed = harness.observer.notices.reduce(UInt64(0)) {
            if case .suppressedFaults(_, let count) = $1 { $0 + count } else { $0 }
        }
        // Of records that name no context the rest is told with the next one, which never came.
        #expect(told + noticed <= harness.session.counters.journalSuppressed, "seed \(seed)")
    }
}
