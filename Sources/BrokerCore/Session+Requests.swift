import SMMUv3
import Wire

// From a decoded request to its handler, and what handlers have in common.

extension Session {
    /// One case for each request: a table.
    func perform(
        _ request: Request, _ call: Call, _ packet: RawSpan, _ files: [ReceivedFile], _ reply: inout MutableRawSpan
    ) throws(Refusal) -> Answer {
        try checkOrder(request)
        switch request {
        case .hello(let request): return try hello(request, call, &reply)
        case .vsmmuCreate(let request): return try vsmmuCreate(request, call, &reply)
        case .vsmmuDestroy(let request): return try vsmmuDestroy(request, call, &reply)
        case .vsmmuState(let request): return try vsmmuState(request, call, packet, &reply)
        case .vsmmuReset(let request): return try vsmmuReset(request, call, &reply)
        case .memoryMap(let request): return try memoryMap(request, call, files, &reply)
        case .memoryUnmap(let request): return try memoryUnmap(request, call, &reply)
        case .deviceAttach(let request): return try deviceAttach(request, call, &reply)
        case .deviceRebind(let request): return try deviceRebind(request, call, &reply)
        case .deviceDetach(let request): return try deviceDetach(request, call, &reply)
        case .deviceReset(let request): return try deviceReset(request, call, &reply)
        case .steSet(let request): return try steSet(request, call, &reply)
        case .commands(let request): return try commands(request, call, packet, &reply)
        case .msiDoorbell(let request): return try msiDoorbell(request, call, &reply)
        case .eventsSubscribe(let request): return try eventsSubscribe(request, call, files, &reply)
        case .pageResponse(let request): return try pageResponse(request, call, &reply)
        case .translate(let request), .dma(let request): return try access(request, call, packet, &reply)
        }
    }

    private func checkOrder(_ request: Request) throws(Refusal) {
        let isHello = request.type == .hello
        if state.hello == nil && !isHello {
            throw Refusal(
                .helloExpected, .protocolViolated, "\(request.type.name) came before HELLO: send HELLO first.")
        }
        if state.hello != nil && isHello {
            throw Refusal(
                .helloRepeated, .protocolViolated, "There has been a HELLO on this connection: go on, or connect anew.")
        }
    }

    private func hello(
        _ request: HelloRequest, _ call: Call, _ reply: inout MutableRawSpan
    ) throws(Refusal) -> Answer {
        let grant = try admittingGrant()
        try context.directory.admit(context.id, under: grant)
        let version = min(request.version, Limits.version)
        var offered = backend.features.intersection([.model, .pageResponse])
        if context.queues != nil { offered.insert(.sharedEvents) }
        let features = request.features.intersection(offered)
        commit(.began(SessionState.Hello(name: request.name, version: version, features: features)))
        observer.saw(.began(vm: request.name, grant: grant.name))
        let quota = grant.quota
        let answer = HelloReply(
            version: version, maximumPacket: UInt32(Limits.packet), features: features, epoch: context.epoch,
            maximumMemory: quota.memory, maximumVSMMUs: UInt32(clamping: quota.vsmmus),
            maximumContexts: UInt32(clamping: quota.contexts), maximumCommands: UInt32(Limits.commands))
        return Answer(byteCount: answer.encode(to: call.header, into: &reply))
    }

    // MARK: What handlers have in common

    func done(_ call: Call, _ reply: inout MutableRawSpan) -> Answer {
        Answer(byteCount: ReplyHeader(to: call.header).encode(into: &reply))
    }

    func admittingGrant() throws(Refusal) -> Grant {
        guard let grant else { throw .notGranted() }
        return grant
    }

    func vsmmuIndex(_ id: VSMMUID) throws(Refusal) -> Int {
        guard let index = state.vsmmus.index(of: id) else { throw .unknownVSMMU(id) }
        return index
    }

    /// For all but what a failed vSMMU still takes: VSMMU_RESET, VSMMU_DESTROY and DEVICE_DETACH.
    func workingVSMMUIndex(_ id: VSMMUID) throws(Refusal) -> Int {
        let index = try vsmmuIndex(id)
        if state.vsmmus[index].failed { throw .vsmmuFailed(id) }
        return index
    }

    func contextIndex(_ vsmmu: VSMMUID, _ vsid: StreamID) throws(Refusal) -> Int {
        guard let index = state.contexts.index(of: ContextKey(vsmmu, vsid)) else { throw .unknownVSID(vsid, of: vsmmu) }
        return index
    }

    /// The context of a working vSMMU.
    func workingContextIndex(_ vsmmu: VSMMUID, _ vsid: StreamID) throws(Refusal) -> Int {
        _ = try workingVSMMUIndex(vsmmu)
        return try contextIndex(vsmmu, vsid)
    }

    /// Does `work`, at once again when its failure may be one in passing. nil: it is done.
    func attempt(_ work: () throws(BackendFailure) -> Void) -> BackendFailure? {
        for _ in 1..<Self.tries {
            do throws(BackendFailure) {
                try work()
                return nil
            } catch {
                counts.hostFailures += 1
                if !error.isTransient { return error }
            }
        }
        do throws(BackendFailure) {
            try work()
            return nil
        } catch {
            counts.hostFailures += 1
            return error
        }
    }

    private static var tries: Int { 3 }
}
