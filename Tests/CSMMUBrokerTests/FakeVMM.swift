import CSMMUBroker
import SMMUv3

/// What a drain does to the world, in order.
enum Effect: Hashable, Sendable {
    /// A packet of commands as it was sent.
    case packet([Command])
    /// A command that the broker has done.
    case done(Command)
    case ste(UInt32, [UInt64])
    case response(UInt32, UInt32, smmu_broker_page_response_code.RawValue)
    case sync(smmu_broker_signal.RawValue, UInt64, UInt32, cons: UInt32)
}

/// What the fake broker answers to a packet of commands.
struct Answer {
    var status: Int32 = 0
    var completed: UInt32
    var cerror = SMMU_BROKER_CERROR_NONE

    static func all(_ commands: [Command]) -> Answer { Answer(completed: UInt32(commands.count)) }
    static func stopped(at index: Int, _ cerror: smmu_broker_cerror, status: Int32 = 22) -> Answer {
        Answer(status: -status, completed: UInt32(index), cerror: cerror)
    }
}

/// A guest with a command queue in memory, and a broker that writes down what it is asked.
@safe
final class FakeVMM {
    static let queueBase: UInt64 = 0x8000_0000
    static let tableBase: UInt64 = 0x9000_0000

    /// Words by address; what is not here cannot be read.
    var memory: [UInt64: UInt64] = [:]
    /// How often each address has been read from.
    var reads: [UInt64: Int] = [:]
    var effects: [Effect] = []
    var answer: ([Command]) -> Answer = Answer.all
    var steStatus: Int32 = 0
    var responseStatus: Int32 = 0
    var changed: [UInt32] = []
    var readSTE: ((UInt32) -> [UInt64]?)?

    /// ST_LEVEL 1, SEV and MSI; STALL_MODEL 0.
    var idr0: UInt32 = 1 << 27 | 1 << 14 | 1 << 13
    /// CMDQS 19, SIDSIZE 16.
    var idr1: UInt32 = 19 << 21 | 16
    var log2: UInt32
    var prod: UInt32 = 0
    var cons: UInt32 = 0
    var atcFailed: UInt32 = 0
    var limit: UInt32 = 0
    var streams: [UInt32] = []
    var capacity: UInt32 = SMMU_BROKER_MAXIMUM_COMMANDS
    var tableRegister = FakeVMM.tableBase
    var tableConfig: UInt32 = 8
    private(set) var error = SMMU_BROKER_CERROR_NONE
    private(set) var consumed = 0

    init(log2: UInt32 = 8) { self.log2 = log2 }

    private var mask: UInt32 { (2 << log2) - 1 }

    func address(of position: UInt32) -> UInt64 {
        Self.queueBase + UInt64(position & ((1 << log2) - 1)) * 16
    }

    /// Overwrites the entry at a position.
    func put(_ command: Command, at position: UInt32) {
        memory[address(of: position)] = command.d0
        memory[address(of: position) + 8] = command.d1
    }

    /// The guest produces commands, and tells of them.
    func produce(_ commands: Command...) { produce(commands) }
    func produce(_ commands: [Command]) {
        for command in commands {
            put(command, at: prod)
            prod = (prod + 1) & mask
        }
    }

    /// Puts an STE into a linear table.
    func setSTE(_ vsid: UInt32, _ first: UInt64) {
        for word in 0..<8 { memory[tableRegister + UInt64(vsid) * 64 + UInt64(word) * 8] = word == 0 ? first : 0 }
    }

    /// Commands of the packets that were sent.
    var packets: [[Command]] {
        effects.compactMap { if case .packet(let commands) = $0 { commands } else { nil } }
    }

    /// Everything but the packets and the commands in them.
    var others: [Effect] {
        effects.filter {
            switch $0 {
            case .packet, .done: false
            default: true
            }
        }
    }

    func drain() -> Int32 {
        var batch = [smmu_broker_command](repeating: smmu_broker_command(), count: Int(capacity))
        return unsafe batch.withUnsafeMutableBufferPointer { batch in
            unsafe streams.withUnsafeBufferPointer { streams in
                var queue = unsafe smmu_broker_cmdq()
                unsafe queue.base = Self.queueBase | UInt64(log2) | 1 << 62
                unsafe queue.prod = prod
                unsafe queue.cons = cons
                unsafe queue.atc_failed = atcFailed
                unsafe queue.limit = limit
                unsafe queue.vsmmu = 7
                unsafe queue.streams = streams.baseAddress
                unsafe queue.stream_count = UInt32(streams.count)
                unsafe queue.batch = batch.baseAddress
                unsafe queue.batch_capacity = capacity
                unsafe queue.table = smmu_broker_stream_table(
                    base: tableRegister, base_cfg: tableConfig, idr0: idr0, idr1: idr1)
                unsafe fillCallbacks(&queue)
                let status = unsafe smmu_broker_drain_cmdq(&queue)
                (cons, atcFailed) = unsafe (queue.cons, queue.atc_failed)
                (error, consumed) = unsafe (smmu_broker_cerror(queue.error), Int(queue.consumed))
                return status
            }
        }
    }

