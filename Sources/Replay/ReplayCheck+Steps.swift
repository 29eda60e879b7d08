import Captures
import SMMUv3

extension ReplayCheck {
    /// A script: its steps in order, with all streams at the same time.
    mutating func replay(_ capture: Capture, _ steps: [CaptureStep], on vmm: ReplayVMM) throws(ReplayError) {
        let enabled = capture.registers.cr0.bit(0)
        let streams = Self.streams(of: steps)
        guard streams.count <= min(vmm.limits.contexts, 512) else { throw Self.noRoom(for: streams.count, vmm) }
        try vmm.attach(streams)
        (self.streams, rounds) = (streams.count, 1)
        try vmm.setState(enabled: enabled)
        notePassedStage2(vmm)
        for (index, step) in steps.enumerated() {
            try perform(step, line: index + 1, enabled: enabled, vmm)
        }
        judge(try vmm.drain(), of: "steps.jsonl", unit: "line", recordedOn: nil)
        notePassedStage2(vmm)
        try finish(capture, with: vmm)
    }

    private mutating func perform(
        _ step: CaptureStep, line: Int, enabled: Bool, _ vmm: ReplayVMM
    ) throws(ReplayError) {
        switch step {
        case .command(let d0, let d1):
            commands += 1
            let refusals = try vmm.produce(Command(d0: d0, d1: d1), place: line)
            judge(refusals, of: "steps.jsonl", unit: "line", recordedOn: nil)
        case .write(let pa, let bytes):
            // Commands up to here saw memory as it was.
            judge(try vmm.drain(), of: "steps.jsonl", unit: "line", recordedOn: nil)
            guard !vmm.guest.store(bytes: bytes, at: pa) else { return }
            problems.append(
                Problem(
                    place: "steps.jsonl, line \(line)",
                    problem: "the store to \(hex(pa)) goes beyond what the vSMMU can address"))
        case .translate(let row):
            judge(try vmm.drain(), of: "steps.jsonl", unit: "line", recordedOn: nil)
            rows += 1
            let entry = enabled ? vmm.entry(of: row.sid) ?? .absent : nil
            if let reason = SkipReason(row, entry: entry) {
                skipped[reason, default: 0] += 1
            } else {
                try ask(row, of: vmm)
            }
        }
    }

    /// Streams of which anything is asked.
    private static func streams(of steps: [CaptureStep]) -> [UInt32] {
        let streams = steps.compactMap { step -> UInt32? in
            if case .translate(let row) = step { row.sid } else { nil }
        }
        return Set(streams).sorted()
    }

    /// The pages that a script stores to: the recorded machine had memory there, captured or not.
    static func storedPages(_ steps: [CaptureStep]) -> Set<UInt64> {
        var pages: Set<UInt64> = []
        for case .write(let pa, let bytes) in steps where !bytes.isEmpty {
            let (last, overflow) = pa.addingReportingOverflow(UInt64(bytes.count) - 1)
            guard !overflow else { continue }
            for page in pa >> 12...last >> 12 { pages.insert(page << 12) }
        }
        return pages
    }

    /// The pages that the script's devices reach. What stage 2 does not let through an SMMU need not cache, and a script
    /// is there to find what is cached for too long.
    static func reachedPages(_ steps: [CaptureStep]) -> Set<UInt64> {
        var pages: Set<UInt64> = []
        for case .translate(let row) in steps {
            for case .ok(let pa, _, _) in [row.answer, row.alternative] { pages.insert(pa & ~0xfff) }
        }
        return pages
    }
}
