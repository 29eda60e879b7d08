import Backends
import BrokerCore
import FakeKernel
import IOMMUFD
import LinuxSystem
import SMMUv3
import Wire

/// The iommufd backend on a fake kernel, with the model as its hardware.
final class IOMMUFDHost: BackendHost {
    let descriptors = DescriptorTable()
    let machine: FakeMachine
    let kernel: FakeKernel
    let hardware = ModelHardware()
    /// nil: its session has ended.
    private(set) var iommufd: IOMMUFDBackend?
    let smmu: PhysicalSMMU
    let advertised: IDRegisters
    let forwardsStage2Faults = false

    var backend: any TranslationBackend {
        guard let iommufd else { preconditionFailure("the session has ended") }
        return iommufd
    }

    init(ids: IDRegisters = .nested(), repeats: Bool = false, canStall: Bool = false) throws {
        let fake = FakeSMMU("smmu3.0x9050000", ids)
        fake.repeatsTLBIAndCFGI = repeats
        machine = FakeMachine(
            (0..<4).map {
                FakeDevice(Self.address($0), on: fake, StreamID(0x100 + $0), hasATS: true, pasidBits: 8)
            })
        for device in machine.devices { device.canStall = canStall }
        let kernel = FakeKernel(machine)
        self.kernel = kernel
        kernel.hardware = hardware
        smmu = PhysicalSMMU(
            name: .test(fake.name), registers: ids, errata: repeats ? .repeatTLBIAndCFGI : [],
            stalls: ids.stallModel != .terminateOnly)
        advertised = ids
        iommufd = IOMMUFDBackend(
            descriptors: descriptors, locator: machine.locator, now: { [machine] in machine.now }, opener: { kernel })
        // As a session does before it makes a vSMMU: from then on the backend knows a device behind the SMMU.
        _ = try backend.probe(.test(Self.address(0)))
        backend.endProbe()
    }

    static func address(_ number: UInt32) -> String { "0000:01:00.\(number)" }

    func device(_ number: UInt32, ats: Bool) -> HostDevice {
        HostDevice(
            name: .test(Self.address(number)), smmu: smmu, streamID: StreamID(0x100 + number), hasATS: ats, pasidBits: 8
        )
    }

    func fake(_ number: UInt32) -> FakeDevice { machine.devices[Int(number)] }

    /// What a device does, that has the vSID where events of the vSMMU come from.
    func access(_ access: DeviceAccess, data: inout MutableRawSpan) -> AccessReply {
        let index = Int(access.vsmmu.rawValue) - 1
        let viommus = kernel.viommus
        guard index < viommus.count,
            let device = machine.devices.first(where: {
                guard $0.latched == access.vsid, case .nested(viommus[index], _, _) = $0.installed else { return false }
                return true
            })
        else { return .unreached }
        return hardware.access(device, access, data: &data, kernel)
    }

    func end() { iommufd = nil }
}
