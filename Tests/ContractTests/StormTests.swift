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

/// A device that faults without end, over a whole daemon with the model: what everybody who must know gets of it.
@Suite("Storms") struct StormTests {
    private func configuration(_ change: (inout FaultPolicy) -> Void) -> Configuration {
        var configuration = Configuration.open()
        var policy = FaultPolicy()
        policy.storm = FaultPolicy.Rate(50, withinMilliseconds: 3_600_000)
        change(&policy)
        for index in configuration.grants.indices { configuration.grants[index].faults = policy }
        return configuration
    }

    /// What the owner is told of health, until it is in this state.
    private func health(_ events: EventReceiver, until state: HealthNotice.State) throws -> [HealthNotice] {
        var all: [HealthNotice] = []
        while all.last?.state != state {
            guard case .delivery(let delivery) = try events.next(waitingAtMost: 60_000) else {
                Issue.record("nothing came after \(all)")
                return all
            }
            if case .health(let notice) = delivery.content { all.append(notice) }
        }
        return all
    }

    @Test("A parked storm is ABORT, HEALTH for the owner, a notice, a journal record with its reason, and a metric")
    func park() throws {
        let harness = try BrokerHarness(
            configuration {
                ($0.action, $0.comesBack) = (.park, .byOperator)
            })
        defer { harness.stop() }
        let admin = try AdminClient(connectingTo: harness.adminPath)
        let monitor = try admin.monitor(AdminMonitorRequest(flags: [.follow, .notices]))
        let guest = try Guest.translating(harness, device: "disk0")
        let events = try guest.broker.subscribe()
        for _ in 0..<50 { #expect(try guest.translate(0x40_0000).stage1 == .fault) }
        let told = try health(events, until: .quarantined)
        #expect(told.map(\.state) == [.suspect, .quarantined] && told.allSatisfy { $0.reason == .eventStorm })
        #expect(try guest.translate(0x10_0000).stage1 == .abort, "what was mapped is not reached either")

        var notices: [MonitorNotice] = []
        var faults: UInt64 = 0
        while notices.last?.state != .quarantined || faults < 50 {
            switch try monitor.next(waitingAtMost: 60_000) {
            case .notices(let some): notices += some.filter { $0.kind == .health }
            case .events(let some): faults += some.reduce(0) { $0 + $1.faults }
            default:
                Issue.record("something else came")
                return
            }
        }
        #expect(faults == 50, "identical ones are merged, and counted")
        #expect(notices.map(\.reason) == [.eventStorm, .eventStorm] && notices.allSatisfy { $0.device == "disk0" })

        #expect(eventually { harness.journal.records(of: .quarantined).count == 1 })
        let record = try #require(harness.journal.records(of: .quarantined).first)
        #expect(record["SMMU_REASON"] == "event-storm" && record["SMMU_HEALTH"] == "quarantined")
        #expect(record["SMMU_DEVICE"] == "disk0" && record["SMMU_VM"] == "guest" && record["SMMU_COUNT"] == "50")
        #expect(harness.journal.records(of: .suspected).count == 1)

        let context = try #require(try admin.show(1).contexts.first)
        #expect(context.health == .quarantined && context.healthReason == .eventStorm && context.healthNanoseconds > 0)
        #expect(try admin.status().reply.quarantinedContexts == 1)
        #expect(try admin.sessions().first?.quarantinedContexts == 1)
        let metrics = try admin.metrics()
        for line in [
            "health_transitions_total{to=\"quarantined\",reason=\"event-storm\"} 1",
            "health_transitions_total{to=\"suspect\",reason=\"event-storm\"} 1",
            "events_by_kind_total{kind=\"F_TRANSLATION\"} 50",
        ] { #expect(metrics.contains("\nsmmu_broker_\(line)\n"), "\(metrics)") }

        _ = try admin.release("disk0")
        #expect(try health(events, until: .recovered).last?.reason == .operatorOrder)
        #expect(try guest.translate(0x10_0000).stage1 == .done)
    }

    @Test("A device that goes on when it comes back is parked again")
    func comingBack() throws {
        let harness = try BrokerHarness(
            configuration {
                $0.action = .park
                ($0.parkMilliseconds, $0.maximumParkMilliseconds) = (100, 100)
            })
        defer { harness.stop() }
        let guest = try Guest.translating(harness)
        let events = try guest.broker.subscribe()
        for round in 0..<3 {
            for _ in 0..<50 { _ = try guest.translate(0x40_0000) }
            let told = try health(events, until: .recovered).map(\.state)
            #expect(told == (round == 0 ? [.suspect] : []) + [.quarantined, .recovered])
            #expect(try guest.translate(0x10_0000).stage1 == .done)
        }
        #expect(harness.journal.records(of: .quarantined).allSatisfy { $0.message.contains("it comes back in 100 ms") })
    }

    @Test("A reload counts for sessions that there are")
    func reload() throws {
        let harness = try BrokerHarness(configuration { _ in })
        defer { harness.stop() }
        let guest = try Guest.translating(harness, device: "disk0")
        let events = try guest.broker.subscribe()
        for _ in 0..<60 { _ = try guest.translate(0x40_0000) }
        #expect(try health(events, until: .suspect).map(\.state) == [.suspect])
        #expect(try guest.translate(0x10_0000).stage1 == .done, "the default parks nobody")
        try harness.reload(
            "[Grant tests]\nUser=\(getuid())\nDevices=*\nFaultPolicy=park\nFaultStorm=20/1h\nParkReturn=operator\n")
        #expect(eventually { harness.journal.records(of: .configurationReloaded).count == 1 })
        for _ in 0..<20 { _ = try guest.translate(0x40_0000) }
        #expect(try health(events, until: .quarantined).map(\.state) == [.quarantined])
        try harness.reload("[Grant tests]\nUser=\(getuid())\nDevices=*\n")
        #expect(try health(events, until: .recovered).last?.reason == .configuration)
    }

    @Test("Identical faults are one journal record with a count and its times; the owner has each")
    func merged() throws {
        var configuration = configuration { $0.storm = FaultPolicy.Rate(1_000_000, withinMilliseconds: 1000) }
        configuration.journal.faultBurst = 1000
        let harness = try BrokerHarness(configuration)
        defer { harness.stop() }
        let guest = try Guest.translating(harness)
        let events = try guest.broker.subscribe()
        for _ in 0..<200 { _ = try guest.translate(0x40_0000) }
        var owned = 0
        while owned < 200, case .delivery(let delivery) = try events.next(waitingAtMost: 60_000) {
            if case .events(let records) = delivery.content { owned += records.count }
        }
        func counts() -> [UInt64] {
            harness.journal.records(of: .fault).compactMap { $0["SMMU_COUNT"].flatMap { UInt64($0) } }
        }
        #expect(eventually { counts().reduce(0, +) == 200 }, "\(counts())")
        #expect(counts().first == 1 && counts().count < 200)
        let record = try #require(harness.journal.records(of: .fault).last)
        let (first, last) = (UInt64(record["SMMU_FIRST_USEC"] ?? ""), UInt64(record["SMMU_LAST_USEC"] ?? ""))
        #expect(try #require(first) <= #require(last))
        #expect(record.message.contains("The last of "))
    }
}
