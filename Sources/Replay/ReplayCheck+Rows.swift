import Captures
import SMMUv3

extension ReplayCheck {
    /// Independent rows: the history first, then every row on an SMMU that has cached nothing.
    ///
    /// Intermediate states of the guest's tables are not in a capture: the history runs on the last one, and what it has
    /// left in caches goes before the rows are asked.
    mutating func replay(
        _ capture: Capture, _ rows: [CaptureRow], _ history: [Command], on vmm: ReplayVMM
    ) throws(ReplayError) {
        let enabled = capture.registers.cr0.bit(0)
        let ids = IDRegisters(capture.registers)
        let room = min(vmm.limits.contexts, 512)
        guard room > 0 else { throw Self.noRoom(for: 1, vmm) }

        let (asked, known) = judge(rows, enabled: enabled, vmm)
        var streams = known
        if streams.count < room {
            // What the guest had besides takes part in its history.
            let others = capture.streams.map(\.sid) + vmm.table.activeStreams(in: vmm.guest, limit: room)
            let known = Set(streams)
            streams += Set(others).subtracting(known).sorted().prefix(room - streams.count)
        }
        self.streams = streams.count
        var firstRound = true
        for start in stride(from: 0, to: max(1, streams.count), by: room) {
            let round = streams[start..<min(start + room, streams.count)]
            try vmm.attach(Array(round))
            rounds += 1
            if firstRound, !history.isEmpty { try replay(history, recordedOn: ids, vmm) }
            firstRound = false
            try vmm.setState(enabled: enabled)
            notePassedStage2(vmm)
            try vmm.invalidateAll()
            let members = Set(round)
            for row in asked where members.contains(row.sid) {
                // Rows are independent of their order: each was asked of an SMMU that had cached nothing.
                try vmm.invalidateTLB()
                try ask(row, of: vmm)
            }
            try vmm.detachAll()
        }
        try finish(capture, with: vmm)
    }

    /// Counts rows, and those that are not to be asked. The others, and their streams in ascending order.
    private mutating func judge(
        _ rows: [CaptureRow], enabled: Bool, _ vmm: ReplayVMM
    ) -> (asked: [CaptureRow], streams: [UInt32]) {
        var entries: [UInt32: GuestSTE] = [:]
        var asked: [CaptureRow] = []
        for row in rows {
            self.rows += 1
            var entry: GuestSTE?
            if enabled {
                entry = entries[row.sid] ?? vmm.table.entry(of: row.sid, in: vmm.guest)
                entries[row.sid] = entry
            }
            if let reason = SkipReason(row, entry: entry) {
                skipped[reason, default: 0] += 1
            } else {
                asked.append(row)
            }
        }
        return (asked, Set(asked.map(\.sid)).sorted())
    }

    /// The recorded commands, up to each SYNC at a time. The SMMU was on when they were sent, whatever it is now.
    private mutating func replay(
        _ history: [Command], recordedOn ids: IDRegisters, _ vmm: ReplayVMM
    ) throws(ReplayError) {
        try vmm.setState(enabled: true)
        for (index, command) in history.enumerated() {
            commands += 1
            judge(
                try vmm.produce(command, place: index + 1), of: "commands.bin", unit: "command", recordedOn: ids)
        }
        judge(try vmm.drain(), of: "commands.bin", unit: "command", recordedOn: ids)
    }

    static func noRoom(for streams: Int, _ vmm: ReplayVMM) -> ReplayError {
        ReplayError(
            reason: "the capture needs \(streams) contexts at the same time, and the session may have "
                + "\(vmm.limits.contexts).",
            advice: "Raise MaxContexts= of the grant to \(streams).")
    }
}
