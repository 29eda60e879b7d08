package import BrokerCore
import Configuration
package import LinuxSystem
package import Systemd
package import Wire

/// The release that everything here is of.
package enum Release {
    package static let version = "0.1.0"
}

extension Daemon: AdminHost {
    package func describe(_ status: inout AdminStatusReply) {
        let configuration = configuration.current
        (status.pid, status.epoch) = (OwnProcess.pid, services.epoch)
        status.uptimeNanoseconds = MonotonicTime.now.nanoseconds - started.monotonic.nanoseconds
        status.startedNanoseconds = started.calendar
        (status.release, status.backend) = (Name(Release.version), Name(configuration.backend.rawValue))
        status.maximumSessions = UInt32(clamping: configuration.maximumSessions)
        status.reloads = UInt32(clamping: counters.reloads)
        status.refusedReloads = UInt32(clamping: counters.failedReloads)
        status.heldBack = UInt32(clamping: inventory.heldBack.count)
    }

    package var heldBack: [HeldBack] { inventory.heldBack }
    package func readmit(_ device: Name) -> Bool { inventory.readmit(device) }

    package var configurationFiles: [String] { files }

    package func startSession(
        on socket: consuming SeqPacketSocket, for peer: PeerIdentity, _ grant: Grant
    ) throws(Refusal) -> SessionID {
        let id: SessionID?
        do throws(Errno) { id = try startSession(socket, peer, .given(grant)) } catch {
            throw Refusal(
                .hostFailure, Status(UInt32(error.code)), "A session could not be started: \(error). Try again.")
        }
        if let id { return id }
        throw Refusal(
            .quota, .quotaExceeded,
            "There are \(sessions.count) sessions, as many as MaxSessions= allows: raise it, or end one.")
    }

    package func order(_ order: SessionOrder, _ session: SessionHandle) { session.order(order) }

    package func reload(_ done: @escaping (AdminReloadOutcome) -> Void) {
        reloadWaiters.append(done)
        reload()
    }

    package var droppedFromJournal: JournalLoss { services.journal.dropped }

    package func note(_ line: String) { journal.push(.text(.notice, line)) }
}
