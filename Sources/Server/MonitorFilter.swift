import SMMUv3
import Wire

extension AdminMonitorRequest {
    /// Whether a monitor that has asked for this is to have a record. What is said of a session as a whole concerns each of
    /// its vSMMUs, and no device.
    func wants(_ record: MonitorRecord) -> Bool {
        switch record {
        case .event(let event):
            if let session, session != event.session { return false }
            if vsmmu != .every, vsmmu != event.vsmmu { return false }
            if kinds & Self.kind(event.record.number) == 0 { return false }
            return device == nil || device == event.device
        case .notice(let notice):
            if !flags.contains(.notices) { return false }
            if let session, session != notice.session { return false }
            if vsmmu != .every, notice.vsmmu != VSMMUID(0), vsmmu != notice.vsmmu { return false }
            return device == nil || device == notice.device
        case .lost: return true
        }
    }
}
