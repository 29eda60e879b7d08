import BrokerClient
import CSMMUBroker
import SMMUv3
import Wire

/// The guest's command queue: in the guest's memory, and drained as a VMM drains it.
@safe
final class GuestQueue {
    /// The attached vSIDs.
    var streams: [UInt32] = []

    private let guest: GuestMemory
    private let session: ReplaySession
    private let vsmmu: UInt32
    private let table: StreamTable
    private let log2: UInt32
    private var prod: UInt32 = 0
    private var cons: UInt32 = 0
    private var atcFailed: UInt32 = 0
    private var batch: [smmu_broker_command]
    /// Where in the recording the command of each entry stands.
    private var places: [Int]
    /// The entry that took the place of a refused command; nil when there is none.
    private var replaced: UInt32?
    /// Contexts whose STE was sent by the drain in progress.
    private var changed: [ContextReport] = []

    /// A command at which the queue stopped.
    struct Refusal {
        let command: Command
        let error: CommandQueueErrorName
        /// As it was put in with.
        let place: Int
    }

    /// What a drain did.
    struct Drained {
        var refusals: [Refusal] = []
        var changed: [ContextReport] = []
    }

    init(_ guest: GuestMemory, _ session: ReplaySession, vsmmu: UInt32, table: StreamTable) {
        (self.guest, self.session, self.vsmmu, self.table) = (guest, session, vsmmu, table)
        // One page at most.
        log2 = UInt32(min(8, table.ids.commandQueueLog2Size))
        batch = Array(repeating: smmu_broker_command(), count: 1 << log2)
        places = Array(repeating: 0, count: 1 << log2)
    }

    private var positions: UInt32 { (2 << log2) - 1 }
    private var isFull: Bool { (prod &- cons) & positions == 1 << log2 }

    /// The guest puts a command into the queue; what happened if there was no room before a drain.
    func produce(_ command: Command, place: Int = 0) throws(ReplayError) -> Drained {
        let drained = isFull ? try drain() : Drained()
        put(command, at: prod)
        places[Int(prod & ((1 << log2) - 1))] = place
        prod = (prod + 1) & positions
        return drained
    }

    private func put(_ command: Command, at position: UInt32) {
        let address = guest.queue + UInt64(position & ((1 << log2) - 1)) * 16
        guest.store(command.d0, at: address)
        guest.store(command.d1, at: address + 8)
    }

    /// Has the queue drained until it is empty. Where it stops the guest does as Linux does: it puts a command that does
    /// no harm in the place of the one that was refused, and goes on.
    func drain() throws(ReplayError) -> Drained {
        var drained = Drained()
        changed = []
        while let error = try drainOnce() {
            let address = guest.queue + UInt64(cons & ((1 << log2) - 1)) * 16
            let command = Command(d0: guest.word(at: address) ?? 0, d1: guest.word(at: address + 8) ?? 0)
            // What stands in for a refused command may be refused as well; that says nothing of the recording.
            if replaced == cons {
                put(.sync(), at: cons)
                continue
            }
            let place = places[Int(cons & ((1 << log2) - 1))]
            drained.refusals.append(Refusal(command: command, error: error, place: place))
            put(Self.substitute(for: command), at: cons)
            replaced = cons
        }
        replaced = nil
        drained.changed = changed
        return drained
    }

    /// Stage 1 is dropped by TLBI_S12_VMALL too, and that much a guest without stage 2 can have.
    private static func substitute(for command: Command) -> Command {
        command.opcode == .tlbiS12VMAll ? .tlbi(.tlbiNHAll, vmid: command.vmid) : .sync()
    }

    /// One call of the C client; the error at which the queue stopped, if it did.
    private func drainOnce() throws(ReplayError) -> CommandQueueErrorName? {
        let (base, log2, prod, cons) = (guest.queue, log2, prod, cons)
        let (capacity, count) = (UInt32(batch.count), UInt32(streams.count))
        let registers = table.registers
        var result = (cons: cons, error: UInt32(0), atcFailed: atcFailed)
        // SAFETY: all that the structure points to, this object too, lives until the call returns, and the call keeps
        // none of it.
        unsafe try session.drain { client in
            unsafe batch.withUnsafeMutableBufferPointer { batch in
                // SAFETY: as above.
                unsafe streams.withUnsafeBufferPointer { streams in
                    var queue = unsafe smmu_broker_cmdq()
                    unsafe (queue.base, queue.prod, queue.cons) = (base | UInt64(log2), prod, cons)
                    unsafe (queue.atc_failed, queue.vsmmu, queue.table) = (result.atcFailed, vsmmu, registers)
                    unsafe (queue.batch, queue.batch_capacity) = (batch.baseAddress, capacity)
                    unsafe (queue.streams, queue.stream_count) = (streams.baseAddress, count)
                    unsafe queue.memory = guest.callbacks
                    unsafe queue.transport = smmu_broker_client_transport(client)
                    unsafe queue.user = Unmanaged.passUnretained(self).toOpaque()
                    unsafe queue.changed = { user, context in
                        guard let user = unsafe user, let context = unsafe context?.pointee else { return }
                        // SAFETY: `user` is this object.
                        let queue = unsafe Unmanaged<GuestQueue>.fromOpaque(user).takeUnretainedValue()
                        queue.changed.append(ContextReport(context))
                    }
                    // SAFETY: as above.
                    let status = unsafe smmu_broker_drain_cmdq(&queue)
                    // SAFETY: these are numbers.
                    unsafe result = (queue.cons, queue.error, queue.atc_failed)
                    return status
                }
            }
        }
        (self.cons, atcFailed) = (result.cons, result.atcFailed)
        return CommandQueueErrorName(rawValue: result.error)
    }
}

/// CMDQ_CONS.ERR.
enum CommandQueueErrorName: UInt32 {
    case illegal = 1
    case abort = 2
    case atcInvSync = 3

    var name: String {
        switch self {
        case .illegal: "CERROR_ILL"
        case .abort: "CERROR_ABT"
        case .atcInvSync: "CERROR_ATC_INV_SYNC"
        }
    }
}