    /// The STE of a stream as the client finds it.
    func lookUp(_ vsid: UInt32) -> (status: Int32, words: [UInt64]) {
        var table = smmu_broker_stream_table(base: tableRegister, base_cfg: tableConfig, idr0: idr0, idr1: idr1)
        var words = [UInt64](repeating: 0xdead, count: 8)
        var memory = unsafe guestMemory
        let status = unsafe smmu_broker_read_ste(&table, &memory, vsid, &words)
        return (status, words)
    }

    var user: UnsafeMutableRawPointer { unsafe Unmanaged.passUnretained(self).toOpaque() }

    var guestMemory: smmu_broker_memory {
        unsafe smmu_broker_memory(
            read: { user, address, bytes, size in
                guard let bytes = unsafe bytes else { return -14 }
                return unsafe FakeVMM.of(user).read(address, UnsafeMutableRawBufferPointer(start: bytes, count: size))
            },
            write: nil, user: user)
    }

    static func of(_ user: UnsafeMutableRawPointer?) -> FakeVMM {
        guard let user = unsafe user else { preconditionFailure("a callback without its user") }
        return unsafe Unmanaged<FakeVMM>.fromOpaque(user).takeUnretainedValue()
    }

    private func read(_ address: UInt64, _ bytes: UnsafeMutableRawBufferPointer) -> Int32 {
        reads[address, default: 0] += 1
        for offset in stride(from: 0, to: bytes.count, by: 8) {
            guard let word = memory[address &+ UInt64(offset)] else { return -14 }
            unsafe bytes.storeBytes(of: word, toByteOffset: offset, as: UInt64.self)
        }
        return 0
    }
}

// MARK: - Callbacks

extension FakeVMM {
    private func fillCallbacks(_ queue: inout smmu_broker_cmdq) {
        unsafe queue.user = user
        unsafe queue.memory = guestMemory
        unsafe queue.synced = { user, sync in
            guard let sync = unsafe sync?.pointee else { return }
            unsafe FakeVMM.of(user).effects.append(.sync(sync.signal, sync.address, sync.data, cons: sync.cons))
        }
        unsafe queue.changed = { user, context in
            guard let context = unsafe context?.pointee else { return }
            unsafe FakeVMM.of(user).changed.append(context.vsid)
        }
        if readSTE != nil {
            unsafe queue.read_ste = { user, vsid, ste in
                guard let words = unsafe FakeVMM.of(user).readSTE?(vsid) else { return -1 }
                for index in 0..<8 { unsafe ste?[index] = words[index] }
                return 0
            }
        }
        unsafe fillTransport(&queue.transport)
    }

    private func fillTransport(_ transport: inout smmu_broker_transport) {
        unsafe transport.user = user
        unsafe transport.commands = { user, vsmmu, commands, count, progress in
            let buffer = unsafe UnsafeBufferPointer(start: commands, count: Int(count))
            let packet = unsafe buffer.map { Command(d0: $0.words.0, d1: $0.words.1) }
            let answer = unsafe FakeVMM.of(user).take(packet, vsmmu)
            unsafe progress?.pointee = smmu_broker_progress(completed: answer.completed, cerror: answer.cerror.rawValue)
            return answer.status
        }
        unsafe transport.ste_set = { user, _, vsid, ste, context in
            let vmm = unsafe FakeVMM.of(user)
            if vmm.steStatus < 0 { return vmm.steStatus }
            vmm.effects.append(.ste(vsid, unsafe Array(UnsafeBufferPointer(start: ste, count: 8))))
            unsafe context?.pointee.vsid = vsid
            return 0
        }
        unsafe transport.page_response = { user, _, vsid, stag, code in
            let vmm = unsafe FakeVMM.of(user)
            if vmm.responseStatus < 0 { return vmm.responseStatus }
            vmm.effects.append(.response(vsid, stag, code))
            return 0
        }
    }

    private func take(_ commands: [Command], _ vsmmu: UInt32) -> Answer {
        precondition(vsmmu == 7)
        effects.append(.packet(commands))
        let answer = answer(commands)
        effects += commands.prefix(Int(answer.completed)).map(Effect.done)
        return answer
    }
}
