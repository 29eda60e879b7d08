import SMMUv3
import Wire

/// Commands of a guest on their way to the backend, wherever they come from: checked as a whole before the first of them
/// runs.
struct CommandBatch {
    /// What the backend is to do. Reused.
    private(set) var forwarded: [Command] = []
    /// Taken and legal, the forwarded ones included.
    private(set) var count = 0
    /// Complete without the backend (P13).
    private(set) var ignored = 0
    /// Why nothing is taken any more; the command at ``count`` is the reason.
    private(set) var stop: Stop?
    /// Of all commands that were ever taken, by opcode.
    private(set) var opcodes = FixedCounters<25>()
    private var firstATC: Int?
    private var lastATC: Int?
    private var syncAfterATC: Int?

    enum Stop: Hashable {
        case illegal(String)
        case configuration
        case pageResponse
    }

    mutating func begin() {
        if !forwarded.isEmpty { forwarded.removeAll(keepingCapacity: true) }
        (count, ignored, stop) = (0, 0, nil)
        (firstATC, lastATC, syncAfterATC) = (nil, nil, nil)
    }

    var holdsATC: Bool { firstATC != nil }

    /// How many commands are done with when a device did not answer: up to the first CMD_SYNC that has to tell the guest,
    /// or without one all of them. Before a command that stops the queue for another reason it is up to the last
    /// ATC_INV, so that the client sees the one error after the other.
    var completedWithoutAnswer: Int {
        if let syncAfterATC { return syncAfterATC }
        return stop == nil ? count : (lastATC ?? -1) + 1
    }

    /// Takes a packet's commands for a vSMMU that advertises `ids`, up to the first at which it stops. Each is copied once,
    /// and what is looked at and forwarded is the copy.
    mutating func take(
        _ commands: Records<Command>, in packet: RawSpan, of vsmmu: VSMMUID, _ ids: IDRegisters,
        _ contexts: SortedTable<SessionState.Context>
    ) {
        forwarded.reserveCapacity(commands.count)
        let records = packet.extracting(commands.byteRange)
        for index in 0..<commands.count {
            if !take(Command.load(from: records, at: index &* Command.byteCount), of: vsmmu, ids, contexts) { return }
        }
    }

    @inline(__always)
    private mutating func take(
        _ command: Command, of vsmmu: VSMMUID, _ ids: IDRegisters, _ contexts: SortedTable<SessionState.Context>
    ) -> Bool {
        let opcode = command.opcode
        switch opcode {
        case .sync:
            guard isLegal(command, ids) else { return false }
            if firstATC != nil && syncAfterATC == nil { syncAfterATC = count }
        case .prefetchConfig, .prefetchAddress:
            guard isLegal(command, ids) else { return false }
            ignored += 1
        case .cfgiSTE, .cfgiSTERange:
            if isLegal(command, ids) { stop = .configuration }
            return false
        case .resume, .stallTerm:
            if isLegal(command, ids) { stop = .pageResponse }
            return false
        default:
            if let refusal = NestedVSMMU.refusal(of: command, opcode, advertised: ids) {
                stop = .illegal(refusal.rawValue)
                return false
            }
            if reachesBackend(command, opcode, of: vsmmu, contexts) { forwarded.append(command) }
        }
        if let opcode { opcodes.add(at: opcode.place) }
        count += 1
        return true
    }

    private mutating func isLegal(_ command: Command, _ ids: IDRegisters) -> Bool {
        guard let illegality = command.illegality(on: ids) else { return true }
        stop = .illegal(illegality.rawValue)
        return false
    }

    /// Whether a legal command has something to do: what names a stream concerns only one that is attached, and whose
    /// translation caches CDs or whose device caches translations.
    @inline(__always)
    private mutating func reachesBackend(
        _ command: Command, _ opcode: Command.Opcode?, of vsmmu: VSMMUID,
        _ contexts: SortedTable<SessionState.Context>
    ) -> Bool {
        guard opcode == .cfgiCD || opcode == .cfgiCDAll || opcode == .atcInv else { return true }
        let isATC = opcode == .atcInv
        guard let index = contexts.index(of: ContextKey(vsmmu, command.streamID)),
            isATC ? contexts[index].installed.usesATS : contexts[index].installed.state == .translate
        else {
            ignored += 1
            return false
        }
        if isATC {
            lastATC = count
            if firstATC == nil { firstATC = count }
        }
        return true
    }
}
