import Backends
import BrokerCore
import FakeKernel
import IOMMUFD
import LinuxSystem
import SMMUv3
import Testing
import Wire

@Suite struct IOMMUFDCommandTests {
    private func makeGuest(repeats: Bool = false) throws -> (IOMMUFDHost, Guest) {
        let host = try IOMMUFDHost(repeats: repeats)
        let guest = try Guest(host)
        try guest.attach(0, as: 7, guest.makeSpace(asid: 1).installationWithATS, ats: true)
        try guest.attach(1, as: 8, guest.makeSpace(asid: 2).installation)
        return (host, guest)
    }

    @Test("a batch is one call of the kernel, in order, whatever its length") func oneCall() throws {
        let (host, guest) = try makeGuest()
        let (calls, executed) = (host.kernel.count(of: .invalidate), host.fake(0).smmu.executed.count)
        let batch = (0..<511).map { Command.tlbi(.tlbiNHVA, asid: 1, address: $0 << 12) } + [.atcInv(StreamID(7))]
        let outcome = host.backend.invalidate(batch.span, on: guest.vsmmu)
        #expect(outcome == .completed && host.kernel.count(of: .invalidate) == calls + 1)
        let done = host.fake(0).smmu.executed[executed...]
        #expect(done.map(\.address).prefix(511) == (0..<511).map { $0 << 12 }[...] && done.count == 512)
        #expect(done.last == .atcInv(StreamID(0x100)))
    }

    @Test("commands for streams without anything cached do not stop the others, nor are they a call by themselves")
    func filtered() throws {
        let (host, guest) = try makeGuest()
        let executed = host.fake(0).smmu.executed.count
        let outcome = guest.invalidate(
            .cfgiCDAll(StreamID(99)), .atcInv(StreamID(8)), .cfgiCD(StreamID(8), SubstreamID(0)), .make(.tlbiNHAll))
        #expect(outcome == .completed && host.fake(0).smmu.executed[executed...].count == 2)
        let calls = host.kernel.count(of: .invalidate)
        let nothing = guest.invalidate(.cfgiCDAll(StreamID(99)), .atcInv(StreamID(8)))
        #expect(nothing == .completed && host.kernel.count(of: .invalidate) == calls)
    }

    @Test("a timeout is a device's only if the batch held an ATC_INV") func timeouts() throws {
        let (host, guest) = try makeGuest()
        host.fake(0).isUnresponsive = true
        let device = guest.invalidate(.make(.tlbiNHAll), .atcInv(StreamID(7)))
        #expect(device == .deviceTimedOut)
        #expect(throws: BackendFailure.self) { try host.backend.resynchronize(guest.vsmmu) }
        host.fake(0).isUnresponsive = false
        try host.backend.resynchronize(guest.vsmmu)
        host.kernel.fail(.invalidate, .timedOut)
        let host2 = guest.invalidate(.make(.tlbiNHAll))
        guard case .failed(let failure) = host2 else {
            Issue.record("\(host2)")
            return
        }
        #expect(failure.status == .timedOut && !failure.isTransient)
    }

    @Test("any other error says nothing of what was done", arguments: [Errno.inputOutput, .noMemory, .invalid])
    func failures(errno: Errno) throws {
        let (host, guest) = try makeGuest()
        host.kernel.fail(.invalidate, errno)
        let outcome = guest.invalidate(.make(.tlbiNHAll), .atcInv(StreamID(7)))
        guard case .failed(let failure) = outcome else {
            Issue.record("\(outcome)")
            return
        }
        #expect(failure.status.rawValue == UInt32(errno.code) && failure.operation.contains("2 commands"))
    }

    @Test("resynchronizing drops all translations, the CDs of translating streams, and the ATCs of those with ATS")
    func resynchronize() throws {
        let (host, guest) = try makeGuest()
        try guest.attach(2, as: 9, .bypass)
        let executed = host.fake(0).smmu.executed.count
        try host.backend.resynchronize(guest.vsmmu)
        let done = host.fake(0).smmu.executed[executed...]
        #expect(
            done.map(\.opcode) == [.tlbiNHAll, .cfgiCDAll, .atcInv, .atcInv, .cfgiCDAll]
                && done.dropFirst().map(\.streamID.rawValue) == [0x100, 0x100, 0x100, 0x101])
    }

    @Test("an SMMU with the erratum gets each batch twice") func erratum() throws {
        let (host, guest) = try makeGuest(repeats: true)
        let executed = host.fake(0).smmu.executed.count
        let commands: [Command] = [.tlbi(.tlbiNHASID, asid: 1), .cfgiCDAll(StreamID(8)), .atcInv(StreamID(7))]
        let outcome = host.backend.invalidate(commands.span, on: guest.vsmmu)
        let done = host.fake(0).smmu.executed[executed...].map(\.opcode)
        #expect(outcome == .completed && done == commands.map(\.opcode) + commands.map(\.opcode))
    }

    // MARK: Events

    @Test("losses are counted exactly, and the descriptor stays readable while there is more") func events() throws {
        let (host, guest) = try makeGuest()
        for number in 0..<1100 {
            host.kernel.raise(EventRecord(0x10, 0, UInt64(number) << 12, 0), by: host.fake(0))
        }
        var slots = [EventRecord](repeating: EventRecord(), count: 10)
        var span = slots.mutableSpan
        let first = host.backend.readEvents(of: guest.vsmmu, into: &span)
        #expect(first == EventsRead(count: 10) && slots[9].inputAddress == 9 << 12 && slots[0].streamID == StreamID(7))
        host.kernel.raise(EventRecord(0x10, 0, 0xdead_0000, 0), by: host.fake(1))
        var (records, lost, last) = (10, UInt64(0), EventRecord())
        while true {
            var span = slots.mutableSpan
            // As a session that looks only when it is woken.
            let readable = try guest.eventSourceIsReadable
            let read = host.backend.readEvents(of: guest.vsmmu, into: &span)
            if read.count == 0 && read.lost == 0 { break }
            #expect(readable)
            (records, lost) = (records + read.count, lost + read.lost)
            if read.count > 0 { last = slots[read.count - 1] }
        }
        #expect(records == 1025 && lost == 76 && last.streamID == StreamID(8) && last.inputAddress == 0xdead_0000)
        let readable = try guest.eventSourceIsReadable
        #expect(!readable)
    }

    @Test("an event queue that cannot be read loses nothing") func failedRead() throws {
        let (host, guest) = try makeGuest()
        host.kernel.raise(EventRecord(0x10, 0, 0x1000, 0), by: host.fake(0))
        host.kernel.fail(.readEvents, .interrupted)
        let nothing = guest.takeEvents()
        #expect(nothing.records.isEmpty && nothing.losses.isEmpty)
        let readable = try guest.eventSourceIsReadable
        #expect(readable)
        let events = guest.takeEvents()
        #expect(events.records.count == 1)
    }
}
