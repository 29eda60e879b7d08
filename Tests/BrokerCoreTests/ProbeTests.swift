import BrokerCore
import SMMUv3
import Testing
import Wire

@Suite("What only the backend knows of devices")
struct ProbeTests {
    private static let narrow = PhysicalSMMU(
        name: name("smmu3.0x9050000"),
        registers: IDRegisters(
            idr0: Harness.registers.idr0, idr1: Harness.registers.idr1, idr3: 0, idr5: Harness.registers.idr5),
        errata: .repeatTLBIAndCFGI)

    private func found(_ device: String, behind smmu: PhysicalSMMU = narrow) -> HostDevice {
        HostDevice(name: name(device), smmu: smmu, streamID: StreamID(0x100), hasATS: false, pasidBits: 3)
    }

    @Test("a vSMMU is made of the registers that the hardware has, not of those in the directory")
    func creation() throws {
        let harness = Harness()
        try harness.hello()
        harness.backend.probes = [name("disk"): found("disk")]
        guard case .vsmmuCreate(let reply, _) = try harness.create().body else {
            Issue.record("no vSMMU")
            return
        }
        #expect(reply.host == Self.narrow.registers && reply.errata == .repeatTLBIAndCFGI)
        #expect(!reply.advertised.rangeInvalidation && harness.backend.openProbe == nil)
    }

    @Test("a device is attached as it was found, and checked as such")
    func attachment() throws {
        let harness = Harness()
        try harness.hello()
        harness.backend.probes = [name("disk"): found("disk"), name("net"): found("net")]
        try harness.create()
        guard case .deviceAttach(let reply) = try harness.attach("disk", vsid: 1).body else {
            Issue.record("not attached")
            return
        }
        #expect(reply.physicalStream == StreamID(0x100) && reply.pasidBits == 3 && !reply.flags.contains(.ats))
        harness.backend.probes[name("net")] = found("net", behind: Harness.smmu)
        #expect(try harness.attach("net", vsid: 2).reason == .otherSMMU)
        #expect(harness.directory.inventory.owner(of: name("net")) == nil && harness.backend.openProbe == nil)
    }

    @Test("what cannot be found out is the host's failure; nothing is kept")
    func failures() throws {
        let harness = Harness()
        try harness.hello()
        try harness.create()
        harness.backend.probeFailure = .broken
        for reply in [try harness.create(), try harness.attach("net", vsid: 2)] {
            #expect(reply.reason == .hostFailure && reply.refusal?.text.contains("reach the hardware") ?? false)
            #expect(harness.backend.openProbe == nil)
        }
        #expect(harness.directory.inventory.owner(of: name("net")) == nil)
    }

    @Test("a device that the grant does not cover is not touched")
    func notGranted() throws {
        var grant = Harness.grant
        grant.devices = ["net"]
        let harness = Harness(grant: grant)
        try harness.hello()
        harness.backend.probeFailure = .broken
        #expect(try harness.create("disk").reason == .notGranted && harness.attach("disk").reason != .hostFailure)
    }

    @Test(
        "no guest memory is mapped over the host's window of MSIs",
        arguments: [
            (0x0800_0000, 4096, true), (0x080f_f000, 4096, true), (0x07ff_f000, 8192, true), (0, 1 << 28, true),
            (0x07ff_f000, 4096, false), (0x0810_0000, 4096, false),
        ] as [(UInt64, UInt64, Bool)])
    func window(ipa: UInt64, size: UInt64, refused: Bool) throws {
        var grant = Harness.grant
        grant.quota.memory = 1 << 40
        let harness = Harness(grant: grant)
        try harness.hello()
        harness.backend.reservedWindow = MSIWindow(base: 0x0800_0000, size: 1 << 20)
        let file = ReceivedFile(
            resource: ResourceID(7), kind: .shmem, size: 1 << 40, sealedAgainstShrinking: true)
        let reply = try harness.send(
            MemoryMapRequest(ipa: IPA(ipa), size: size, offset: 0, flags: [.read, .write]), files: [file])
        #expect(reply.reason == (refused ? .msiWindow : Reason.none))
        #expect(harness.backend.calls.isEmpty == refused)
    }
}
