import Backends
import BrokerCore
import FakeKernel
import IOMMUFD
import LinuxSystem
import SMMUv3
import Testing
import Wire

/// Whatever call of the kernel fails, and for however long: what a session believes is so, and nothing is left behind.
@Suite struct IOMMUFDFailureTests {
    private static let errnos: [Errno] = [.inputOutput, .noMemory, .busy, .timedOut, .noDevice, .invalid, .notFound]

    /// What a session says of its device is what the device has.
    private func check(_ talk: IOMMUFDConversation, _ when: String) {
        let device = talk.host.fake(0)
        guard let index = talk.session.state.contexts.indices.first else { return }
        let context = talk.session.state.contexts[index]
        switch context.installed {
        case .abort, .illegal: #expect(device.installed.aborts, "\(when): it should abort: \(device.installed)")
        case .bypass: #expect(!device.installed.translates, "\(when): it should bypass: \(device.installed)")
        case .stage1(let word0, _):
            // A failed vSMMU whose device could not be put on ABORT is known to translate.
            #expect(device.installed.aborts || device.installed.words[0] == word0, "\(when): \(device.installed)")
        }
        let failed = talk.session.state.vsmmus.indices.contains { talk.session.state.vsmmus[$0].failed }
        if device.installed.translates, !failed {
            #expect(context.installed.state == .translate, "\(when): it translates unknown to its session")
        }
    }

    /// A guest's life: the device goes through all states, with a failure of the kernel somewhere.
    private func live(_ talk: IOMMUFDConversation, _ plan: FakeKernel.Plan) throws {
        try talk.begin()
        talk.host.kernel.plan = plan
        let steps: [(String, () throws -> Void)] = [
            ("another STE", { try talk.set(IOMMUFDConversation.translating(0x4010_0000)) }),
            ("the same STE", { try talk.set(IOMMUFDConversation.translating(0x4010_0000)) }),
            ("V = 0", { try talk.set(StreamTableEntry()) }),
            ("an STE again", { try talk.set(IOMMUFDConversation.translating(0x4020_0000)) }),
            ("commands", { try talk.command(.make(.tlbiNSNHAll), .cfgiCDAll(StreamID(7))) }),
            ("disabled", { try talk.enable(false, StreamTableEntry()) }),
            ("enabled", { try talk.enable(true, IOMMUFDConversation.translating(0x4010_0000)) }),
            ("reset", { try talk.ask(VSMMURequest(vsmmu: VSMMUID(1)), as: .vsmmuReset) }),
            ("enabled again", { try talk.enable(true, IOMMUFDConversation.translating(0x4030_0000)) }),
        ]
        for (name, step) in steps {
            try step()
            check(talk, name)
        }
    }

    private func end(_ talk: IOMMUFDConversation, _ what: String) {
        talk.host.kernel.failNothing()
        var now = Instant(nanoseconds: 0)
        for _ in 0..<100 {
            guard let again = talk.session.end(at: now) else { break }
            now = again
        }
        #expect(talk.session.state.ended, "\(what)")
        for resource in talk.session.takeDiscarded() { talk.host.descriptors.remove(resource.rawValue) }
        talk.host.end()
        talk.closeCopies()
        let left = talk.host.kernel.liveObjects
        // That one goes with the backend, which the session still has.
        #expect(left == ["IOAS"] && talk.host.fake(0).smmu.freeVMIDs == 255, "\(what): \(left)")
        #expect(talk.host.fake(0).installed.aborts && !talk.host.fake(0).isBound, "\(what)")
        #expect(talk.host.kernel.areas.isEmpty, "\(what)")
    }

    @Test(
        "one call fails, or three in a row, or all from then on: what is believed is so, and nothing is left",
        arguments: errnos, [1, 3, Int.max])
    func everyCall(errno: Errno, times: Int) throws {
        var skip = 0
        while true {
            let talk = try IOMMUFDConversation()
            // What the kernel does not destroy it keeps: that is not to be made up for here.
            let plan = FakeKernel.Plan(skip: skip, times: times, errno, sparing: [.destroy])
            try live(talk, plan)
            let reached = talk.host.kernel.plan.map { $0.skip == 0 && $0.times < times } ?? false
            end(talk, "\(errno.name) at call \(skip), \(times) times")
            if !reached { break }
            skip += 1
        }
        #expect(skip > 20, "\(skip) calls")
    }

    @Test("neither flush nor the old stage 1 can be had: the device aborts, and the vSMMU is failed until it is reset")
    func unsettled() throws {
        let talk = try IOMMUFDConversation()
        try talk.begin()
        // The new one is attached; CFGI_CD_ALL fails, and so does putting the old one back.
        talk.host.kernel.fail(.invalidate, .timedOut)
        talk.host.kernel.fail(.attach, .inputOutput, after: 1)
        let refused = try talk.set(IOMMUFDConversation.translating(0x4010_0000))
        #expect(refused.header.reason == .vsmmuFailed)
        #expect(talk.host.fake(0).installed.aborts)
        #expect(talk.session.state.contexts[0].installed == .abort)
        let still = try talk.set(IOMMUFDConversation.translating(0x4010_0000))
        #expect(still.header.reason == .vsmmuFailed && talk.host.fake(0).installed.aborts)
        let reset = try talk.ask(VSMMURequest(vsmmu: VSMMUID(1)), as: .vsmmuReset)
        #expect(reset.header.status == .done)
        try talk.enable(true, IOMMUFDConversation.translating(0x4010_0000))
        #expect(talk.host.fake(0).installed.translates)
    }

