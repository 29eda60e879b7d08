import SMMUv3
import Wire

// MSIs, page responses, and the device side of the model.

extension Session {
    func msiDoorbell(
        _ request: MSIDoorbellRequest, _ call: Call, _ reply: inout MutableRawSpan
    ) throws(Refusal) -> Answer {
        _ = try workingContextIndex(request.vsmmu, request.vsid)
        var window = MSIWindow(base: 0, size: 0)
        let failure = attempt { () throws(BackendFailure) in
            window = try backend.bindDoorbell(
                Doorbell(iova: request.iova, ipa: request.ipa), of: request.vsid, on: request.vsmmu)
        }
        if let failure { throw .hostFailure(failure, "The doorbell is not bound") }
        let answer = MSIDoorbellReply(base: IOVA(window.base), size: window.size)
        return Answer(byteCount: answer.encode(to: call.header, into: &reply))
    }

    func pageResponse(
        _ request: PageResponseRequest, _ call: Call, _ reply: inout MutableRawSpan
    ) throws(Refusal) -> Answer {
        try require(.pageResponse, "PAGE_RESPONSE")
        _ = try workingContextIndex(request.vsmmu, request.vsid)
        var known = true
        let failure = attempt { () throws(BackendFailure) in
            let response: PageResponse
            switch request.code {
            case .terminateAll: return try backend.terminateStalls(of: request.vsid, on: request.vsmmu)
            case .retry: response = .retry
            case .terminate: response = .terminate
            case .abort: response = .abort
            }
            known = try backend.respond(response, to: request.stag, of: request.vsid, on: request.vsmmu)
        }
        if let failure { throw .hostFailure(failure, "The transaction is still stalled: send the answer again") }
        let key = ContextKey(request.vsmmu, request.vsid)
        if !known { throw refusal(ofAnswerTo: request.stag, of: key) }
        settleStalls(.client, at: call.now) {
            $0.key == key && (request.code == .terminateAll || $0.tag == request.stag)
        }
        return done(call, &reply)
    }

    /// TRANSLATE and DMA. The data are moved where the reply has them.
    func access(
        _ request: AccessRequest, _ call: Call, _ packet: RawSpan, _ reply: inout MutableRawSpan
    ) throws(Refusal) -> Answer {
        try require(.model, "TRANSLATE and DMA")
        _ = try workingContextIndex(request.vsmmu, request.vsid)
        let writes = request.flags.contains(.write)
        let access = DeviceAccess(
            vsmmu: request.vsmmu, vsid: request.vsid, iova: request.iova, substream: request.substream, write: writes,
            privileged: request.flags.contains(.privileged), instruction: request.flags.contains(.instruction),
            size: request.size)
        let place = AccessReply.byteCount..<AccessReply.byteCount + request.size
        if writes { reply.copy(packet.extracting(request.data.byteRange), to: place.lowerBound) }
        // The toolchain has no other name for it: `extracting` has been renamed to this.
        var data = reply._mutatingExtracting(place)
        var answer = backend.access(access, data: &data)
        answer.size = min(answer.size, UInt32(request.size))
        let following = writes ? 0 : Int(answer.size)
        return Answer(byteCount: answer.encode(to: call.header, dataInPlace: following, into: &reply))
    }

    func require(_ feature: Features, _ what: String) throws(Refusal) {
        if state.hello?.features.contains(feature) ?? false { return }
        throw .notSupported("HELLO did not agree on the feature for \(what): ask for it there, and look at the reply.")
    }
}
