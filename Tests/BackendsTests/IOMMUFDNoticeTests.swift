import Backends
import BrokerCore
import FakeKernel
import IOMMUFD
import LinuxSystem
import SMMUv3
import Testing
import Wire

/// What the iommufd backend notices of its host: calls that take long, devices that do, and sources that fail.
@Suite struct IOMMUFDNoticeTests {
    private static let threshold: UInt64 = 100_000_000

    @Test(
        "a call of 100 ms or more is told once, by its name; a shorter one is not",
        arguments: [
            (FakeKernel.Call.attach, "VFIO_DEVICE_ATTACH_IOMMUFD_PT"), (.nested, "IOMMU_HWPT_ALLOC (stage 1)"),
            (.invalidate, "IOMMU_HWPT_INVALIDATE"),
        ])
    func slowCalls(call: FakeKernel.Call, name: String) throws {
        let host = try IOMMUFDHost()
        let guest = try Guest(host)
        try guest.attach(0, as: 7, guest.makeSpace().installation)
        host.kernel.delay(call, Self.threshold - 1)
        try guest.install(guest.makeSpace(asid: 2).installation, for: 7)
        #expect(!host.backend.hasNotices)
        host.kernel.delay(call, 250_000_000)
        try guest.install(guest.makeSpace(asid: 3).installation, for: 7)
        #expect(host.backend.hasNotices)
        let told = host.backend.takeNotices()
        #expect(told == [.slowCall(name: name, milliseconds: 250)])
        #expect(!host.backend.hasNotices && host.backend.takeNotices().isEmpty)
    }

    @Test("to pin memory takes as long as there is memory, and tells nothing of the host") func pinning() throws {
        let host = try IOMMUFDHost()
        host.kernel.delay(.mapFile, 10 * Self.threshold)
        host.kernel.delay(.nestParent, 10 * Self.threshold)
        let guest = try Guest(host)
        try guest.attach(0, as: 7, .bypass)
        #expect(!host.backend.hasNotices)
        host.kernel.delay(.attach, Self.threshold)
        try guest.install(guest.makeSpace().installation, for: 7)
        #expect(host.backend.hasNotices)
    }

    @Test("of very many slow calls the first have names, the others are counted") func manySlowCalls() throws {
        let host = try IOMMUFDHost()
        let guest = try Guest(host)
        try guest.attach(0, as: 7, .bypass)
        host.kernel.delay(.invalidate, Self.threshold)
        for _ in 0..<20 { _ = guest.invalidate(.make(.tlbiNSNHAll)) }
        let told = host.backend.takeNotices()
        #expect(told.count == 17 && told.last == .moreSlowCalls(4))
    }

    @Test("a batch that took long makes the devices suspect that its ATC_INVs name, and no others") func slowATC()
        throws
    {
        let host = try IOMMUFDHost()
        let guest = try Guest(host)
        for number: UInt32 in 0..<3 {
            try guest.attach(number, as: 7 + number, guest.makeSpace().installationWithATS, ats: true)
        }
        host.kernel.delay(.invalidate, Self.threshold)
        _ = guest.invalidate(.make(.tlbiNSNHAll))
        #expect(!host.backend.takeNotices().contains { if case .trouble = $0 { true } else { false } })
        _ = guest.invalidate(.atcInv(StreamID(7)), .make(.tlbiNSNHAll), .atcInv(StreamID(9)), .atcInv(StreamID(7)))
        let suspects = host.backend.takeNotices().filter { if case .trouble = $0 { true } else { false } }
        #expect(
            suspects == [
                .trouble(DeviceTrouble(vsmmu: guest.vsmmu, vsid: StreamID(7), reason: .slowATC)),
                .trouble(DeviceTrouble(vsmmu: guest.vsmmu, vsid: StreamID(9), reason: .slowATC)),
            ])
    }

    @Test("of devices that leave an ATC_INV unanswered too") func unanswered() throws {
        let host = try IOMMUFDHost()
        let guest = try Guest(host)
        try guest.attach(0, as: 7, guest.makeSpace().installationWithATS, ats: true)
        host.fake(0).isUnresponsive = true
        let outcome = guest.invalidate(.atcInv(StreamID(7)))
        #expect(outcome == .deviceTimedOut)
        #expect(
            host.backend.takeNotices() == [
                .trouble(DeviceTrouble(vsmmu: guest.vsmmu, vsid: StreamID(7), reason: .slowATC))
            ])
    }

    @Test(
        "a source that fails is given up and not waited for any more; a reset tries again",
        arguments: [Errno.inputOutput, .noDevice, .badAddress])
    func failedSource(errno: Errno) throws {
        let host = try IOMMUFDHost()
        let guest = try Guest(host)
        try guest.attach(0, as: 7, guest.makeSpace().installation)
        host.kernel.raise(.translationFault(7, at: 0x1000), by: host.fake(0))
        host.kernel.fail(.readEvents, errno, times: .max)
        #expect(guest.takeEvents().records.isEmpty)
        #expect(host.backend.eventSource(of: guest.vsmmu) == nil)
        let told = host.backend.takeNotices()
        guard case .eventsFailed(guest.vsmmu, let failure)? = told.first, told.count == 1 else {
            Issue.record("\(told)")
            return
        }
        #expect(failure.status.rawValue == UInt32(errno.code))
        let reads = host.kernel.count(of: .readEvents)
        #expect(
            guest.takeEvents().records.isEmpty && host.kernel.count(of: .readEvents) == reads
                && !host.backend.hasNotices)
        host.kernel.failNothing()
        host.backend.restartEvents(of: guest.vsmmu)
        #expect(host.backend.eventSource(of: guest.vsmmu) != nil && guest.takeEvents().records.count == 1)
    }

    @Test("what fails in passing is read the next time, and not for ever", arguments: [Errno.interrupted, .again])
    func hiccups(errno: Errno) throws {
        let host = try IOMMUFDHost()
        let guest = try Guest(host)
        try guest.attach(0, as: 7, guest.makeSpace().installation)
        host.kernel.raise(.translationFault(7, at: 0x1000), by: host.fake(0))
        host.kernel.fail(.readEvents, errno, times: 3)
        for _ in 0..<3 { #expect(guest.takeEvents().records.isEmpty && !host.backend.hasNotices) }
        #expect(guest.takeEvents().records.count == 1)
        host.kernel.fail(.readEvents, errno, times: .max)
        for _ in 0..<100 { _ = guest.takeEvents() }
        #expect(host.backend.eventSource(of: guest.vsmmu) == nil)
    }

    @Test("what is no whole record is a failure; whole ones before it are given", arguments: [1, 7, 9, 39, 41, 79])
    func garbage(count: Int) throws {
        let host = try IOMMUFDHost()
        let guest = try Guest(host)
        try guest.attach(0, as: 7, guest.makeSpace().installation)
        // A header of sequence 0 without flags, and zeroes.
        host.kernel.garbage = [UInt8](repeating: 0, count: count)
        let whole = guest.takeEvents()
        #expect(whole.records.count == count / 40)
        #expect(host.backend.eventSource(of: guest.vsmmu) == nil, "it does not spin")
    }
}

extension EventRecord {
    fileprivate static func translationFault(_ stream: UInt32, at address: UInt64) -> EventRecord {
        var record = EventRecord(.translation, stream: StreamID(stream))
        record.inputAddress = address
        return record
    }
}
