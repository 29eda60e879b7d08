import ArgumentParser
import BrokerClient
import Wire

/// `smmuctl release`: lets a device go, from a quarantine or from its guest.
struct ReleaseCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "release", abstract: "Let go of a device: out of quarantine, or back to the host.",
        discussion: """
            A device that is quarantined may translate again. Any other is taken from its guest, so that the host can \
            unbind it from its driver: it aborts, is detached, and its VMM is told to close its descriptor. Nobody gets it \
            from then on, until it is bound to vfio-pci anew or "smmuctl release --again" says so.

            \(AdminHelp.exitStatus)
            """)

    enum Way: String, EnumerableFlag {
        case unquarantine, toHost, again

        static func help(for value: Self) -> ArgumentHelp? {
            switch value {
            case .unquarantine: "Only end a quarantine; never take the device from its guest."
            case .toHost: "Take the device from its guest, also one that is quarantined."
            case .again: "Let VMs have a device again that was given back to the host."
            }
        }
    }

    @OptionGroup var admin: AdminOptions
    @Flag(exclusivity: .exclusive) var way: Way?
    @Argument(help: "The device: a PCI address, or the name of a model device.")
    var device: String

    func run() throws {
        try reporting { () throws(Failure) in
            let action = "release \(device)"
            let name = try deviceName(device, action)
            let done = try admin.ask(action) { client throws(BrokerError) in
                let way = if let way { way } else { try Self.way(for: name, client) }
                return (way, try Self.release(name, way, client))
            }
            switch done {
            case (.unquarantine, let session):
                print("Session \(session) has been told to let \(device) translate again.")
            case (.toHost, let session):
                print("Session \(session) has been told to give \(device) back to the host.")
            case (.again, _): print("VMs may have \(device) again.")
            }
        }
    }

    /// A quarantine is ended before a device is taken away.
    private static func way(for device: Name, _ client: AdminClient) throws(BrokerError) -> Way {
        for session in try client.sessions() where session.contexts > 0 {
            do {
                let contexts = try client.show(session.id).contexts
                guard let context = contexts.first(where: { $0.device == device }) else { continue }
                return context.health == .quarantined ? .unquarantine : .toHost
            } catch {
                // It has ended since it was listed.
                if error.reason != .unknownSession { throw error }
            }
        }
        return .toHost
    }

    /// The session that has been told; 0: none has to be.
    private static func release(_ device: Name, _ way: Way, _ client: AdminClient) throws(BrokerError) -> UInt64 {
        switch way {
        case .unquarantine: return try client.release(device)
        case .toHost: return try client.handBack(device)
        case .again:
            try client.readmit(device)
            return 0
        }
    }
}
