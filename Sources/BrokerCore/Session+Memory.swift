import Wire

extension Session {
    func memoryMap(
        _ request: MemoryMapRequest, _ call: Call, _ files: [ReceivedFile], _ reply: inout MutableRawSpan
    ) throws(Refusal) -> Answer {
        let grant = try admittingGrant()
        let map = try MemoryRules.map(
            request, files[0], in: state, mapsMemory: backend.mapsMemory,
            takesDevices: backend.mapsDeviceMemory, reserved: backend.reservedWindow, grant: grant)
        if let failure = attempt({ () throws(BackendFailure) in try backend.map(map) }) {
            throw .hostFailure(failure, "Nothing is mapped there")
        }
        commit(.mapped(map))
        var answer = done(call, &reply)
        answer.keepsFiles = true
        return answer
    }

    func memoryUnmap(
        _ request: MemoryUnmapRequest, _ call: Call, _ reply: inout MutableRawSpan
    ) throws(Refusal) -> Answer {
        let range = try MemoryRules.maps(of: request, in: state)
        for _ in range {
            let map = state.maps[range.lowerBound]
            if let failure = attempt({ () throws(BackendFailure) in try backend.unmap(map) }) {
                throw .hostFailure(
                    failure, "What lies below IPA \(map.ipa) is unmapped, the rest is as before: send the rest again")
            }
            forget(map)
        }
        return done(call, &reply)
    }

    /// The map is gone from the backend.
    func forget(_ map: MemoryMap) {
        commit(.unmapped(ipa: map.ipa))
        discard(map.file)
    }
}
