import BrokerClient
import SMMUv3
import Wire

/// The event that is to be explained, and who it is of if the broker told it.
struct EventSubject {
    let record: EventRecord
    /// What the broker says of it; nil for words from elsewhere.
    var told: Told?

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
        told = Told(event: event, context: try Self.context(of: event, client))
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
