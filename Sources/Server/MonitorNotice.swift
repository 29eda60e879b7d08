import BrokerCore
import Wire

extension MonitorNotice {
    /// What monitors are told of a notice; nil for what is for the journal alone.
    init?(_ notice: SessionNotice, session: SessionID, at time: UInt64) {
        switch notice {
        case .began(let vm, _):
            self.init(.began, session: session.rawValue, time: time)
            self.vm = vm
        case .ended: self.init(.ended, session: session.rawValue, time: time)
        case .attached(let device, let vsmmu, let vsid):
            self.init(.attached, session: session.rawValue, time: time)
            (self.device, self.vsmmu, self.vsid) = (device, vsmmu, vsid)
        case .detached(let device, let vsmmu, let vsid):
            self.init(.detached, session: session.rawValue, time: time)
            (self.device, self.vsmmu, self.vsid) = (device, vsmmu, vsid)
        case .lostEvents(let vsmmu, let count):
            self.init(.eventsLost, session: session.rawValue, time: time)
            (self.vsmmu, self.count) = (vsmmu, count)
        case .resynchronized(let vsmmu, _):
            self.init(.resynchronized, session: session.rawValue, time: time)
            self.vsmmu = vsmmu
        case .vsmmuFailed(let vsmmu, _):
            self.init(.vsmmuFailed, session: session.rawValue, time: time)
            self.vsmmu = vsmmu
        case .deviceTimedOut(let vsmmu):
            self.init(.deviceTimedOut, session: session.rawValue, time: time)
            self.vsmmu = vsmmu
        case .health(let change):
            self.init(.health, session: session.rawValue, time: time)
            (self.device, state, count) = (change.device, change.health.state, change.faults)
            (vsmmu, vsid) = (change.key.vsmmu, change.key.vsid)
            (reason, reasons) = (change.health.reason, change.health.reasons)
        case .suppressedFaults, .stallTimedOut, .refused, .slowCall, .handedBack, .notHandedBack, .deviceMemoryLost,
            .discardedEvents:
            return nil
        }
    }
}
