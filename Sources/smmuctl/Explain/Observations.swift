import BrokerClient
import SMMUv3
import Wire

/// What stands out when an event is held against what the broker knows now: sentences.
enum Observations {
    static func of(_ subject: EventSubject, _ live: LiveWalk) -> [String] {
        guard let explained = live.explained else { return [] }
        let record = subject.record
        let past = PastInvalidations(live, fault: subject.told?.event.time)
        var found: [String] = []
        if let when = record.id?.isTranslationFault == true ? past.dropping(record.inputAddress) : nil {
            found.append(
                "The guest invalidated this address \(when), as it does when its driver unmaps a buffer: the device may "
                    + "still have been using it.")
        }
        if EventExplanation.isDoorbell(record) {
            found.append("The address is in the window of MSI doorbells, and the guest does not map the MSI doorbell.")
        }
        found += stateOf(explained.reply.context)
        if !explained.reply.flags.contains(.entry) {
            found.append("The guest has given no STE since its vSMMU was reset.")
        }
        if let report = live.report, record.id != nil {
            if report.isTranslated {
                found.append(
                    "The tables translate this access now: what was missing has been mapped since, or an old entry was "
                        + "still cached when it failed.")
            } else if let event = report.event, event != record.id {
                found.append("By the tables as they are now it would end in \(event.name).")
            }
        }
        return found
    }

    private static func stateOf(_ context: AdminContext) -> [String] {
        if context.health == .quarantined { return ["The device is in quarantine: it aborts whatever its tables say."] }
        if context.flags.contains(.vsmmuFailed) {
            return ["Its vSMMU has failed: its devices abort until the VMM resets it."]
        }
        if context.flags.contains(.illegal) {
            return ["The STE is ILLEGAL, and so the device aborts: smmuctl decode ste says which field it is."]
        }
        if !context.flags.contains(.vsmmuEnabled) { return ["The vSMMU is off (SMMUEN is 0): GBPA decides."] }
        return []
    }
}
