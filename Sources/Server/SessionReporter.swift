package import BrokerCore
import LinuxSystem
import SMMUv3
package import Systemd
package import Wire

/// Where faults go besides the journal: to the monitors. Called by every session's thread; never waits.
package protocol FaultSink: AnyObject, Sendable {
    func publish(_ records: [MonitorRecord])
    /// `vm`: nil before HELLO.
    func publish(_ notice: SessionNotice, of session: SessionID, vm: Name?)
}

/// Tells the journal and the monitors what happens in one session. For its thread.
package final class SessionReporter: SessionObserver {
    private let queue: JournalQueue
    private let monitors: (any FaultSink)?
    private let session: SessionID
    private var vm: Name?
    private var origin: JournalOrigin
    /// Those that an operator can do something about.
    private var refusals = ThinningCount()
    /// Of lines that a client brings about as often as it likes.
    private var meter = JournalMeter()
    private let share: JournalShare
    /// Records of lines about losses that were left out: the next such line has them in its count.
    private var untold = (lost: UInt64(0), discarded: UInt64(0))
    /// The journal has had no line about the beginning, and gets none about the end.
    private var isUntold = false
    /// Faults on their way to the monitors: one look at the clock, and one visit there, for many. Its memory is used again.
    private var unpublished: [MonitorRecord] = []
    /// Of the calendar, when the first of those came.
    private var time: UInt64 = 0
    private static let mostUnpublished = 64

    package init(
        _ session: SessionID, _ peer: PeerIdentity, queue: JournalQueue, share: JournalShare,
        monitors: (any FaultSink)?
    ) {
        (self.queue, self.share, self.monitors, self.session) = (queue, share, monitors, session)
        origin = JournalOrigin(session: session.rawValue, vm: JournalName(), uid: peer.uid, pid: peer.pid)
    }

    deinit {
        sawAllFaults()
        queue.close()
    }

    package func sawFault(_ fault: ObservedFault) {
        if monitors != nil { keep(fault) }
        if fault.journal { enter(fault) }
    }

    private func keep(_ fault: ObservedFault) {
        if unpublished.isEmpty {
            time = RealTime.nowNanoseconds
            unpublished.reserveCapacity(Self.mostUnpublished)
        }
        unpublished.append(.event(MonitorEvent(fault, at: time)))
        if unpublished.count == Self.mostUnpublished { sawAllFaults() }
    }

    package func sawAllFaults() {
        if unpublished.isEmpty { return }
        monitors?.publish(unpublished)
        unpublished.removeAll(keepingCapacity: true)
    }

    private func enter(_ fault: ObservedFault) {
        let device = fault.device.map(JournalName.init) ?? JournalName()
        var entry = FaultEntry(
            origin: origin, device: device, vsmmu: fault.vsmmu.rawValue, sequence: fault.sequence.rawValue,
            record: fault.record, suppressed: fault.suppressed)
        if fault.count > 1 {
            let last = RealTime.nowNanoseconds &- fault.age
            (entry.count, entry.isSample) = (fault.count, fault.isSample)
            (entry.firstTime, entry.lastTime) = ((last &- fault.span) / 1000, last / 1000)
        }
        if let background = fault.background { entry.background = FaultEntry.Background(background) }
        queue.push(.fault(entry))
    }
}

