import SMMUv3
import Wire

extension Session {
    func commands(
        _ request: CommandsRequest, _ call: Call, _ packet: RawSpan, _ reply: inout MutableRawSpan
    ) throws(Refusal) -> Answer {
        let index = try workingVSMMUIndex(request.vsmmu)
        batch.begin()
        batch.take(request.commands, in: packet, of: request.vsmmu, state.vsmmus[index].advertised, state.contexts)
        if !batch.forwarded.isEmpty, let log = invalidations.index(of: request.vsmmu) {
            // Out of the batch's own hands, as below.
            let forwarded = batch.forwarded
            invalidations[log].note(forwarded.span, at: call.now)
        }
        try runBatch(on: request.vsmmu, at: call.now)
        let header = ReplyHeader(to: call.header, completed: UInt32(batch.count))
        return Answer(byteCount: header.encode(into: &reply))
    }

    /// Has the backend do what is in ``batch``, which has been checked as a whole. On return all of it is complete.
    func runBatch(on vsmmu: VSMMUID, at now: Instant) throws(Refusal) {
        // Out of the batch's own hands, so that the compiler sees that nobody else has the batch meanwhile.
        let forwarded = batch.forwarded
        let outcome = forwarded.isEmpty ? .completed : backend.invalidate(forwarded.span, on: vsmmu)
        let knowsDevice = !forwarded.isEmpty && backend.hasNotices && hearOfHost(at: now)
        switch outcome {
        case .completed: break
        case .deviceTimedOut:
            if !knowsDevice { noteTimeout(of: batch, on: vsmmu, at: now) }
            throw recoverFromTimeout(on: vsmmu)
        case .failed(let failure): throw recover(from: failure, on: vsmmu)
        }
        countBatch(completed: batch.count)
        if let stop = batch.stop { throw Self.refusal(for: stop, at: batch.count) }
    }

    private func countBatch(completed: Int) {
        counts.batches += 1
        counts.commands += UInt64(completed)
        counts.ignoredCommands += UInt64(batch.ignored)
    }

    private static func refusal(for stop: CommandBatch.Stop, at index: Int) -> Refusal {
        let completed = UInt32(index)
        switch stop {
        case .illegal(let why):
            return Refusal(
                .illegalCommand, .invalid,
                "The command at index \(index) is illegal: \(why). Show the guest CERROR_ILL there.",
                commandError: .illegal, completed: completed)
        case .configuration:
            return Refusal(
                .configurationCommand, .invalid,
                "The command at index \(index) is a CFGI_STE or CFGI_ALL: send STE_SET for each vSID that it covers, then "
                    + "the rest.", completed: completed)
        case .pageResponse:
            return Refusal(
                .pageResponseCommand, .invalid,
                "The command at index \(index) is a RESUME or STALL_TERM: send PAGE_RESPONSE for it, then the rest.",
                completed: completed)
        }
    }

    // MARK: When the host fails

    /// A device did not answer its ATC_INV in time; all other commands are complete, and by the resynchronization the
    /// device's cache is as empty as the host can make it.
    private func recoverFromTimeout(on vsmmu: VSMMUID) -> Refusal {
        counts.hostFailures += 1
        observer.saw(.deviceTimedOut(vsmmu: vsmmu))
        let timeout = BackendFailure(
            .timedOut, "have a device answer an ATC_INV in time", advice: "the device hangs, or is in reset")
        guard batch.holdsATC else { return recover(from: timeout, on: vsmmu) }
        if let refusal = resynchronize(vsmmu, after: timeout) { return refusal }
        let completed = batch.completedWithoutAnswer
        countBatch(completed: completed)
        return .hostFailure(
            timeout,
            "All caches of the vSMMU have been invalidated: show the guest CERROR_ATC_INV_SYNC at its next CMD_SYNC",
            commandError: .atcInvalidationSync, completed: UInt32(completed))
    }

    /// What of the batch was done is not to be relied on: none of it counts as completed, and to send it again does no
    /// harm.
    private func recover(from failure: BackendFailure, on vsmmu: VSMMUID) -> Refusal {
        counts.hostFailures += 1
        if let refusal = resynchronize(vsmmu, after: failure) { return refusal }
        return .hostFailure(
            failure, "All caches of the vSMMU have been invalidated, and no command counts as completed: send all again"
        )
    }

    /// P15: everything cached is dropped before anything goes on. The refusal if that fails too.
    func resynchronize(_ vsmmu: VSMMUID, after failure: BackendFailure) -> Refusal? {
        if let second = attempt({ () throws(BackendFailure) in try backend.resynchronize(vsmmu) }) {
            giveUp(vsmmu, second)
            return .vsmmuFailed(vsmmu)
        }
        counts.resynchronizations += 1
        observer.saw(.resynchronized(vsmmu: vsmmu, failure))
        return nil
    }
}
