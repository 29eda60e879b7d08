import BrokerCore
import Configuration
import SMMUv3
import Testing
import Wire

@Suite struct DefaultsTests {
    @Test func usefulWithoutHardware() throws {
        let configuration = Configuration()
        #expect(configuration.backend == .model)
        #expect(configuration.smmus.map { $0.name.description } == ["model0"])
        #expect(configuration.devices.map { $0.device.name.description } == ["disk0", "net0", "gpu0", "model"])
        #expect(configuration.devices.map { $0.isTemplate } == [false, false, false, true])
        let gpu = configuration.devices[2].device
        #expect(gpu.hasATS && gpu.pasidBits == 20)
        #expect(configuration.grants.isEmpty)
    }

    /// A template has room for more devices than a recorded guest has streams, within the StreamIDs of the SMMU.
    @Test func theTemplateHasRoom() throws {
        let template = try #require(Configuration().devices.last)
        #expect(template.instances >= 64 * 256)
        #expect(Int(template.device.streamID.rawValue) + template.instances == 1 << SMMUSettings.streamIDBits)
        #expect(Quota().contexts >= 64)
    }

    /// ID registers that guests of QEMU's SMMUv3 were shown: with stage 1, 2 and both.
    @Test(arguments: [(0x0d44_101a, 0x1404), (0x0d44_1019, 0x1414), (0x0d44_101b, 0x1414)] as [(UInt32, UInt32)])
    func showsAGuestWhatQEMUShows(idr0: UInt32, idr3: UInt32) {
        // What QEMU offers for stage 1; a nested vSMMU never has stage 2, VMIDs and XNX.
        let shown = idr0 & ~(1 | 1 << 18) | 1 << 1
        let wanted = IDRegisters(idr0: shown, idr1: 0x0273_0010, idr3: idr3 & ~(1 << 4), idr5: 0x74, aidr: 1)
        let profile = NestedVSMMU.profile(host: SMMUSettings().registers, wanted: wanted, stalls: false)
        #expect(profile.narrowed.isEmpty, "\(profile.narrowed)")
        #expect(profile.ids == wanted)
    }
}
