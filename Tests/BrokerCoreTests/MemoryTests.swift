import BrokerCore
import SMMUv3
import Testing
import Wire

private func file(
    _ kind: ReceivedFile.Kind = .shmem, size: UInt64 = 1 << 40, sealed: Bool = true, readable: Bool = true,
    writable: Bool = true
) -> ReceivedFile {
    ReceivedFile(
        resource: ResourceID(7), kind: kind, size: size, sealedAgainstShrinking: sealed, readable: readable,
        writable: writable)
}

@Suite("Memory")
struct MemoryTests {
    @Test("A map is kept with its descriptor, and its descriptor is given up with it")
    func mapAndUnmap() throws {
        let harness = try Harness.ready()
        #expect(try harness.map(file: file()).isDone)
        #expect(harness.answer.keepsFiles)
        #expect(harness.session.snapshot.maps == 1 && harness.session.snapshot.mappedBytes == 1 << 20)
        #expect(try harness.unmap().isDone)
        #expect(harness.answer.effects.contains(.discarded) && harness.session.takeDiscarded() == [ResourceID(7)])
        #expect(harness.session.takeDiscarded().isEmpty && harness.session.snapshot.mappedBytes == 0)
        #expect(harness.backend.calls == [.map(0x4000_0000), .unmap(0x4000_0000)])
    }

    struct Row: CustomTestStringConvertible, Sendable {
        var reason: Reason
        var ipa: UInt64 = 0x4000_0000
        var size: UInt64 = 4096
        var offset: UInt64 = 0
        var flags: MemoryMapRequest.Flags = [.read, .write]
        var file = BrokerCoreTests.file()
        var testDescription: String { "\(reason.name) \(ipa) \(size) \(offset)" }
    }

    @Test(
        "I8, P21: what may not be mapped",
        arguments: [
            Row(reason: .notAligned, ipa: 0x4000_0001), Row(reason: .notAligned, size: 4097),
            Row(reason: .notAligned, offset: 1), Row(reason: .addressOverflow, ipa: .max - 4095, size: 8192),
            Row(reason: .addressOverflow, size: 8192, offset: .max - 4095),
            Row(reason: .addressOverflow, ipa: .max - 4095), Row(reason: .beyondFile, file: file(size: 4095)),
            Row(reason: .beyondFile, offset: 4096, file: file(size: 4096)), Row(reason: .notMemory, file: file(.other)),
            Row(reason: .notMemory, file: file(.eventFD)), Row(reason: .hugetlbUnsupported, file: file(.hugetlb)),
            Row(reason: .notSealed, file: file(sealed: false)),
            Row(reason: .descriptorNotWritable, file: file(writable: false)),
            Row(reason: .notMemory, flags: .write, file: file(readable: false)),
            Row(reason: .notSupported, flags: [.read, .dmabuf]), Row(reason: .quota, size: 65 << 20),
        ])
    func refused(row: Row) throws {
        let harness = try Harness.ready()
        let reply = try harness.map(
            ipa: row.ipa, size: row.size, offset: row.offset, flags: row.flags, file: row.file)
        #expect(reply.reason == row.reason, "\(reply)")
        #expect(harness.backend.calls.isEmpty && !harness.answer.keepsFiles)
    }

    @Test("A backend that maps nothing itself takes unsealed files and hugetlbfs")
    func notMappedHere() throws {
        let harness = try Harness.ready()
        harness.backend.mapsMemory = false
        #expect(try harness.map(file: file(.hugetlb, sealed: false)).isDone)
    }

    @Test("P21: a read-only descriptor maps read-only")
    func readOnly() throws {
        let harness = try Harness.ready()
        #expect(try harness.map(flags: .read, file: file(writable: false)).isDone)
        #expect(!harness.session.state.maps[0].writable && harness.session.state.maps[0].readable)
    }

    @Test("Overlaps are refused on both sides; neighbours are none")
    func overlap() throws {
        let harness = try Harness.ready()
        try harness.map(ipa: 0x10000, size: 0x4000)
        for (ipa, size) in [
            (0x10000, 0x4000), (0xf000, 0x2000), (0x13000, 0x1000), (0x13000, 0x8000), (0xf000, 0x10000),
        ]
            as [(UInt64, UInt64)]
        {
            #expect(try harness.map(ipa: ipa, size: size).reason == .overlap)
        }
        #expect(try harness.map(ipa: 0xf000, size: 0x1000).isDone && harness.map(ipa: 0x14000, size: 0x1000).isDone)
    }

    @Test("P8: QUOTA names the quota, its limit, the usage and the setting")
    func quotas() throws {
        let harness = try Harness.ready()
        try harness.map(ipa: 0, size: 60 << 20)
        let memory = try #require(try harness.map(ipa: 1 << 30, size: 5 << 20).refusal)
        for part in ["bytes of mapped memory", "67108864", "62914560", "MaxMemory= of [Grant test]"] {
            #expect(memory.text.contains(part), "\(memory.text)")
        }
        for index in 1...7 { #expect(try harness.map(ipa: UInt64(index) << 30, size: 4096).isDone) }
        let maps = try #require(try harness.map(ipa: 9 << 30, size: 4096).refusal)
        #expect(maps.reason == .quota && maps.text.contains("MaxMaps="))
    }

    @Test("P22: UNMAP takes whole maps, several at once, or nothing")
    func unmapWhole() throws {
        let harness = try Harness.ready()
        for ipa in [0x10000, 0x14000, 0x20000] as [UInt64] { try harness.map(ipa: ipa, size: 0x4000) }
        harness.backend.calls = []
        for (ipa, size) in [
            (0x10000, 0x3000), (0x11000, 0x4000), (0x10000, 0x14000), (0x30000, 0x1000), (0x10000, 0x6000),
        ]
            as [(UInt64, UInt64)]
        {
            #expect(try harness.unmap(ipa: ipa, size: size).reason == .noSuchMap)
        }
        #expect(harness.backend.calls.isEmpty)
        #expect(try harness.unmap(ipa: 0x10000, size: 0x8000).isDone)
        #expect(harness.backend.calls == [.unmap(0x10000), .unmap(0x14000)])
    }

    @Test("What the host cannot map or unmap is as it was")
    func hostFailure() throws {
        let harness = try Harness.ready()
        harness.backend.fail = { _ in .broken }
        #expect(try harness.map().reason == .hostFailure && harness.session.state.maps.isEmpty)
        harness.backend.fail = { _ in nil }
        try harness.map()
        harness.backend.fail = { _ in .broken }
        #expect(try harness.unmap().reason == .hostFailure && harness.session.state.maps.count == 1)
    }
}
