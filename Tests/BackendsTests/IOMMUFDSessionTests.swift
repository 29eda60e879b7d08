import Backends
import BrokerCore
import FakeKernel
import IOMMUFD
import LinuxSystem
import SMMUv3
import Testing
import Wire

/// Whole sessions on the fake kernel: what a VMM asks for, as packets, and what its device and the kernel see of it.
@Suite struct IOMMUFDSessionTests {
    @Test("a device goes the way of its guest, and at the end everything is given back") func life() throws {
        let talk = try IOMMUFDConversation()
        try talk.begin()
        let device = talk.host.fake(0)
        #expect(device.installed.translates && device.latched == StreamID(7))
        let start = device.history.count
        for round: UInt64 in 1...50 { try talk.set(IOMMUFDConversation.translating(0x4000_0000 + round << 12)) }
        let aborting = device.history[start...].count { $0.aborts }
        #expect(device.history.count == start + 50 && aborting == 0, "never ABORT between two stages 1")
        try talk.set(StreamTableEntry())
        #expect(device.installed.aborts)
        try talk.enable(false, StreamTableEntry())
        #expect(device.installed.aborts)
        #expect(talk.session.end(at: Instant(nanoseconds: 0)) == nil)
        talk.host.end()
    }

    @Test(
        "whatever the kernel refuses of an STE, the stage 1 before it stays",
        arguments: [FakeKernel.Call.nested, .attach])
    func failures(call: FakeKernel.Call) throws {
        let talk = try IOMMUFDConversation()
        try talk.begin()
        let words = talk.host.fake(0).installed.words
        talk.host.kernel.fail(call, .inputOutput)
        let refused = try talk.set(IOMMUFDConversation.translating(0x4010_0000))
        #expect(refused.header.status == .inputOutput && talk.host.fake(0).installed.words == words)
        // What is busy is tried again.
        talk.host.kernel.fail(call, .busy)
        let done = try talk.set(IOMMUFDConversation.translating(0x4010_0000))
        #expect(done.header.status == .done && talk.host.fake(0).installed.words != words)
    }

    @Test("a device in reset holds the end of its session up, and then it ends") func endDuringReset() throws {
        let talk = try IOMMUFDConversation()
        try talk.begin()
        let device = talk.host.fake(0)
        device.isResetting = true
        let again = talk.session.end(at: Instant(nanoseconds: 0))
        #expect(again != nil && device.installed.translates)
        device.isResetting = false
        #expect(talk.session.end(at: again ?? Instant(nanoseconds: 0)) == nil)
        // ABORT comes first, memory second: no access outside of memory is possible at any time.
        #expect(device.installed == .blocked && talk.host.kernel.areas.isEmpty)
        let order = talk.host.kernel.history.filter { [.attach, .unmap, .detach].contains($0) }
        #expect(order.suffix(3) == [.attach, .unmap, .detach])
        for resource in talk.session.takeDiscarded() { talk.host.descriptors.remove(resource.rawValue) }
        talk.host.end()
    }

    @Test("P29: a stalled transaction reaches its guest and is answered by it; nobody answers: it is aborted")
    func stalls()
        throws
    {
        let talk = try IOMMUFDConversation(stallModel: 0)
        try talk.begin(features: [.pageResponse])
        let retried = talk.host.kernel.stall(talk.host.fake(0), at: 0x5000)
        _ = talk.session.readSource(of: VSMMUID(1), at: Instant(nanoseconds: 0))
        let tag = try #require(talk.observer.faults.last?.record.stallTag)
        func answer(_ code: PageResponseRequest.Code) throws -> Reply {
            try talk.ask(
                PageResponseRequest(
                    vsmmu: VSMMUID(1), vsid: StreamID(7), stag: StallTag(UInt32(tag)), code: code))
        }
        let first = try answer(.retry)
        let second = try answer(.retry)
        #expect(first.header.status == .done && retried.state == .retried)
        #expect(second.header.reason == .unknownStallTag)
        let forgotten = talk.host.kernel.stall(talk.host.fake(0), at: 0x6000)
        _ = talk.session.readSource(of: VSMMUID(1), at: Instant(nanoseconds: 0))
        _ = talk.session.timeout(at: try #require(talk.session.deadline))
        #expect(forgotten.state == .aborted)
        #expect(talk.observer.notices.contains(.stallTimedOut(device: .test(IOMMUFDHost.address(0)))))
        let last = talk.host.kernel.stall(talk.host.fake(0), at: 0x7000)
        #expect(talk.session.end(at: Instant(nanoseconds: 0)) == nil && last.state == .aborted)
    }

    @Test("a client without PAGE_RESPONSE sees no stalls, and its device cannot stall") func withoutAnswers() throws {
        let talk = try IOMMUFDConversation(stallModel: 0)
        try talk.begin()
        #expect(!talk.host.kernel.liveObjects.contains("fault queue"))
        let stall = talk.host.kernel.stall(talk.host.fake(0), at: 0x5000)
        #expect(stall.state == .aborted)
    }
}
