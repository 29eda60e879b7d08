package import BrokerCore
package import SMMUv3
package import Wire

/// A backend that fails by plan, and is otherwise the one that it wraps: for tests of what the rules do then.
///
/// A call that fails does nothing.
package final class FaultyBackend: TranslationBackend {
    /// The calls, by kind.
    package enum Call: Hashable, Sendable, CaseIterable {
        case map, unmap, createVSMMU, destroyVSMMU, attach, detach, rebind, install, invalidate, resynchronize, respond
        case terminateStalls, bindDoorbell
    }

    /// One thing that goes wrong.
    package struct Fault: Hashable, Sendable {
        package enum Effect: Hashable, Sendable {
            case failure(BackendFailure)
            /// Of ``Call/invalidate``: a device does not answer. The commands are done all the same.
            case deviceTimedOut
        }

        package var call: Call
        /// From the how-manieth call of that kind on, counted from 1.
        package var first: Int
        /// How many calls fail in a row; `Int.max` is all that follow.
        package var times: Int
        package var effect: Effect

        package init(_ call: Call, at first: Int = 1, times: Int = 1, _ effect: Effect = .failure(.planned)) {
            (self.call, self.first, self.times, self.effect) = (call, first, times, effect)
        }

        fileprivate func concerns(_ call: Call, number: Int) -> Bool {
            call == self.call && number >= first && number - first < times
        }
    }

    package let wrapped: any TranslationBackend
    /// What is to go wrong; may be changed at any time. Where two faults meet, the earlier one counts.
    package var plan: [Fault]
    /// Calls so far, failed ones included, in order.
    package private(set) var history: [Call] = []

    package init(wrapping wrapped: any TranslationBackend, plan: [Fault] = []) {
        (self.wrapped, self.plan) = (wrapped, plan)
    }

    /// Hears of each call before it is made, in the thread that makes it.
    package var observer: (Call) -> Void = { _ in }

    /// Gives what an attachment hands to the VMM; nil: what the wrapped one does.
    package var handsOver: () -> ResourceID? = { nil }

    /// How many calls of a kind there have been.
    package func count(of call: Call) -> Int { history.count { $0 == call } }

    private func effect(of call: Call) -> Fault.Effect? {
        history.append(call)
        observer(call)
        if plan.isEmpty { return nil }
        let number = count(of: call)
        return plan.first { $0.concerns(call, number: number) }?.effect
    }

    private func pass(_ call: Call) throws(BackendFailure) {
        switch effect(of: call) {
        case .failure(let failure): throw failure
        case .deviceTimedOut, nil: return
        }
    }

    // MARK: TranslationBackend

    package var features: Features { wrapped.features }
    package var mapsMemory: Bool { wrapped.mapsMemory }
    package var mapsDeviceMemory: Bool { wrapped.mapsDeviceMemory }
    package func renewDeviceMemory() { wrapped.renewDeviceMemory() }
    package var reservedWindow: MSIWindow { wrapped.reservedWindow }
    package func probe(_ device: Name) throws(BackendFailure) -> HostDevice? { try wrapped.probe(device) }
    package func endProbe() { wrapped.endProbe() }
    package func takeHold(of device: Name) -> (any DeviceHold)? { wrapped.takeHold(of: device) }
    package func restartEvents(of vsmmu: VSMMUID) { wrapped.restartEvents(of: vsmmu) }
    package var hasNotices: Bool { wrapped.hasNotices }
    package func takeNotices() -> [HostNotice] { wrapped.takeNotices() }

    package func map(_ map: MemoryMap) throws(BackendFailure) {
        try pass(.map)
        try wrapped.map(map)
    }

    package func unmap(_ map: MemoryMap) throws(BackendFailure) {
        try pass(.unmap)
        try wrapped.unmap(map)
    }

    package func createVSMMU(
        _ id: VSMMUID, on smmu: PhysicalSMMU, advertised: IDRegisters
    ) throws(BackendFailure) {
        try pass(.createVSMMU)
        try wrapped.createVSMMU(id, on: smmu, advertised: advertised)
    }

    /// Cannot fail; it is counted.
    package func destroyVSMMU(_ id: VSMMUID) {
        _ = effect(of: .destroyVSMMU)
        wrapped.destroyVSMMU(id)
    }

    package func eventSource(of vsmmu: VSMMUID) -> ResourceID? { wrapped.eventSource(of: vsmmu) }

    package func attach(
        _ device: HostDevice, to vsmmu: VSMMUID, as vsid: StreamID, initially: Installation
    ) throws(BackendFailure) -> AttachedDevice {
        try pass(.attach)
        var attached = try wrapped.attach(device, to: vsmmu, as: vsid, initially: initially)
        if let descriptor = handsOver() { attached.descriptor = descriptor }
        return attached
    }

    package func detach(_ vsid: StreamID, from vsmmu: VSMMUID) throws(BackendFailure) {
        try pass(.detach)
        try wrapped.detach(vsid, from: vsmmu)
    }

    package func rebind(_ vsid: StreamID, to newVSID: StreamID, on vsmmu: VSMMUID) throws(BackendFailure) {
        try pass(.rebind)
        try wrapped.rebind(vsid, to: newVSID, on: vsmmu)
    }

    package func install(
        _ installation: Installation, for vsid: StreamID, on vsmmu: VSMMUID
    ) throws(BackendFailure) {
        try pass(.install)
        try wrapped.install(installation, for: vsid, on: vsmmu)
    }

    package func invalidate(_ commands: Span<Command>, on vsmmu: VSMMUID) -> InvalidationOutcome {
        switch effect(of: .invalidate) {
        case .failure(let failure): return .failed(failure)
        case .deviceTimedOut:
            _ = wrapped.invalidate(commands, on: vsmmu)
            return .deviceTimedOut
        case nil: return wrapped.invalidate(commands, on: vsmmu)
        }
    }

    package func resynchronize(_ vsmmu: VSMMUID) throws(BackendFailure) {
        try pass(.resynchronize)
        try wrapped.resynchronize(vsmmu)
    }

    package func readEvents(of vsmmu: VSMMUID, into slots: inout MutableSpan<EventRecord>) -> EventsRead {
        wrapped.readEvents(of: vsmmu, into: &slots)
    }

    package func respond(
        _ response: PageResponse, to tag: StallTag, of vsid: StreamID, on vsmmu: VSMMUID
    ) throws(BackendFailure) -> Bool {
        try pass(.respond)
        return try wrapped.respond(response, to: tag, of: vsid, on: vsmmu)
    }

    package func terminateStalls(of vsid: StreamID?, on vsmmu: VSMMUID) throws(BackendFailure) {
        try pass(.terminateStalls)
        try wrapped.terminateStalls(of: vsid, on: vsmmu)
    }

    package func bindDoorbell(
        _ doorbell: Doorbell, of vsid: StreamID, on vsmmu: VSMMUID
    ) throws(BackendFailure) -> MSIWindow {
        try pass(.bindDoorbell)
        return try wrapped.bindDoorbell(doorbell, of: vsid, on: vsmmu)
    }

    package func access(_ access: DeviceAccess, data: inout MutableRawSpan) -> AccessReply {
        wrapped.access(access, data: &data)
    }
}

extension BackendFailure {
    /// What a ``FaultyBackend`` throws unless it is told otherwise.
    package static let planned = BackendFailure(
        .inputOutput, "do what was asked", advice: "It was planned to fail; nothing is to be done.")
}
