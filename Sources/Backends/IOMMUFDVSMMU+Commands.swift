import BrokerCore
import IOMMUFD
import LinuxSystem
import SMMUv3
import Wire

extension IOMMUFDVSMMU {
    /// Does the guest's commands and waits for them, in one call of the kernel. Those that concern no stream here, or one
    /// without anything cached, are left out: the kernel would stop at them.
    func invalidate(_ commands: Span<Command>) -> InvalidationOutcome {
        var (count, holdsATC) = (0, false)
        for index in commands.indices where concerns(commands[index]) {
            count += 1
            if commands[index].opcode == .atcInv { holdsATC = true }
        }
        if count == 0 { return .completed }
        do throws(IOMMUError) {
            try requireVDevices()
            if count == commands.count {
                try issue(commands)
            } else {
                forwarded.removeAll(keepingCapacity: true)
                for index in commands.indices where concerns(commands[index]) { forwarded.append(commands[index]) }
                try issueForwarded()
            }
            return .completed
        } catch {
            return error.cause == .timedOut && holdsATC ? .deviceTimedOut : .failed(BackendFailure(error))
        }
    }

    private func concerns(_ command: Command) -> Bool {
        switch command.opcode {
        case .cfgiCD, .cfgiCDAll: stream(command.streamID)?.installation.state == .translate
        case .atcInv: stream(command.streamID)?.usesATS ?? false
        default: true
        }
    }

    /// A stream without a number would stop a batch.
    private func requireVDevices() throws(IOMMUError) {
        for stream in streams where stream.vdevice == nil { try stream.requireVDevice(in: viommu) }
    }

    /// Issues commands; twice where an erratum has each TLBI and CFGI done twice. Then the ATC_INVs are done again too: a
    /// device could have refilled its cache from what the first TLBI has left.
    func issue(_ commands: Span<Command>) throws(IOMMUError) {
        // The kernel hides a timeout of an ATC_INV: that the call took long is all that is to be seen of it.
        for _ in 0..<(repeatsCommands ? 2 : 1) {
            do throws(IOMMUError) {
                try viommu.invalidate(commands)
                if calls.last >= SlowCalls.threshold { noteSlow(commands) }
            } catch {
                if error.cause == .timedOut || calls.last >= SlowCalls.threshold { noteSlow(commands) }
                throw error
            }
        }
    }

    private func noteSlow(_ commands: Span<Command>) {
        for index in commands.indices where commands[index].opcode == .atcInv {
            let vsid = commands[index].streamID
            if !slowStreams.contains(vsid) { slowStreams.append(vsid) }
        }
    }

    /// Issues what is in ``forwarded``.
    func issueForwarded() throws(IOMMUError) {
        let commands = forwarded
        try issue(commands.span)
    }

    /// Forgets all translations and CDs, and what devices keep.
    func resynchronize() throws(IOMMUError) {
        try requireVDevices()
        forwarded.removeAll(keepingCapacity: true)
        forwarded.append(.make(.tlbiNSNHAll))
        for stream in streams where stream.installation.state == .translate {
            forwarded.append(.cfgiCDAll(stream.vsid))
            guard stream.usesATS else { continue }
            forwarded.append(.atcInv(stream.vsid))
            if smmu.registers.substreamIDSize > 0 { forwarded.append(.atcInv(stream.vsid, global: true)) }
        }
        try issueForwarded()
        for stream in streams { stream.isUnsynchronized = false }
    }
}

extension BackendFailure {
    /// What a session is told of a call of the kernel that failed.
    init(_ error: IOMMUError) {
        // A device that is open elsewhere is EINVAL to the kernel; to a client that is no fault of its request.
        let errno = error.cause == .deviceInUse ? .busy : error.errno
        self.init(
            Status(rawValue: UInt32(bitPattern: errno.code)), error.operation,
            advice: "the kernel says \(error.errno.name), \(error.advice)", isTransient: error.isTransient)
    }
}
