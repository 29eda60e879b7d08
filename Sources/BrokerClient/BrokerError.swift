package import LinuxSystem
package import Wire

/// What kept a request from being done: the broker's refusal, or why there was none.
package struct BrokerError: Error, Hashable, Sendable {
    /// The errno: the broker's when it refused, else that of what failed here.
    package var status: Status
    /// ``Reason``, or a number from a newer daemon; 0 when the broker did not answer.
    package var reasonCode: UInt32
    /// What failed, whose fault it is, what to do; from the broker when it answered.
    package var text: String
    /// COMMANDS: what the guest is to see, and how many are done all the same.
    package var commandError: CommandError
    package var completed: UInt32

    package init(
        _ status: Status, reasonCode: UInt32 = 0, _ text: String, commandError: CommandError = .none,
        completed: UInt32 = 0
    ) {
        (self.status, self.reasonCode, self.text) = (status, reasonCode, text)
        (self.commandError, self.completed) = (commandError, completed)
    }

    package init(_ refusal: Refusal) {
        self.init(
            refusal.status, reasonCode: refusal.reasonCode, refusal.text, commandError: refusal.commandError,
            completed: refusal.completed)
    }

    /// A system call failed.
    package init(_ errno: Errno, _ doing: String) {
        self.init(Status(UInt32(errno.code)), "\(doing): \(errno).")
    }

    /// The broker sent what the protocol does not allow.
    package init(_ fault: WireFault) { self.init(.protocolViolated, "The broker broke the protocol. \(fault)") }

    package var reason: Reason? { Reason(rawValue: reasonCode) }
    /// As in the header, without `SMMU_BROKER_REASON_`.
    package var reasonName: String { reason?.name ?? "reason \(reasonCode)" }
    /// Whether the broker has said no, rather than nothing.
    package var isRefusal: Bool { reasonCode != 0 }
}

extension BrokerError: CustomStringConvertible {
    package var description: String { isRefusal ? "\(reasonName): \(text)" : text }
}
