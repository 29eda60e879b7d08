import BrokerClient
import SMMUv3
import Wire

/// The event that is to be explained, and who it is of if the broker told it.
struct EventSubject {
    let record: EventRecord
    /// What the broker says of it; nil for words from elsewhere.
    var told: Told?
    /// What the broker knows of the access; nil without a broker that was asked.
    var live: LiveWalk?

    struct Told {
        let event: MonitorEvent
        /// nil: the device is no longer attached, or its session has ended.
        let context: AdminContext?
    }

    init(_ record: EventRecord) { self.record = record }

    /// The newest fault that the broker remembers, of this VM if one is named; nil: there is none.
    init?(newestOf vm: String?, _ client: AdminClient) throws(BrokerError) {
        let receiver = try client.monitor(AdminMonitorRequest(flags: [.history]))
        var newest: MonitorEvent?
        reading: while true {
            switch try receiver.next() {
            case .events(let events): newest = events.last { vm == nil || $0.vm?.description == vm } ?? newest
            case .ended: break reading
            case .notices, .lost, .nothing: continue
            }
        }
        guard let event = newest else { return nil }
        record = event.record
        let live = try LiveWalk(event.record, event.session, event.vsmmu, client)
        let context = live.problem == nil ? live.explained?.reply.context : try Self.context(of: event, client)
        (told, self.live) = (Told(event: event, context: context), live)
    }

    /// A record from elsewhere, of a VM that the broker has: the one device there that has the record's vSID. nil: there is
    /// none.
    init?(_ record: EventRecord, ofVM vm: String, _ client: AdminClient) throws(BrokerError) {
        for session in try client.sessions() where session.vm?.description == vm {
            for context in try client.show(session.id).contexts where context.vsid == record.streamID {
                self.init(record)
                live = try LiveWalk(record, session.id, context.vsmmu, client)
                return
            }
        }
        return nil
    }

    private static func context(of event: MonitorEvent, _ client: AdminClient) throws(BrokerError) -> AdminContext? {
        do {
            let contexts = try client.show(event.session).contexts
            return contexts.first { $0.vsmmu == event.vsmmu && $0.vsid == event.vsid }
        } catch {
            if error.reason == .unknownSession { return nil }
            throw error
        }
    }
}
