import SMMUv3
import Scenarios
import Wire

// Random values of what the admin socket carries, within what the protocol allows.

extension SplitMix64 {
    mutating func optionalName() -> Name? { chance(30) ? nil : name() }

    mutating func counters() -> AdminCounters {
        var counters = AdminCounters()
        for counter: WritableKeyPath<AdminCounters, UInt64> in [
            \.requests, \.refusals, \.batches, \.commands, \.ignoredCommands, \.stesInstalled, \.resynchronizations,
            \.hostFailures, \.events, \.eventsDelivered, \.eventsLost, \.journalSuppressed, \.eventsDiscarded,
            \.eventsOutdated,
        ] { counters[keyPath: counter] = next() }
        return counters
    }

    mutating func adminSession() -> AdminSession {
        var session = AdminSession(
            id: next(), vm: optionalName(), grant: optionalName(), pid: number32(), uid: number32(),
            vsmmus: number32(), contexts: number32(), maps: number32(), mappedBytes: next(), busyNanoseconds: next(),
            counters: counters())
        (session.suspectContexts, session.quarantinedContexts) = (UInt16(below(1 << 16)), UInt16(below(1 << 16)))
        return session
    }

    mutating func adminContext() -> AdminContext {
        var context = AdminContext(
            vsmmu: vsmmu(), vsid: stream(), device: optionalName(), smmu: optionalName(), physicalStream: stream(),
            state: one(of: ContextState.self), flags: flags(below: 8), health: one(of: HealthNotice.State.self),
            events: next(), stesInstalled: next(), word0: next(), word1: next())
        (context.healthReason, context.healthReasons) = (
            one(of: HealthReason.self), HealthReasons(rawValue: number32())
        )
        (context.healthNanoseconds, context.parkedNanoseconds) = (next(), next())
        (context.stalls.count, context.stalls.median) = (next(), next())
        (context.stalls.percentile99, context.stalls.maximum) = (next(), next())
        return context
    }

    mutating func explanation() -> AdminExplainReply {
        var reply = AdminExplainReply(context: adminContext())
        reply.ste = StreamTableEntry(words: SIMD8(next(), next(), next(), next(), next(), next(), next(), next()))
        reply.registers = IDRegisters(
            idr0: number32(), idr1: number32(), idr2: number32(), idr3: number32(), idr4: number32(), idr5: number32(),
            iidr: number32(), aidr: number32())
        (reply.streamTableBase, reply.streamTableBaseConfig) = (next(), number32())
        (reply.stream, reply.flags, reply.time) = (stream(), flags(below: 4), next())
        return reply
    }

    mutating func status() -> AdminStatusReply {
        var status = AdminStatusReply()
        (status.version, status.pid, status.epoch) = (number32(), number32(), Epoch(next()))
        (status.uptimeNanoseconds, status.startedNanoseconds) = (next(), next())
        (status.release, status.backend) = (optionalName(), optionalName())
        (status.sessions, status.maximumSessions) = (number32(), number32())
        (status.vsmmus, status.contexts) = (number32(), number32())
        (status.monitors, status.busySessions) = (number32(), number32())
        (status.reloads, status.refusedReloads) = (number32(), number32())
        (status.endedSessions, status.counters) = (next(), counters())
        (status.suspectContexts, status.quarantinedContexts) = (number32(), number32())
        return status
    }

    mutating func monitorEvent() -> MonitorEvent {
        var event = MonitorEvent(
            sequence: EventSequence(next()), time: next(), session: next(), vsmmu: vsmmu(),
            generation: Generation(number32()), vsid: stream(), vm: optionalName(), device: optionalName(),
            record: event())
        (event.faults, event.firstTime, event.isSample) = (next(), next(), chance(50))
        return event
    }

    mutating func monitorNotice() -> MonitorNotice {
        var notice = MonitorNotice(one(of: MonitorNotice.Kind.self), session: next(), time: next())
        notice.state = one(of: HealthNotice.State.self)
        (notice.vsmmu, notice.vsid, notice.count) = (vsmmu(), stream(), next())
        (notice.vm, notice.device) = (optionalName(), optionalName())
        (notice.reason, notice.reasons) = (one(of: HealthReason.self), HealthReasons(rawValue: number32()))
        return notice
    }

    mutating func pattern() -> AdminPattern {
        guard let pattern = AdminPattern(chance(50) ? "*" : "\(name() as FixedName<60>)?*") else {
            preconditionFailure("this is a pattern")
        }
        return pattern
    }

    mutating func text() -> [UInt8] {
        let count = chance(12) ? AdminLimits.text : within(0...200)
        return (0..<count).map { _ in UInt8(within(32...126)) }
    }
}
