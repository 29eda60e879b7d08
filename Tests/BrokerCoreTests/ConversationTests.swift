import BrokerCore
import SMMUv3
import Testing
import Wire

@Suite("Conversation")
struct ConversationTests {
    @Test("HELLO agrees on version, features and limits")
    func hello() throws {
        let harness = Harness()
        let reply = try harness.send(
            HelloRequest(version: 9, features: Features(rawValue: .max), name: name("vm")))
        guard case .hello(let hello) = reply.body else {
            Issue.record("\(reply)")
            return
        }
        #expect(hello.version == 1 && hello.epoch == Epoch(77) && hello.maximumPacket == 65792)
        #expect(hello.features == [.model, .pageResponse], "SHARED_EVENTS is not there")
        #expect(hello.maximumMemory == 64 << 20 && hello.maximumVSMMUs == 3 && hello.maximumContexts == 6)
        #expect(harness.observer.notices == [.began(vm: name("vm"), grant: "test")])
    }

    @Test("P6: before HELLO every other request is refused, and a second HELLO")
    func order() throws {
        let harness = Harness()
        #expect(try harness.create().reason == .helloExpected)
        #expect(try harness.map().reason == .helloExpected)
        #expect(try harness.hello().isDone)
        #expect(try harness.hello().reason == .helloRepeated)
    }

    @Test("HELLO without a grant, and beyond MaxSessions")
    func admission() throws {
        #expect(try Harness(grant: nil).hello().reason == .notGranted)
        let directory = FakeDirectory(HostInventory(devices: [], templates: []))
        for id in 2...3 { try directory.admit(SessionID(UInt64(id)), under: Harness.grant) }
        let refusal = try Harness(directory: directory).hello().refusal
        #expect(refusal?.reason == .quota)
        #expect(refusal?.text.contains("MaxSessions= of [Grant test]") ?? false, "\(refusal?.text ?? "")")
        directory.releaseEverything(of: SessionID(2))
        #expect(try Harness(directory: directory).hello().isDone)
    }

    @Test("P5, P7: descriptors of refused requests are not kept, and nothing changes")
    func refusedKeepsNothing() throws {
        let harness = try Harness.ready()
        let before = harness.session.state
        #expect(try harness.map(size: 4097).reason == .notAligned)
        #expect(!harness.answer.keepsFiles && harness.answer.descriptor == nil)
        #expect(harness.session.state == before && harness.backend.calls.isEmpty)
        let reply = try harness.send(
            MemoryUnmapRequest(ipa: IPA(0), size: 4096),
            files: [
                ReceivedFile(resource: ResourceID(5), kind: .other)
            ])
        #expect(reply.reason == .wrongDescriptorCount)
    }

    @Test("I8, P3: random bytes get one reply each, and the session goes on")
    func anyBytes() throws {
        let harness = try Harness.ready()
        let seed = UInt64.random(in: 0...UInt64.max)
        var random = Seeded(state: seed)
        for _ in 0..<5000 {
            var bytes = (0..<Int(random.next() % 120)).map { _ in UInt8(truncatingIfNeeded: random.next()) }
            if bytes.count >= 16, random.next() % 4 > 0 {
                // A right header, so that what follows is looked at.
                bytes.replaceSubrange(0..<4, with: [UInt8(random.next() % 20), 0, 0, 0])
                bytes.replaceSubrange(4..<8, with: [UInt8(bytes.count), 0, 0, 0])
            }
            #expect(try harness.send(bytes: bytes).header.reasonCode != 0 || bytes.count > 16, "seed \(seed)")
        }
        #expect(try harness.map().isDone)
    }

    @Test("Every refusal is counted, and told to the observer by name")
    func refusalsCounted() throws {
        let harness = try Harness.ready()
        let refusal = try #require(try harness.destroy(vsmmu: 9).refusal)
        #expect(refusal.reason == .unknownVSMMU)
        #expect(harness.session.counters.refusals == 1 && harness.session.counters.requests == 5)
        #expect(harness.observer.notices.last == .refused(.vsmmuDestroy, .unknownVSMMU, refusal.text))
    }

    @Test("When its grant is gone a session keeps what it has and gets nothing more")
    func grantGone() throws {
        let harness = try Harness.ready()
        harness.session.replaceGrant(nil, at: harness.now)
        #expect(try harness.map().reason == .notGranted)
        #expect(try harness.create().reason == .notGranted)
        #expect(try harness.attach("virt", vsid: 3).reason == .notGranted)
        #expect(try harness.switchState(.smmuEnabled, [(1, .stage1), (2, .stage1)]).isDone)
        harness.session.replaceGrant(Harness.grant, at: harness.now)
        #expect(try harness.map().isDone)
    }
}

/// SplitMix64.
struct Seeded: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }
}
