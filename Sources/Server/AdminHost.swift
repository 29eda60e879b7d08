package import BrokerCore
package import LinuxSystem
package import Systemd
package import Wire

/// What the admin socket asks of the daemon around it. Called in the main loop's thread.
package protocol AdminHost: AnyObject {
    /// What only the daemon knows of itself; sessions and counters are left as they are.
    func describe(_ status: inout AdminStatusReply)
    /// The configuration files that were read, a line for each.
    var configurationFiles: [String] { get }
    /// Starts a session on `socket` that has what `grant` says, for `peer`.
    func startSession(
        on socket: consuming SeqPacketSocket, for peer: PeerIdentity, _ grant: Grant
    ) throws(Refusal) -> SessionID
    /// Has a session do something; posted, and not waited for.
    func order(_ order: SessionOrder, _ session: SessionHandle)
    /// Devices that nobody gets at the moment.
    var heldBack: [HeldBack] { get }
    /// Lets sessions have a device again. False: nobody has withheld it.
    func readmit(_ device: Name) -> Bool
    /// Reads the configuration anew, and calls `done` in this thread when it counts or does not.
    func reload(_ done: @escaping (AdminReloadOutcome) -> Void)
    /// What the journal was too slow for.
    var droppedFromJournal: JournalLoss { get }
    /// A line for the journal.
    func note(_ line: String)
}

/// What came of a reload.
package struct AdminReloadOutcome: Hashable, Sendable {
    package var applied: Bool
    /// What was found in the files, a line for each; at last why the old one stays, if it does.
    package var diagnostics: [String]

    package init(applied: Bool, diagnostics: [String]) { (self.applied, self.diagnostics) = (applied, diagnostics) }
}
