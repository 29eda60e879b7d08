import BrokerCore
import LinuxSystem
import SMMUv3
import Scenarios
import Testing
import Wire

/// Maps that come and go at random, against a plain list of what a device may reach.
@Suite struct RandomMapsTests {
    /// 8 MiB, of which each page begins with a word of its own, and a mapping of the test's own.
    private final class File {
        let resource: ResourceID
        let mapping: Mapping
        static let size: UInt64 = 8 << 20

        init(_ number: UInt64, _ host: any BackendHost) throws {
            resource = try host.memory(named: "random-\(number)", bytes: Self.size)
            mapping = try Mapping(
                host.descriptors.duplicate(resource.rawValue), count: Int(Self.size), writable: true)
            for word in stride(from: 0, to: Self.size, by: 4096) {
                _ = mapping.storeWord(word | (number + 1) << 56, at: word)
            }
        }
    }

    /// A page that a device uses by both of its addresses.
    private struct Page {
        let iova: UInt64
        let ipa: UInt64
    }

    /// Borders of 2 MiB and of 1 GiB.
    private static let anchors: [UInt64] = [0x8000_0000, 0x8020_0000, 0xbfe0_0000, 0xc000_0000, 0x10_0000_0000]

    private func randomAddress(_ random: inout SplitMix64) -> UInt64 {
        random.pick(Self.anchors) + UInt64(random.below(1024)) * 4096 - UInt64(random.below(1024)) * 4096
    }

    private func randomMap(_ random: inout SplitMix64, of files: [File]) -> MemoryMap {
        let size = UInt64(random.pick([1, 2, 3, 511, 512, 513, 1024, 1300])) * 4096
        let offset = UInt64(random.below(Int((File.size - size) / 4096) + 1)) * 4096
        let access = random.below(4)
        return MemoryMap(
            ipa: random.chance(40) ? random.pick(Self.anchors) : randomAddress(&random), size: size, offset: offset,
            readable: access != 1, writable: access > 0, file: random.pick(files).resource)
    }

    /// Whether an access does what nothing but the list of maps says.
    private func isRight(
        _ page: Page, write: Bool, by vsid: UInt32, _ guest: Guest, _ maps: [MemoryMap], _ files: [File]
    ) -> Bool {
        let map = maps.first { $0.ipa <= page.ipa && page.ipa < $0.end }
        let file = files.first { $0.resource == map?.file }
        let place = map.map { page.ipa - $0.ipa + $0.offset } ?? 0
        var bytes: [UInt8] = write ? [UInt8](repeating: UInt8(place >> 12 & 0xff), count: 8) : [9, 9, 9, 9, 9, 9, 9, 9]
        let reply = guest.transfer(vsid, vsid == 8 ? page.ipa : page.iova, write: write, &bytes)
        guard reply.ipa == IPA(page.ipa), reply.stage1 == (vsid == 8 ? .bypass : .done) else { return false }
        guard let map, let file, write ? map.writable : map.readable else {
            let id: EventID = map == nil ? .translation : .permission
            return reply.stage2 == .fault && reply.size == 0 && reply.event.id == id && reply.event.stage2
                && reply.event.ipa == page.ipa
        }
        let word = bytes.reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        return reply.stage2 == .done && reply.size == 8 && file.mapping.loadWord(at: place) == word
    }

    @Test("a device reaches exactly what is mapped, whatever came and went before", arguments: [false, true])
    func reaches(ats: Bool) throws {
        let seed = UInt64.random(in: 0...UInt64.max)
        print("RandomMapsTests, ATS \(ats): seed \(seed)")
        var random = SplitMix64(seed: seed)
        let host = ModelHost()
        let guest = try Guest(host)
        let space = guest.makeSpace()
        try guest.attach(0, as: 7, ats ? space.installationWithATS : space.installation, ats: ats)
        try guest.attach(1, as: 8, .bypass)
        let files = try (0..<3).map { try File($0, host) }
        let pages = (0..<64).map { Page(iova: 0x1000 * ($0 + 1), ipa: randomAddress(&random)) }
        for page in pages { guest.map(space, page.iova, to: page.ipa) }
        var maps: [MemoryMap] = []
        var tried = 0
        for step in 0..<3000 {
            switch random.below(20) {
            case 0:
                let map = randomMap(&random, of: files)
                let isFree = maps.allSatisfy { $0.end <= map.ipa || map.end <= $0.ipa }
                let failed: Bool
                do throws(BackendFailure) {
                    try host.backend.map(map)
                    maps.append(map)
                    failed = false
                } catch {
                    failed = true
                }
                #expect(failed == !isFree, "seed \(seed), step \(step)")
            case 1 where !maps.isEmpty:
                try host.backend.unmap(maps.remove(at: random.below(maps.count)))
            default:
                let (page, write, vsid) = (random.pick(pages), random.chance(40), random.pick([7, 8] as [UInt32]))
                let right = isRight(page, write: write, by: vsid, guest, maps, files)
                #expect(right, "seed \(seed), step \(step)")
                tried += 1
                if !right { return }
            }
            if step % 100 == 0 { _ = guest.takeEvents(by: 128) }
        }
        #expect(tried > 1000)
    }
}
