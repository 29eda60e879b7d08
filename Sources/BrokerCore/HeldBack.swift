package import Wire

/// A device that nobody gets at the moment, though no session has it.
package struct HeldBack: Sendable {
    package enum Reason: Hashable, Sendable, CaseIterable {
        /// Somebody still has a descriptor of it, which the session that had it before handed out.
        case orphaned
        /// An operator has taken it from a session, for the host.
        case withheld
    }

    package let device: Name
    /// Which had it last.
    package let session: SessionID
    package let vm: Name?
    /// Never used twice.
    let number: UInt64
    /// Knows whether it is still held; nil: it is not.
    var hold: (any DeviceHold)?
    var isWithheld: Bool
    /// As it was when it was withheld: when the host has taken it anew it is like any other.
    let binding: UInt64
    /// The operators have been told.
    package internal(set) var isTold = false

    package var reason: Reason { hold != nil ? .orphaned : .withheld }
}

extension HostInventory {
    /// Devices that nobody gets, in the order in which they became so.
    package var heldBack: [HeldBack] { kept }

    /// What nobody has to be asked about: who may still have a descriptor of it, by the record's number.
    package func holds(of name: Name? = nil) -> [(number: UInt64, hold: any DeviceHold)] {
        kept.compactMap { record in
            guard name == nil || record.device == name, let hold = record.hold else { return nil }
            return (record.number, hold)
        }
    }

    /// The last descriptor of it is closed.
    package mutating func endHold(_ number: UInt64) {
        for index in kept.indices where kept[index].number == number { kept[index].hold = nil }
        kept.removeAll { $0.hold == nil && !$0.isWithheld }
    }

    /// Gives a device back. With a hold, or withheld, nobody gets it for now.
    package mutating func release(
        _ name: Name, by session: SessionID, vm: Name?, hold: (any DeviceHold)?, withheld: Bool
    ) {
        guard owner(of: name) == session else { return }
        let binding = binding(of: name)
        release(name, by: session)
        if hold == nil && !withheld { return }
        kept.removeAll { $0.device == name }
        kept.append(
            HeldBack(
                device: name, session: session, vm: vm, number: takeNumber(), hold: hold, isWithheld: withheld,
                binding: binding))
    }

    /// An operator lets sessions have it again. False: nobody has withheld it.
    package mutating func readmit(_ name: Name) -> Bool {
        guard let index = kept.firstIndex(where: { $0.device == name && $0.isWithheld }) else { return false }
        kept[index].isWithheld = false
        kept.removeAll { $0.hold == nil && !$0.isWithheld }
        return true
    }

    /// Orphans that the operators have not been told of; they have from now on.
    package mutating func takeUntold() -> [HeldBack] {
        let untold = kept.filter { $0.hold != nil && !$0.isTold }
        for index in kept.indices where kept[index].hold != nil { kept[index].isTold = true }
        return untold
    }

    /// Refuses what nobody gets.
    mutating func checkNotHeldBack(_ name: Name, _ hardware: HostDevice?) throws(Refusal) {
        guard let index = kept.firstIndex(where: { $0.device == name }) else { return }
        if let hardware, hardware.binding != 0, kept[index].binding != 0, hardware.binding != kept[index].binding {
            // It has been unbound since, for which its last descriptor must have been closed.
            kept.remove(at: index)
            return
        }
        if kept[index].hold != nil {
            throw Refusal(
                .deviceBusy, .busy,
                "`\(name)` is orphaned: session \(kept[index].session) has let it go, and somebody still has its descriptor. "
                    + "It can be had when the last copy is closed; \"fuser -v /dev/vfio/devices/*\" on the host says who."
            )
        }
        throw Refusal(
            .deviceBusy, .busy,
            "`\(name)` has been given back to the host by an operator: it can be had when it has been bound to its driver "
                + "anew, or after \"smmuctl release --again \(name)\".")
    }
}
