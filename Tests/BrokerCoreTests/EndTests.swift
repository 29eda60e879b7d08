import BrokerCore
import SMMUv3
import Testing
import Wire

@Suite("The end of a session, and its state")
struct EndTests {
    private func order(_ calls: [Call]) -> [Int] {
        calls.map {
            switch $0 {
            case .install(_, .abort): 0
            case .unmap: 1
            case .detach: 2
            case .destroy: 3
            default: 9
            }
        }
    }

    @Test("I1, P24: devices abort, then memory goes, then objects, then everything is given back")
    func end() throws {
        let harness = try Harness.translating()
        let file = ReceivedFile(resource: ResourceID(7), kind: .shmem, size: 1 << 30, sealedAgainstShrinking: true)
        try harness.map(file: file)
        try harness.map(ipa: 0, file: file)
        let socket = try harness.subscribe()
        harness.backend.calls = []
        #expect(harness.session.end(at: harness.now) == nil)
        #expect(order(harness.backend.calls) == [0, 0, 1, 1, 2, 2, 3])
        #expect(harness.directory.inventory.owner(of: name("disk")) == nil)
        #expect(harness.session.takeDiscarded() == [ResourceID(7), ResourceID(7), socket])
        #expect(harness.observer.notices.last == .ended && harness.session.state.ended)
        harness.backend.calls = []
        #expect(harness.session.end(at: harness.now) == nil && harness.backend.calls.isEmpty)
        #expect(harness.ledger.state == harness.session.state)
    }

    @Test("I1, P24: while a device is busy its ABORT is tried again, before any memory goes")
    func busy() throws {
        let harness = try Harness.translating()
        try harness.map()
        harness.backend.calls = []
        harness.backend.fail = { if case .install(let key, _) = $0, key.vsid == StreamID(1) { .busy() } else { nil } }
        let retry = try #require(harness.session.end(at: harness.now))
        #expect(retry == harness.now.advanced(byMilliseconds: 20))
        #expect(harness.session.end(at: retry) != nil && !harness.backend.calls.contains(.unmap(0x4000_0000)))
        #expect(harness.inEffect(2) == .abort)
        harness.backend.fail = { _ in nil }
        #expect(harness.session.end(at: retry) == nil && harness.backend.mapped.isEmpty)
    }

    @Test("P24: a device that stays busy does not keep the rest for ever")
    func bounded() throws {
        let harness = try Harness.translating()
        try harness.map()
        harness.backend.fail = { if case .install = $0 { .busy() } else { nil } }
        var (now, times) = (harness.now, 0)
        while let next = harness.session.end(at: now) {
            (now, times) = (next, times + 1)
            if times > 1000 { break }
        }
        #expect(times == 50 && harness.backend.mapped.isEmpty && harness.backend.inEffect.isEmpty)
    }

    @Test("A session that ends before HELLO has nothing to give back")
    func early() {
        let harness = Harness()
        #expect(harness.session.end(at: harness.now) == nil && harness.backend.calls.isEmpty)
    }

    @Test("I7: the changes make the state; I1: what is in effect is what state and host agree on")
    func replay() throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        var random = Seeded(state: seed)
        func pick<Value>(_ values: [Value]) -> Value { values[Int(random.next() % UInt64(values.count))] }
        let stes: [StreamTableEntry] = [.stage1, .otherStage1, .bypass, .aborting, .invalid, .illegal]
        for _ in 0..<20 {
            let harness = Harness()
            try harness.hello()
            try harness.create()
            var failing = false
            harness.backend.fail = { _ in failing ? .broken : nil }
            for _ in 0..<150 {
                failing = random.next() % 8 == 0
                harness.backend.outcome = pick([.completed, .completed, .deviceTimedOut, .failed(.broken)])
                let (vsmmu, vsid) = (UInt32(1 + random.next() % 3), UInt32(random.next() % 4))
                // Each of them compares the ledger's state with the session's.
                switch random.next() % 14 {
                case 0: try harness.create(pick(["disk", "net", "virt", "other"]))
                case 1: try harness.destroy(vsmmu: vsmmu)
                case 2...4: try harness.attach(pick(["disk", "net", "virt", "other"]), vsid: vsid, vsmmu: vsmmu)
                case 5: try harness.detach(vsid: vsid, vsmmu: vsmmu)
                case 6: try harness.setSTE(pick(stes), vsid: vsid, vsmmu: vsmmu)
                case 7: try harness.commands([.tlbi, .atcInv(StreamID(vsid))], vsmmu: vsmmu)
                case 8: try harness.reset(vsmmu: vsmmu)
                case 9: try harness.map(ipa: UInt64(random.next() % 4) << 12, size: 4096 << (random.next() % 3))
                case 10: try harness.unmap(ipa: UInt64(random.next() % 4) << 12, size: 4096 << (random.next() % 3))
                case 11:
                    let range = harness.session.state.contexts(of: VSMMUID(vsmmu))
                    let entries = range.map { (harness.session.state.contexts[$0].key.vsid.rawValue, pick(stes)) }
                    try harness.switchState(.smmuEnabled, entries, vsmmu: vsmmu)
                case 12: try harness.switchState(pick([[], .bypassAborts]), vsmmu: vsmmu)
                default:
                    let device = pick(["disk", "net", "virt:0"])
                    _ =
                        random.next() % 2 == 0
                        ? harness.session.quarantine(name(device), at: harness.now)
                        : harness.session.release(name(device), at: harness.now)
                }
                try check(harness, seed)
            }
            failing = false
            #expect(harness.session.end(at: harness.now) == nil, "seed \(seed)")
            #expect(harness.backend.inEffect.isEmpty && harness.backend.mapped.isEmpty, "seed \(seed)")
            #expect(harness.ledger.state == harness.session.state, "seed \(seed)")
        }
    }

    private func check(_ harness: Harness, _ seed: UInt64) throws {
        let state = harness.session.state
        #expect(state.contexts.count == harness.backend.inEffect.count, "seed \(seed)")
        #expect(Set(state.maps.indices.map { state.maps[$0].ipa }) == harness.backend.mapped, "seed \(seed)")
        for index in state.contexts.indices {
            let context = state.contexts[index]
            #expect(harness.backend.inEffect[context.key] == context.installed, "seed \(seed)")
            let vsmmu = state.vsmmus[try #require(state.vsmmus.index(of: context.key.vsmmu))]
            // No bypass by an enabled vSMMU but by a valid STE that says so, or known to have failed.
            if vsmmu.enabled && !vsmmu.failed && context.installed == .bypass {
                #expect(context.ste?.valid == true && context.ste?.config == .bypass, "seed \(seed)")
            }
        }
    }
}
