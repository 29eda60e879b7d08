import BrokerCore
import SMMUv3
import Testing

/// Records that differ: the number is in word 3.
private func records(_ range: Range<Int>) -> [EventRecord] {
    range.map { index in
        var record = EventRecord(.translation, stream: StreamID(1))
        record.words[3] = UInt64(index)
        return record
    }
}

@Suite("Producer of an event queue")
struct EventQueueProducerTests {
    private static let flag = EventQueueProducer.overflowFlag

    private func producer(_ memory: FakeEventMemory) throws -> EventQueueProducer {
        try #require(EventQueueProducer(memory, log2: memory.log2))
    }

    @Test("Records are in their slots before PROD says so; index and wrap bit go round")
    func wrap() throws {
        let memory = FakeEventMemory(log2: 2)
        var producer = try producer(memory)
        var (made, taken): (Int, [EventRecord]) = (0, [])
        for step in [3, 2, 4, 1, 4, 3] {
            let batch = records(made..<made + step)
            let count = producer.append(batch.span)
            made += count
            #expect(count == step && memory.producer == UInt32(made) % 8)
            taken += memory.take()
        }
        #expect(taken == records(0..<made) && memory.overwritten == 0)
    }

    @Test("A full queue takes nothing; a part of a batch where there is room for a part")
    func full() throws {
        let memory = FakeEventMemory(log2: 2)
        var producer = try producer(memory)
        let batch = records(0..<6)
        var count = producer.append(batch.span)
        #expect(count == 4 && producer.room == 0)
        count = producer.append(batch.span)
        #expect(count == 0 && memory.producer == 4)
        #expect(memory.take(1) == records(0..<1))
        count = producer.append(batch.span)
        #expect(count == 1 && memory.overwritten == 0)
    }

    @Test("It goes on where PROD and CONS stand, and keeps OVFLG; bits that mean nothing are left out")
    func start() throws {
        let memory = FakeEventMemory(log2: 3)
        (memory.producer, memory.consumer) = (0x8070_000d, 0x000b)
        var producer = try producer(memory)
        #expect(producer.producer == 0x8000_000d && producer.room == 6)
        let batch = records(0..<1)
        #expect(producer.append(batch.span) == 1)
        #expect(memory.producer == 0x8000_000e && memory.slots[5] == batch[0])
    }

    @Test(
        "PROD and CONS further apart than the queue is long are no start",
        arguments: [(9, 0), (0, 1), (0, 7)] as [(UInt32, UInt32)])
    func impossibleStart(prod: UInt32, cons: UInt32) {
        let memory = FakeEventMemory(log2: 3)
        (memory.producer, memory.consumer) = (prod, cons)
        #expect(EventQueueProducer(memory, log2: 3) == nil)
    }

    @Test("P9: a CONS that is no possible one makes the queue full until it is one; PROD is never read again")
    func hostileConsumer() throws {
        let memory = FakeEventMemory(log2: 3)
        var producer = try producer(memory)
        let batch = records(0..<2)
        #expect(producer.append(batch.span) == 2)
        for cons in [3, 8, 9] as [UInt32] {
            memory.consumer = cons
            memory.producer = 0xffff_ffff
            #expect(producer.room == 0)
            #expect(producer.append(batch.span) == 0)
        }
        // Bits that the architecture does not give a meaning change nothing.
        memory.consumer = 0x7fff_fff0 | 1
        #expect(producer.append(batch.span) == 2)
        #expect(memory.producer == 4)
    }

    @Test("OVFLG is toggled by a loss once until OVACKFLG follows, and the index keeps its place")
    func overflow() throws {
        let memory = FakeEventMemory(log2: 3)
        var producer = try producer(memory)
        let batch = records(0..<3)
        #expect(producer.append(batch.span) == 3)
        producer.showLoss()
        #expect(memory.producer == Self.flag | 3)
        producer.showLoss()
        #expect(memory.producer == Self.flag | 3, "a second one cannot be told before the first is acknowledged")
        #expect(memory.take().count == 3)
        #expect(producer.append(batch.span) == 3)
        #expect(memory.producer == Self.flag | 6)
        memory.acknowledge()
        producer.showLoss()
        #expect(memory.producer == 6 && memory.hasOverflow)
    }

    @Test("The reader is woken once for whatever is new, also when the queue was not empty, and not for nothing")
    func signals() throws {
        let memory = FakeEventMemory(log2: 3)
        var producer = try producer(memory)
        producer.wakeReader()
        #expect(memory.signals == 0)
        let batch = records(0..<1)
        _ = producer.append(batch.span)
        _ = producer.append(batch.span)
        producer.wakeReader()
        producer.wakeReader()
        #expect(memory.signals == 1)
        _ = producer.append(batch.span)
        producer.wakeReader()
        #expect(memory.signals == 2)
        producer.showLoss()
        producer.wakeReader()
        #expect(memory.signals == 3)
    }
}
