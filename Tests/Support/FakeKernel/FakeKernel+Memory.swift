package import IOMMUFD
package import LinuxSystem

/// Guest memory of an iommufd.
final class FakeIOAS {
    var maps: [FileMapping] = []
    /// Maps of BARs, by IOVA. One that has been revoked maps nothing, and is still there.
    var lent: [UInt64: (device: FakeDevice, isRevoked: Bool)] = [:]
    /// How many stages 2 have it: its pages are pinned as long as there is one.
    var pins = 0
    /// A device is or was attached, whose MSI window is left out.
    var isReserved = false
    var allowed: [ClosedRange<UInt64>] = []

    /// MSI_IOVA_BASE, MSI_IOVA_LENGTH.
    static let window: ClosedRange<UInt64> = 0x0800_0000...0x080f_ffff

    /// Those that are pinned.
    var bytes: UInt64 { maps.reduce(0) { lent[$1.iova] == nil ? $0 + $1.length : $0 } }
    var coversWindow: Bool {
        maps.contains { Self.window.overlaps($0.range) } || allowed.contains(where: Self.window.overlaps)
    }
}

extension FileMapping {
    /// Inclusive at both ends.
    fileprivate var range: ClosedRange<UInt64> { iova...(iova + length - 1) }
    /// As a stage 2 wants it.
    fileprivate var isAligned: Bool { (iova | length | offset) % 4096 == 0 }
}

extension FakeKernel {
    package func allocateIOAS() throws(Errno) -> UInt32 {
        try enter(.allocateIOAS)
        return insert(.ioas(FakeIOAS()))
    }

    private func space(_ id: UInt32) throws(Errno) -> FakeIOAS {
        guard case .ioas(let space)? = objects[id]?.kind else { throw .notFound }
        return space
    }

    package func allowIOVAs(_ ranges: [ClosedRange<UInt64>], of ioas: UInt32) throws(Errno) {
        try enter(.allowIOVAs)
        let space = try space(ioas)
        // One address alone is refused.
        if ranges.contains(where: { $0.lowerBound == $0.upperBound }) { throw .invalid }
        for (index, range) in ranges.enumerated() where ranges[..<index].contains(where: range.overlaps) {
            throw .invalid
        }
        if space.isReserved, ranges.contains(where: FakeIOAS.window.overlaps) { throw .inUse }
        space.allowed = ranges
    }

    package func iovaRanges(of ioas: UInt32) throws(Errno) -> [ClosedRange<UInt64>] {
        try enter(.iovaRanges)
        let space = try space(ioas)
        if !space.isReserved { return [0...UInt64.max] }
        return [0...(FakeIOAS.window.lowerBound - 1), (FakeIOAS.window.upperBound + 1)...UInt64.max]
    }

    package func mapFile(_ map: FileMapping, into ioas: UInt32) throws(Errno) {
        try enter(.mapFile)
        let space = try space(ioas)
        guard map.readable || map.writable, map.length > 0, map.isAligned || space.pins == 0 else { throw .invalid }
        if map.iova.addingReportingOverflow(map.length).overflow { throw .overflow }
        if space.isReserved, FakeIOAS.window.overlaps(map.range) { throw .invalid }
        if space.maps.contains(where: { $0.range.overlaps(map.range) }) { throw .exists }
        guard let inode = FakeDescriptor.inode(of: map.descriptor) else { throw .badDescriptor }
        if let device = machine.lent[inode] {
            if !device.isMemoryEnabled || !device.isBound { throw .noDevice }
            // Nothing of it is pinned.
            space.lent[map.iova] = (device, false)
            space.maps.append(map)
            hardware?.mapped(map)
            return
        }
        if space.pins > 0 { try charge(map.length) }
        space.maps.append(map)
        hardware?.mapped(map)
    }

    package func unmap(iova: UInt64, length: UInt64, from ioas: UInt32) throws(Errno) {
        try enter(.unmap)
        let space = try space(ioas)
        if length == 0 { throw .invalid }
        let everything = iova == 0 && length == .max
        if !everything, iova.addingReportingOverflow(length).overflow { throw .overflow }
        let range = iova...(everything ? .max : iova + length - 1)
        let gone = space.maps.filter { range.overlaps($0.range) }
        if gone.isEmpty && !everything { throw .notFound }
        // Whole maps only; what was found to be partial stops it, and what came before is gone.
        for map in gone.sorted(by: { $0.iova < $1.iova }) {
            guard range.contains(map.iova), range.contains(map.range.upperBound) else { throw .notFound }
            space.maps.removeAll { $0.iova == map.iova }
            if space.lent.removeValue(forKey: map.iova) == nil, space.pins > 0 { lockedBytes -= map.length }
            hardware?.unmapped(iova: map.iova, length: map.length)
        }
    }

    /// A device is reset, or its memory disabled: its BARs go from all address spaces, and nobody is told.
    package func revoke(_ device: FakeDevice) {
        for object in objects.values {
            guard case .ioas(let space) = object.kind else { continue }
            for map in space.maps where space.lent[map.iova]?.device === device {
                space.lent[map.iova]?.isRevoked = true
                hardware?.unmapped(iova: map.iova, length: map.length)
            }
        }
    }

    /// BARs that devices reach, by IOVA.
    package var reachableBARs: [UInt64] {
        objects.values.flatMap { object -> [UInt64] in
            guard case .ioas(let space) = object.kind else { return [] }
            return space.lent.filter { !$0.value.isRevoked }.map(\.key)
        }.sorted()
    }

    // MARK: Pinning

    private func charge(_ bytes: UInt64) throws(Errno) {
        if bytes > lockLimit || lockedBytes > lockLimit - bytes { throw .noMemory }
        lockedBytes += bytes
    }

    /// A stage 2 pins all that is mapped, unless it is pinned.
    func pin(_ space: FakeIOAS) throws(Errno) {
        if !space.maps.allSatisfy(\.isAligned) { throw .inUse }
        if space.pins == 0 { try charge(space.bytes) }
        space.pins += 1
    }

    func unpin(_ space: FakeIOAS) {
        space.pins -= 1
        if space.pins == 0 { lockedBytes -= space.bytes }
    }

    /// Areas of guest memory: IOVA and bytes.
    package var areas: [(iova: UInt64, length: UInt64)] {
        var all: [(iova: UInt64, length: UInt64)] = []
        for object in objects.values {
            if case .ioas(let space) = object.kind { all += space.maps.map { ($0.iova, $0.length) } }
        }
        return all.sorted { $0.iova < $1.iova }
    }
}
