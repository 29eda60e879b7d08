import SMMUv3
package import Wire

/// What may be mapped: decided on plain values before a backend sees any of it.
package enum MemoryRules {
    package static let pageSize: UInt64 = 4096

    /// The map that a MEMORY_MAP asks for, if the rules allow it. `mapsMemory`: the backend maps the file itself.
    /// `takesDevices`: it takes BARs. `reserved`: where no guest memory can be.
    package static func map(
        _ request: MemoryMapRequest, _ file: ReceivedFile, in state: SessionState, mapsMemory: Bool,
        takesDevices: Bool = false, reserved: MSIWindow, grant: Grant
    ) throws(Refusal) -> MemoryMap {
        try checkRange(request)
        try checkWindow(request, reserved)
        if request.flags.contains(.dmabuf) {
            try checkDeviceMemory(file, request, in: state, takesDevices)
        } else {
            try checkFile(file, request, mapsMemory: mapsMemory)
        }
        let map = MemoryMap(
            ipa: request.ipa.rawValue, size: request.size, offset: request.offset,
            readable: request.flags.contains(.read), writable: request.flags.contains(.write), file: file.resource,
            isDeviceMemory: request.flags.contains(.dmabuf))
        if let other = overlap(map, in: state.maps) {
            throw Refusal(
                .overlap, .exists,
                "IPA \(other.ipa.hex) to \(other.end.hex) is mapped already and the new map overlaps it: unmap it first, or "
                    + "map elsewhere.")
        }
        try checkQuota(request.size, in: state, grant)
        return map
    }

    private static func checkRange(_ request: MemoryMapRequest) throws(Refusal) {
        try checkAligned("ipa", request.ipa.rawValue)
        try checkAligned("size", request.size)
        try checkAligned("offset", request.offset)
        try checkEnd("ipa", request.ipa.rawValue, request.size)
        try checkEnd("offset", request.offset, request.size)
    }

    private static func checkWindow(_ request: MemoryMapRequest, _ window: MSIWindow) throws(Refusal) {
        let (first, end) = (request.ipa.rawValue, request.ipa.rawValue + request.size)
        guard window.size > 0, first < window.base + window.size, end > window.base else { return }
        throw Refusal(
            .msiWindow, .invalid,
            "IPA \(first.hex) to \(end.hex) covers the window of MSIs, \(window.size.hex) bytes at \(window.base.hex), where the "
                + "host maps doorbells: leave it out of guest memory.")
    }

    private static func checkAligned(_ field: String, _ value: UInt64) throws(Refusal) {
        if value % pageSize == 0 { return }
        throw Refusal(
            .notAligned, .invalid, "`\(field)` is \(value.hex) and must be a multiple of \(pageSize): align it.")
    }

    private static func checkEnd(_ field: String, _ value: UInt64, _ size: UInt64) throws(Refusal) {
        if !value.addingReportingOverflow(size).overflow { return }
        throw Refusal(
            .addressOverflow, .invalid,
            "`\(field)` \(value.hex) and `size` \(size.hex) go beyond 64 bits: correct them.")
    }

    /// The kernel does not say whose BAR a dma-buf is: that a device of vfio-pci has lent it, and that the session has a
    /// device, is all that can be seen.
    private static func checkDeviceMemory(
        _ file: ReceivedFile, _ request: MemoryMapRequest, in state: SessionState, _ takesDevices: Bool
    ) throws(Refusal) {
        guard takesDevices else {
            throw .notSupported("This daemon's backend takes no dma-buf: map memfds and tmpfs files, without DMABUF.")
        }
        guard file.kind == .deviceMemory else {
            throw Refusal(
                .notMemory, .invalid,
                "DMABUF is set, but the descriptor is no dma-buf of vfio-pci: pass what VFIO_DEVICE_FEATURE_DMA_BUF gave."
            )
        }
        guard state.contexts.count > 0 else {
            throw Refusal(
                .notMemory, .invalid,
                "DMABUF is set, but the session has no device whose BAR this could be: attach the device first.")
        }
        try checkAccess(file, request)
    }

    private static func checkFile(
        _ file: ReceivedFile, _ request: MemoryMapRequest, mapsMemory: Bool
    ) throws(Refusal) {
        switch file.kind {
        case .shmem: break
        case .hugetlb:
            if mapsMemory {
                throw Refusal(
                    .hugetlbUnsupported, .notSupported,
                    "The backend maps the file itself and takes none of hugetlbfs: pass a memfd without MFD_HUGETLB.")
            }
        case .deviceMemory:
            throw Refusal(.notMemory, .invalid, "The descriptor is a dma-buf of a device: set DMABUF to map it.")
        case .seqPacketSocket, .eventFD, .other:
            throw Refusal(
                .notMemory, .invalid, "The descriptor is no memfd and no file of tmpfs or hugetlbfs: pass one of these."
            )
        }
        if mapsMemory && !file.sealedAgainstShrinking {
            throw Refusal(
                .notSealed, .notPermitted,
                "The backend maps the file itself, which can still shrink: add the seal F_SEAL_SHRINK with fcntl.")
        }
        try checkAccess(file, request)
    }

    private static func checkAccess(_ file: ReceivedFile, _ request: MemoryMapRequest) throws(Refusal) {
        if !file.readable {
            throw Refusal(
                .notMemory, .invalid,
                "The descriptor is not open for reading, and so cannot be mapped: open it for reading.")
        }
        if request.flags.contains(.write) && !file.writable {
            throw Refusal(
                .descriptorNotWritable, .notPermitted,
                "WRITE is set, but the descriptor is open for reading only: open it for writing, or map READ alone.")
        }
        if request.offset + request.size > file.size {
            throw Refusal(
                .beyondFile, .invalid,
                "The map ends at byte \(request.offset + request.size) of a file of \(file.size) bytes: make the file longer "
                    + "with ftruncate, or map less.")
        }
    }

    private static func overlap(_ map: MemoryMap, in maps: SortedTable<MemoryMap>) -> MemoryMap? {
        let next = maps.lowerBound(map.ipa)
        if next < maps.count && maps[next].ipa < map.end { return maps[next] }
        if next > 0 && maps[next - 1].end > map.ipa { return maps[next - 1] }
        return nil
    }

    private static func checkQuota(_ size: UInt64, in state: SessionState, _ grant: Grant) throws(Refusal) {
        if state.maps.count >= grant.quota.maps {
            throw .quota(
                "memory maps", limit: UInt64(grant.quota.maps), usage: UInt64(state.maps.count), setting: "MaxMaps",
                grant: grant.name)
        }
        let (sum, overflow) = state.mappedBytes.addingReportingOverflow(size)
        if overflow || sum > grant.quota.memory {
            throw .quota(
                "bytes of mapped memory", limit: grant.quota.memory, usage: state.mappedBytes, setting: "MaxMemory",
                grant: grant.name)
        }
    }

    /// Where in `state.maps` the whole maps are of which a MEMORY_UNMAP consists.
    package static func maps(
        of request: MemoryUnmapRequest, in state: SessionState
    ) throws(Refusal) -> Range<Int> {
        try checkAligned("ipa", request.ipa.rawValue)
        try checkAligned("size", request.size)
        try checkEnd("ipa", request.ipa.rawValue, request.size)
        let start = state.maps.lowerBound(request.ipa.rawValue)
        let end = request.ipa.rawValue + request.size
        var (index, reached) = (start, request.ipa.rawValue)
        while reached < end, index < state.maps.count, state.maps[index].ipa == reached {
            (index, reached) = (index + 1, state.maps[index].end)
        }
        if reached == end { return start..<index }
        throw Refusal(
            .noSuchMap, .notFound,
            "IPA \(request.ipa.rawValue.hex) to \(end.hex) does not consist of whole maps: name what MEMORY_MAP mapped, "
                + "without holes.")
    }
}