extension SessionReporter {
    package func saw(_ notice: SessionNotice) {
        // In the order in which they happened.
        sawAllFaults()
        if case .began(let vm, _) = notice { (self.vm, origin.vm) = (vm, JournalName(vm)) }
        monitors?.publish(notice, of: session, vm: vm)
        if case .ended = notice { tellUntold() }
        let notice = withUntold(notice)
        if let line = line(of: notice), admits(notice) { queue.push(.text(.warning, line)) }
        guard let kind = kind(of: notice), admits(notice) else { return }
        var entry = NoticeEntry(kind, origin: origin)
        switch notice {
        case .began(_, let grant): entry.detail = grant
        case .attached(let device, let vsmmu, let vsid):
            (entry.device, entry.vsmmu, entry.vsid) = (JournalName(device), vsmmu.rawValue, vsid.rawValue)
        case .detached(let device, let vsmmu, let vsid):
            (entry.device, entry.vsmmu, entry.vsid) = (JournalName(device), vsmmu.rawValue, vsid.rawValue)
        case .health(let change): change.describe(in: &entry)
        case .stallTimedOut(let device): entry.device = JournalName(device)
        case .lostEvents(let vsmmu, let count): (entry.vsmmu, entry.count) = (vsmmu.rawValue, count)
        case .suppressedFaults(let device, let count): (entry.device, entry.count) = (JournalName(device), count)
        case .resynchronized(let vsmmu, let failure), .vsmmuFailed(let vsmmu, let failure):
            (entry.vsmmu, entry.detail) = (vsmmu.rawValue, "\(failure.operation): \(failure.advice)")
        case .deviceTimedOut(let vsmmu): entry.vsmmu = vsmmu.rawValue
        case .refused(let type, _, let text):
            (entry.count, entry.detail) = (refusals.count, "\(type?.name ?? "a request"): \(text)")
        case .slowCall, .handedBack, .notHandedBack, .deviceMemoryLost, .discardedEvents, .ended: break
        }
        queue.push(.notice(entry))
    }

    /// A loss with those before it that the limit has kept out of the journal.
    private func withUntold(_ notice: SessionNotice) -> SessionNotice {
        switch notice {
        case .lostEvents(let vsmmu, let count):
            defer { untold.lost = 0 }
            return .lostEvents(vsmmu: vsmmu, count: count &+ untold.lost)
        case .discardedEvents(let vsmmu, let count):
            defer { untold.discarded = 0 }
            return .discardedEvents(vsmmu: vsmmu, count: count &+ untold.discarded)
        default: return notice
        }
    }

    private func keepUntold(_ notice: SessionNotice) {
        switch notice {
        case .lostEvents(_, let count): untold.lost = count
        case .discardedEvents(_, let count): untold.discarded = count
        default: break
        }
    }

    private func tellUntold() {
        guard untold.lost &+ untold.discarded > 0 else { return }
        queue.push(
            .text(
                .warning,
                "Of VM \(vm?.description ?? "?") \(untold.lost) fault records more were lost by the source, and "
                    + "\(untold.discarded) more were left untaken."))
        untold = (0, 0)
    }

    /// What has no entry of a kind of its own.
    private func line(of notice: SessionNotice) -> String? {
        let vm = vm?.description ?? "?"
        return switch notice {
        case .slowCall(let name, let milliseconds):
            "\(name) took \(milliseconds) ms for VM \(vm): the host, or a device behind the same SMMU, is slow."
        case .discardedEvents(let vsmmu, let count):
            "VM \(vm) had left \(count) fault records of vSMMU \(vsmmu) untaken when that was reset or went: it does not have them."
        case .handedBack(let device):
            "Device \(device) has been taken from VM \(vm) for the host. It is free when the VMM has closed its descriptor."
        case .notHandedBack(let device, let failure):
            "Device \(device) could not be taken from VM \(vm): \(failure.operation): \(failure.advice). It is withheld when the "
                + "VM lets it go; \"smmuctl release --to-host\" tries again."
        case .deviceMemoryLost(let failure, let ipa):
            "The BAR at IPA 0x\(String(ipa, radix: 16)) of VM \(vm) could not be mapped again: \(failure.operation): "
                + "\(failure.advice). No device of it reaches that BAR until the VMM maps it anew."
        default: nil
        }
    }

