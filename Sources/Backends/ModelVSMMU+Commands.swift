import BrokerCore
import SMMUModel
import SMMUv3
import Wire

extension ModelVSMMU {
    /// Does the guest's commands and waits for them.
    func invalidate(_ commands: Span<Command>) -> InvalidationOutcome {
        if let failure = execute(commands, on: &smmu) { return .failed(failure) }
        return synchronize()
    }

    /// With the SMMU as a parameter: each access to it through the class is checked at run time.
    private func execute(_ commands: Span<Command>, on smmu: inout SoftwareSMMU<ModelMemory>) -> BackendFailure? {
        for index in commands.indices {
            let given = commands[index]
            guard let opcode = given.opcode else { return Self.refused(given, .unknownOpcode) }
            guard let command = physical(given, opcode) else { continue }
            let result = opcode == .tlbiNSNHAll ? smmu.execute(command) : smmu.execute(command, opcode)
            if case .illegal(let reason) = result { return Self.refused(command, reason) }
        }
        return nil
    }

    /// A guest's command as the SMMU is to have it: with its StreamID, and the VMID. Nil when there is nothing to do: the
    /// stream is none of this vSMMU, or its device has no ATC.
    @inline(__always)
    private func physical(_ command: Command, _ opcode: Command.Opcode) -> Command? {
        var command = command
        switch opcode {
        case .cfgiCD, .cfgiCDAll:
            guard let index = index(of: command.streamID) else { return nil }
            command.d0.setBits(63, 32, UInt64(streams[index].streamID.rawValue))
        case .atcInv:
            guard let index = index(of: command.streamID), streams[index].usesATS else { return nil }
            command.d0.setBits(63, 32, UInt64(streams[index].streamID.rawValue))
        case .tlbiNSNHAll: command = .tlbi(.tlbiNHAll, vmid: Self.vmid)
        case .tlbiNHAll, .tlbiNHASID, .tlbiNHVA, .tlbiNHVAA: command.d0.setBits(47, 32, UInt64(Self.vmid))
        default: break
        }
        return command
    }

    private func synchronize() -> InvalidationOutcome {
        smmu.execute(.sync()) == .atcInvalidationTimedOut ? .deviceTimedOut : .completed
    }

    private static func refused(_ command: Command, _ reason: CommandIllegality) -> BackendFailure {
        BackendFailure(
            .inputOutput, "execute command \(command.d0.hex) \(command.d1.hex)",
            advice: "The software SMMU does not take it: \(reason.rawValue). This is a fault of the daemon; report it.")
    }

    /// Forgets all translations and CDs, and what devices keep; false when one of them does not answer.
    func resynchronize() -> Bool {
        _ = smmu.execute(.tlbi(.tlbiS12VMAll, vmid: Self.vmid))
        for stream in streams {
            _ = smmu.execute(.cfgiCDAll(stream.streamID))
            guard stream.usesATS else { continue }
            _ = smmu.execute(.atcInv(stream.streamID))
            _ = smmu.execute(.atcInv(stream.streamID, global: true))
        }
        return synchronize() == .completed
    }

    // MARK: Stalled transactions

    /// Answers a stalled transaction; false when there is none.
    func respond(_ response: PageResponse, to tag: StallTag, at index: Int) -> Bool {
        guard let tag = UInt16(exactly: tag.rawValue) else { return false }
        let action: Command.ResumeAction =
            switch response {
            case .retry: .retry
            case .terminate: .terminate
            case .abort: .abort
            }
        let before = smmu.stalledCount
        _ = smmu.execute(.resume(streams[index].streamID, tag: tag, action))
        let answered = smmu.stalledCount < before
        dropResumptions()
        return answered
    }

    /// Ends all stalled transactions of a stream.
    func terminateStalls(at index: Int) {
        if smmu.stalledCount > 0 { _ = smmu.execute(.stallTerm(streams[index].streamID)) }
        dropResumptions()
    }

    /// Whoever asked for a stalled access has been told so, and asks again: nothing goes on by itself.
    private func dropResumptions() {
        while smmu.takeResumption() != nil {}
        collectEvents()
    }
}