    private static func resynchronizations(_ talk: IOMMUFDConversation) -> Int {
        talk.observer.notices.count { if case .resynchronized = $0 { true } else { false } }
    }

    @Test("P15: the new stage 1 was in effect and could not be flushed: with the old one all caches are dropped")
    func halfWay() throws {
        let talk = try IOMMUFDConversation()
        try talk.begin()
        let words = talk.host.fake(0).installed.words
        let before = talk.host.kernel.count(of: .invalidate)
        talk.host.kernel.fail(.invalidate, .inputOutput)
        let refused = try talk.set(IOMMUFDConversation.translating(0x4010_0000))
        #expect(refused.header.reason == .hostFailure && talk.host.fake(0).installed.words == words)
        #expect(talk.host.kernel.count(of: .invalidate) == before + 2)
        #expect(talk.session.counters.resynchronizations == 1 && Self.resynchronizations(talk) == 1)
        // What fails before it is in effect needs nothing.
        talk.host.kernel.fail(.nested, .inputOutput)
        try talk.set(IOMMUFDConversation.translating(0x4010_0000))
        #expect(talk.session.counters.resynchronizations == 1)
        // Half-way the first time, and not at all the second.
        talk.host.kernel.fail(.invalidate, .busy)
        talk.host.kernel.fail(.nested, .inputOutput, after: 1)
        let again = try talk.set(IOMMUFDConversation.translating(0x4010_0000))
        #expect(again.header.reason == .hostFailure && talk.session.counters.resynchronizations == 2)
    }

    @Test("P15: if the caches cannot be dropped either, its devices abort until it is reset") func halfWayForGood()
        throws
    {
        let talk = try IOMMUFDConversation()
        try talk.begin()
        talk.host.kernel.fail(.invalidate, .inputOutput, times: 2)
        let refused = try talk.set(IOMMUFDConversation.translating(0x4010_0000))
        #expect(refused.header.reason == .vsmmuFailed && talk.host.fake(0).installed.aborts)
        let reset = try talk.ask(VSMMURequest(vsmmu: VSMMUID(1)), as: .vsmmuReset)
        #expect(reset.header.status == .done)
    }

    @Test(
        "not even ABORT can be had: the session knows that the device translates, and ends it when the kernel lets it")
    func noAbortEither() throws {
        let talk = try IOMMUFDConversation()
        try talk.begin()
        try talk.set(StreamTableEntry())
        talk.host.kernel.fail(.invalidate, .timedOut)
        talk.host.kernel.fail(.attach, .inputOutput, after: 1, times: .max)
        let refused = try talk.set(IOMMUFDConversation.translating(0x4010_0000))
        #expect(refused.header.reason == .vsmmuFailed)
        #expect(talk.host.fake(0).installed.translates)
        #expect(talk.session.state.contexts[0].installed.state == .translate, "it does not believe in ABORT")
        end(talk, "no ABORT")
    }

    @Test("an event source that fails puts the vSMMU's devices on ABORT; a reset brings both back") func failedSource()
        throws
    {
        let talk = try IOMMUFDConversation()
        try talk.begin()
        talk.host.kernel.fail(.readEvents, .inputOutput, times: .max)
        let effects = talk.session.readSource(of: VSMMUID(1), at: Instant(nanoseconds: 0))
        #expect(effects.contains(.eventSources) && talk.session.eventSources.isEmpty)
        #expect(talk.host.fake(0).installed.aborts)
        let refused = try talk.set(IOMMUFDConversation.translating(0x4010_0000))
        #expect(refused.header.reason == .vsmmuFailed)
        talk.host.kernel.failNothing()
        try talk.ask(VSMMURequest(vsmmu: VSMMUID(1)), as: .vsmmuReset)
        #expect(talk.session.eventSources.count == 1)
        try talk.enable(true, IOMMUFDConversation.translating(0x4010_0000))
        #expect(talk.host.fake(0).installed.translates)
    }

    @Test("a device that answers an ATC_INV late is suspect, and a slow call is told of") func suspect() throws {
        let talk = try IOMMUFDConversation()
        try talk.begin()
        try talk.set(StreamTableEntry(0xb | 0x4010_0000, 1 << 28))
        talk.host.kernel.delay(.invalidate, 150_000_000)
        try talk.command(.atcInv(StreamID(7)))
        #expect(talk.session.state.contexts[0].health.state == .suspect)
        #expect(talk.observer.notices.contains(.slowCall(name: "IOMMU_HWPT_INVALIDATE", milliseconds: 150)))
        #expect(talk.session.counters.slowCalls == 1)
        try talk.command(.atcInv(StreamID(7)))
        let told = talk.observer.notices.count { if case .health = $0 { true } else { false } }
        #expect(told == 1 && talk.session.counters.slowCalls == 2)
    }
}
