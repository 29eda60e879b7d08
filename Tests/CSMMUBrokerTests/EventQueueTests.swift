import CSMMUBroker
import Testing

/// A guest's event queue in memory.
@safe
private final class GuestEvents {
    static let base: UInt64 = 0x4000_0000
    var log2: UInt32
    /// EVENTQS.
    var supported: UInt32 = 19
    var prod: UInt32 = 0
    var cons: UInt32 = 0
    /// Records by address.
    var memory: [UInt64: [UInt64]] = [:]
    var writes = 0
    /// The write at which memory ends.
    var abortAt = Int.max
    private(set) var appended = 0
    private(set) var dropped = 0
    private(set) var interrupt = false
    private(set) var aborted = false

    init(log2: UInt32) { self.log2 = log2 }

    static let overflowFlag: UInt32 = 1 << 31
    static func record(_ number: Int, stalled: Bool = false) -> smmu_broker_event_record {
        smmu_broker_event_record(words: (0x10, stalled ? 1 << 31 : 0, UInt64(number), 0))
    }

    func append(_ records: [smmu_broker_event_record]) -> Int32 {
        var queue = unsafe smmu_broker_eventq()
        unsafe queue.base = Self.base | UInt64(log2) | 1 << 62
        unsafe queue.idr1 = supported << 16
        unsafe (queue.prod, queue.cons) = (prod, cons)
        unsafe queue.memory.user = Unmanaged.passUnretained(self).toOpaque()
        unsafe queue.memory.write = { user, address, bytes, size in
            guard let user = unsafe user, let bytes = unsafe bytes else { return -14 }
            let guest = unsafe Unmanaged<GuestEvents>.fromOpaque(user).takeUnretainedValue()
            return unsafe guest.write(address, UnsafeRawBufferPointer(start: bytes, count: size))
        }
        let status = unsafe smmu_broker_append_events(&queue, records, UInt32(records.count))
        unsafe (prod, appended, dropped) = (queue.prod, Int(queue.appended), Int(queue.dropped))
        unsafe (interrupt, aborted) = (queue.interrupt == 1, queue.aborted == 1)
        return status
    }

    private func write(_ address: UInt64, _ bytes: UnsafeRawBufferPointer) -> Int32 {
        defer { writes += 1 }
        if writes >= abortAt { return -14 }
        memory[address] = (0..<4).map { unsafe bytes.load(fromByteOffset: $0 * 8, as: UInt64.self) }
        return 0
    }

    /// The numbers of the records in the queue's slots; nil where none has been written.
    var numbers: [UInt64?] { (0..<UInt64(1 << log2)).map { memory[Self.base + $0 * 32]?[2] } }
}

@Suite("Event queue")
struct EventQueueTests {
    @Test("Records are appended in order, PROD says so, and the interrupt is due")
    func append() {
        let guest = GuestEvents(log2: 2)
        #expect(guest.append([GuestEvents.record(1), GuestEvents.record(2)]) == 2)
        #expect(guest.numbers == [1, 2, nil, nil])
        #expect(guest.memory[GuestEvents.base] == [0x10, 0, 1, 0])
        #expect(guest.prod == 2 && guest.appended == 2 && guest.dropped == 0 && guest.interrupt && !guest.aborted)
    }

    @Test("No records, no interrupt")
    func nothing() {
        let guest = GuestEvents(log2: 2)
        #expect(guest.append([]) == 0)
        #expect(!guest.interrupt && guest.prod == 0)
    }

    @Test("The index wraps and the wrap bit toggles, both ways")
    func wrap() {
        let guest = GuestEvents(log2: 1)
        for number in 1...5 {
            #expect(guest.append([GuestEvents.record(number)]) == 1)
            #expect(guest.prod == UInt32(number) % 4)
            guest.cons = guest.prod
        }
        #expect(guest.numbers == [5, 4])
    }

    @Test("What a full queue cannot take is dropped and counted, and OVFLG toggles once until it is acknowledged")
    func overflow() {
        let guest = GuestEvents(log2: 1)
        #expect(guest.append((1...5).map { GuestEvents.record($0) }) == 5)
        #expect(guest.numbers == [1, 2] && guest.appended == 2 && guest.dropped == 3 && guest.interrupt)
        #expect(guest.prod == 2 | GuestEvents.overflowFlag)
        #expect(guest.append([GuestEvents.record(6)]) == 1)
        #expect(guest.prod == 2 | GuestEvents.overflowFlag && guest.dropped == 1 && !guest.interrupt)
        // The guest makes room but does not acknowledge: records are taken, a further overflow does not show.
        guest.cons = 1
        #expect(guest.append([GuestEvents.record(7)]) == 1)
        #expect(guest.prod == 3 | GuestEvents.overflowFlag && guest.appended == 1)
        #expect(guest.append([GuestEvents.record(8)]) == 1)
        #expect(guest.prod == 3 | GuestEvents.overflowFlag && guest.dropped == 1)
        // It acknowledges: the next overflow toggles back, and the index keeps its place.
        guest.cons = 1 | GuestEvents.overflowFlag
        #expect(guest.append([GuestEvents.record(9)]) == 1)
        #expect(guest.prod == 3)
        guest.cons = 3
        #expect(guest.append([GuestEvents.record(10)]) == 1)
        #expect(guest.prod == 0 && guest.appended == 1)
    }

    @Test("A record of a stalled transaction is never dropped: the caller keeps it and those behind it")
    func stalled() {
        let guest = GuestEvents(log2: 1)
        let records = (1...4).map { GuestEvents.record($0, stalled: $0 == 3) }
        #expect(guest.append(records) == 2)
        #expect(guest.prod == 2 && guest.dropped == 0 && guest.interrupt)
        guest.cons = 2
        #expect(guest.append(Array(records[2...])) == 2)
        #expect(guest.numbers == [3, 4] && guest.memory[GuestEvents.base]?[1] == 1 << 31)
    }

    @Test("A write that fails ends it: its record and those behind are lost, PROD does not cover them")
    func abort() {
        let guest = GuestEvents(log2: 3)
        guest.abortAt = 2
        #expect(guest.append((1...5).map { GuestEvents.record($0) }) == 5)
        #expect(guest.aborted && guest.prod == 2 && guest.appended == 2 && guest.dropped == 3 && guest.writes == 3)
    }

    @Test("A CONS that is no possible one makes the queue full", arguments: [1, 4, 7, 0xffff_fff1] as [UInt32])
    func impossibleCons(cons: UInt32) {
        let guest = GuestEvents(log2: 3)
        guest.cons = cons & ~GuestEvents.overflowFlag
        #expect(guest.append([GuestEvents.record(1)]) == 1)
        #expect(guest.writes == 0 && guest.dropped == 1 && guest.prod == GuestEvents.overflowFlag)
    }

    @Test("A queue is no larger than IDR1.EVENTQS says, and never beyond 2^19")
    func size() {
        let guest = GuestEvents(log2: 5)
        guest.supported = 1
        #expect(guest.append((1...3).map { GuestEvents.record($0) }) == 3)
        #expect(guest.appended == 2)
        guest.log2 = 20
        guest.supported = 31
        #expect(guest.append([GuestEvents.record(1)]) == -22)
    }
}
