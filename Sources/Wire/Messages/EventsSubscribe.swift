/// Asks for the events of one vSMMU, or of all.
package struct EventsSubscribeRequest: TypedRequest {
    package var delivery: Delivery
    /// Or ``VSMMUID/every``.
    package var vsmmu: VSMMUID

    package enum Delivery: Hashable, Sendable {
        /// One descriptor: a SEQPACKET socket.
        case socket
        /// Three: memory with the records, memory with PROD and CONS, an eventfd; and perhaps a SEQPACKET socket. Of one
        /// vSMMU.
        case queue(Queue)

        package static let socketCode: UInt32 = 1
        package static let queueCode: UInt32 = 2
    }

    /// Where an event queue lies in the two memories.
    package struct Queue: Hashable, Sendable {
        /// Of the records; aligned to their size.
        package var base: UInt64
        /// Of PROD; CONS follows.
        package var registers: UInt64
        /// Of the number of records.
        package var log2: UInt32
        package init(base: UInt64, registers: UInt64, log2: UInt32) {
            (self.base, self.registers, self.log2) = (base, registers, log2)
        }
    }

    package static let type = RequestType.eventsSubscribe
    package static let byteCount = 48

    package enum Layout {
        package static let delivery = WireField<UInt32>("delivery", 16)
        package static let vsmmu = WireField<VSMMUID>("vsmmu", 20)
        package static let queueBase = WireField<UInt64>("queue_base", 24)
        package static let queueRegisters = WireField<UInt64>("queue_registers", 32)
        package static let queueLog2 = WireField<UInt32>("queue_log2", 40)
        package static let reserved = WireField<UInt32>("reserved", 44)
    }

    /// Of a queue: log2 of its records.
    package static let queueSizes: ClosedRange<UInt32> = 1...19

    package init(delivery: Delivery, vsmmu: VSMMUID) { (self.delivery, self.vsmmu) = (delivery, vsmmu) }

    package init(fields packet: RawSpan) throws(WireFault) {
        try packet.requireZero(Layout.reserved)
        vsmmu = packet[Layout.vsmmu]
        let base = packet[Layout.queueBase]
        let registers = packet[Layout.queueRegisters]
        let log2 = packet[Layout.queueLog2]
        switch packet[Layout.delivery] {
        case Delivery.socketCode:
            if base != 0 { throw .reservedNotZero(Layout.queueBase.name) }
            if registers != 0 { throw .reservedNotZero(Layout.queueRegisters.name) }
            if log2 != 0 { throw .reservedNotZero(Layout.queueLog2.name) }
            delivery = .socket
        case Delivery.queueCode:
            if !Self.queueSizes.contains(log2) {
                throw .badValue(Layout.queueLog2.name, value: UInt64(log2), rule: "a queue has 2^1 to 2^19 records")
            }
            if vsmmu == .every {
                throw .badValue(Layout.vsmmu.name, value: UInt64(vsmmu.rawValue), rule: "a queue is of one vSMMU")
            }
            delivery = .queue(Queue(base: base, registers: registers, log2: log2))
        case let other:
            throw .badValue(Layout.delivery.name, value: UInt64(other), rule: "it must be SOCKET or QUEUE")
        }
    }

    package func store(into packet: inout MutableRawSpan) {
        packet.set(Layout.vsmmu, to: vsmmu)
        switch delivery {
        case .socket: packet.set(Layout.delivery, to: Delivery.socketCode)
        case .queue(let queue):
            packet.set(Layout.delivery, to: Delivery.queueCode)
            packet.set(Layout.queueBase, to: queue.base)
            packet.set(Layout.queueRegisters, to: queue.registers)
            packet.set(Layout.queueLog2, to: queue.log2)
        }
    }
}