    /// Whether it is within the limits. What is left out is counted, and the next line that is not has the count before it.
    private func admits(_ notice: SessionNotice) -> Bool {
        let verdict: (journal: Bool, suppressed: UInt64)
        switch notice {
        case .ended where isUntold: return false
        // Each of these is exact, and comes at most once in a while for a context.
        case .ended, .vsmmuFailed, .health, .suppressedFaults: return true
        case .began:
            verdict = share.count(origin.uid, refusal: false)
            isUntold = !verdict.journal
        case .refused where vm == nil: verdict = share.count(origin.uid, refusal: true)
        default: verdict = meter.count(at: Instant(.now), Self.limit)
        }
        if verdict.suppressed > 0 {
            queue.push(
                .text(
                    .warning,
                    "\(verdict.suppressed) lines about session \(session), or others of uid \(origin.uid), were left out: there "
                        + "were too many in a short time."))
        }
        if !verdict.journal { keepUntold(notice) }
        return verdict.journal
    }

    private static let limit = JournalLimit(burst: 64, intervalMilliseconds: 10_000)

    /// What the journal calls it; nil for what it is not to have.
    private func kind(of notice: SessionNotice) -> JournalKind? {
        switch notice {
        case .began: .sessionBegan
        case .attached: .attached
        case .detached: .detached
        case .lostEvents: .eventsLost
        case .suppressedFaults: .suppressedFaults
        case .resynchronized: .resynchronized
        case .vsmmuFailed: .vsmmuFailed
        case .deviceTimedOut: .deviceTimedOut
        case .stallTimedOut: .stallTimedOut
        case .slowCall, .handedBack, .notHandedBack, .deviceMemoryLost, .discardedEvents: nil
        case .health(let change): Self.kind(of: change.health.state)
        case .refused(_, let reason, _): isWorthALine(reason) ? .requestRefused : nil
        case .ended: .sessionEnded
        }
    }

    private static func kind(of state: HealthNotice.State) -> JournalKind {
        switch state {
        case .healthy: .calmed
        case .suspect: .suspected
        case .quarantined: .quarantined
        case .recovered: .released
        }
    }

    /// What an operator can do something about, and not each time: a client may ask as often as it likes.
    private func isWorthALine(_ reason: Reason) -> Bool {
        switch reason {
        case .notGranted, .quota: refusals.add()
        default: false
        }
    }
}

extension MonitorEvent {
    /// - Parameter now: of the calendar, in nanoseconds, when the fault was told.
    init(_ fault: ObservedFault, at now: UInt64) {
        let time = now &- fault.age
        self.init(
            sequence: fault.sequence, time: time, session: fault.session.rawValue, vsmmu: fault.vsmmu,
            generation: fault.generation, vsid: fault.record.streamID, vm: fault.vm, device: fault.device,
            record: fault.record)
        (faults, firstTime, isSample) = (fault.count, time &- fault.span, fault.isSample)
    }
}

extension FaultEntry.Background {
    fileprivate init(_ background: FaultBackground) {
        self.init()
        effect = background.effect.map { background.illegal ? .illegal : FaultEntry.Effect($0) }
        if let word0 = background.word0 { ste = StreamTableEntry(word0, background.word1) }
        invalidations[0] = background.last.map { FaultEntry.Invalidation($0, before: background.at) }
        invalidations[1] = background.second.map { FaultEntry.Invalidation($0, before: background.at) }
        invalidations[2] = background.third.map { FaultEntry.Invalidation($0, before: background.at) }
    }
}

extension FaultEntry.Effect {
    fileprivate init(_ state: ContextState) {
        switch state {
        case .abort: self = .abort
        case .bypass: self = .bypass
        case .translate: self = .translate
        }
    }
}

extension FaultEntry.Invalidation {
    fileprivate init(_ past: PastInvalidation, before fault: Instant) {
        self.init(first: past.first, last: past.last, count: past.count, age: fault.since(past.at))
    }
}

extension JournalName {
    init(_ name: Name) { self.init { bytes in name.store(into: &bytes, at: 0) } }
}
