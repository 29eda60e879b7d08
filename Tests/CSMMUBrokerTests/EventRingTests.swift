import CSMMUBroker
import Testing

/// A shared event queue, as the broker writes it and the client reads it.
@safe
private final class SharedRing {
    let log2: UInt32
    private let slots: UnsafeMutablePointer<UInt64>
    private let registers: UnsafeMutablePointer<UInt32>
    private var ring: smmu_broker_event_ring

    init(log2: UInt32) {
        self.log2 = log2
        unsafe slots = .allocate(capacity: 4 << Int(log2))
        unsafe slots.initialize(repeating: 0, count: 4 << Int(log2))
        unsafe registers = .allocate(capacity: 2)
        unsafe registers.initialize(repeating: 0, count: 2)
        unsafe ring = smmu_broker_event_ring(
            records: slots, registers: registers, log2: log2, cons: 0, lost: 0, reserved: 0)
    }

    deinit {
        unsafe slots.deallocate()
        unsafe registers.deallocate()
    }

    var prod: UInt32 {
        get { unsafe registers[0] }
        set { unsafe registers[0] = newValue }
    }
    var cons: UInt32 { unsafe registers[1] }
    var lost: Bool { unsafe ring.lost != 0 }

    func put(_ number: UInt64) {
        unsafe slots[Int(prod & ((1 << log2) - 1)) * 4 + 2] = number
        let mask = UInt32(2) << log2 - 1
        prod = prod & ~mask | (prod + 1) & mask
    }

    func take(_ capacity: Int = 8) -> (status: Int32, numbers: [UInt64]) {
        var records = [smmu_broker_event_record](repeating: smmu_broker_event_record(), count: max(1, capacity))
        let status = unsafe smmu_broker_take_events(&ring, &records, UInt32(capacity))
        return (status, records.prefix(Int(max(0, status))).map(\.words.2))
    }
}

@Suite("Shared event queue")
struct EventRingTests {
    @Test("Records are taken in order, and CONS gives their slots back, around the end and the wrap bit")
    func take() {
        let ring = SharedRing(log2: 2)
        var (put, taken): (UInt64, [UInt64]) = (0, [])
        for count in [3, 4, 1, 2, 4, 4, 3] {
            for _ in 0..<count {
                ring.put(put)
                put += 1
            }
            let batch = ring.take()
            #expect(batch.status == Int32(count) && ring.cons == ring.prod && !ring.lost)
            taken += batch.numbers
        }
        #expect(taken == Array(0..<put))
        #expect(ring.take().status == 0)
    }

    @Test("No more are taken than there is room for")
    func capacity() {
        let ring = SharedRing(log2: 2)
        for number in 0..<4 { ring.put(UInt64(number)) }
        #expect(ring.take(3).numbers == [0, 1, 2])
        #expect(ring.cons == 3 && ring.take(0).status == 0)
        #expect(ring.take(3).numbers == [3])
    }

    @Test("A loss is reported once, and acknowledged, with records and without")
    func loss() {
        let ring = SharedRing(log2: 2)
        ring.put(7)
        ring.prod ^= 1 << 31
        #expect(ring.take().numbers == [7])
        #expect(ring.lost && ring.cons == 1 | 1 << 31)
        #expect(ring.take().status == 0)
        #expect(!ring.lost)
        ring.prod ^= 1 << 31
        #expect(ring.take().status == 0)
        #expect(ring.lost && ring.cons == 1)
    }

    @Test("A PROD that is no possible one is an error, and so is a size that is none")
    func impossible() {
        let ring = SharedRing(log2: 2)
        ring.prod = 5
        #expect(ring.take().status == -71)
        #expect(SharedRing(log2: 0).take().status == -22)
    }
}
