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
            let session = try admin.ask(action) { client throws(BrokerError) in
                try Self.release(name, way, client)
            }
            switch way {
            case nil:
                print(
                    "Session \(session) has been told to let go of \(device): out of quarantine if it is in one, else back to "
                        + "the host.")
            case .unquarantine: print("Session \(session) has been told to let \(device) translate again.")
            case .toHost: print("Session \(session) has been told to give \(device) back to the host.")
            case .again: print("VMs may have \(device) again.")
            }
        }
    }

    /// The session that has been told; 0: none has to be.
    private static func release(_ device: Name, _ way: Way?, _ client: AdminClient) throws(BrokerError) -> UInt64 {
        switch way {
        case nil: return try client.letGo(device)
        case .unquarantine: return try client.release(device)
        case .toHost: return try client.handBack(device)
        case .again:
            try client.readmit(device)
            return 0
        }
    }
}
