import Wire

/// How far the end of a session is.
struct Ending {
    var tries = 0
    /// Devices that are gone from the backend.
    var devices: [Name] = []
    /// Of ABORT, when a device is busy: one second at the interval below.
    static let maximumTries = 50
    static let intervalMilliseconds: UInt64 = 20
}

extension Session {
    /// The client is gone, or the daemon ends. Devices to ABORT, then memory, then objects. Nil when everything is done;
    /// else when to call again, because a device was busy.
    package func end(at now: Instant) -> Instant? {
        if state.ended { return nil }
        if !abortDevices() && ending.tries < Ending.maximumTries {
            ending.tries += 1
            return now.advanced(byMilliseconds: Ending.intervalMilliseconds)
        }
        terminateStalls(at: now)
        unmapEverything()
        removeObjects(at: now)
        for device in ending.devices { giveBack(device, withheld: false) }
        context.directory.releaseEverything(of: context.id)
        endDelivery()
        commit(.ended)
        // A connection that was nobody's is not worth a line.
        if hasBegun { observer.saw(.ended) }
        return nil
    }

    /// False: a device was busy, and may not be the next time.
    private func abortDevices() -> Bool {
        var done = true
        for index in state.contexts.indices where state.contexts[index].installed != .abort {
            let context = state.contexts[index]
            do throws(BackendFailure) {
                try backend.install(.abort, for: context.key.vsid, on: context.key.vsmmu)
                commit(.installed(context.key, ste: context.ste, .abort, illegal: context.illegal))
            } catch {
                counts.hostFailures += 1
                if error.isTransient { done = false }
            }
        }
        return done
    }

    /// Whoever should have answered them is gone: no transaction waits for ever.
    private func terminateStalls(at now: Instant) {
        for index in state.vsmmus.indices where stalls.waiting.contains(where: { $0.vsmmu == state.vsmmus[index].key })
        {
            let id = state.vsmmus[index].key
            _ = attempt { () throws(BackendFailure) in try backend.terminateStalls(of: nil, on: id) }
        }
        settleStalls(.reset, at: now) { _ in true }
    }

    /// What the host does not unmap is not reachable either once the backend is gone: the descriptor is closed all the
    /// same.
    private func unmapEverything() {
        while !state.maps.isEmpty {
            let map = state.maps[state.maps.count - 1]
            _ = attempt { () throws(BackendFailure) in try backend.unmap(map) }
            forget(map)
        }
    }

    private func removeObjects(at now: Instant) {
        tellMerged(at: now) { _ in true }
        while !state.contexts.isEmpty {
            let (key, device) = (state.contexts[0].key, state.contexts[0].device.name)
            _ = attempt { () throws(BackendFailure) in try backend.detach(key.vsid, from: key.vsmmu) }
            forget(key, device, at: now)
            ending.devices.append(device)
        }
        while !state.vsmmus.isEmpty {
            let id = state.vsmmus[0].key
            backend.destroyVSMMU(id)
            commit(.destroyedVSMMU(id))
            invalidations.remove(id)
        }
    }
}
