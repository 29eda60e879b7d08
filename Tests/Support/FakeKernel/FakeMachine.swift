package import IOMMUFD
import LinuxSystem
package import SMMUv3

/// The hardware that all open iommufds share.
package final class FakeMachine {
    package let devices: [FakeDevice]
    /// Nanoseconds; passes only when a call is told to take some.
    package var now: UInt64 = 1
    /// The kernel can hand over stalled transactions.
    package var hasSVA = true
    /// BARs that are lent as dma-bufs, by the inodes of what stands for them.
    var lent: [UInt64: FakeDevice] = [:]

    /// Has a file stand for a dma-buf of a device's BAR.
    package func lend(_ raw: Int32, of device: FakeDevice) { lent[FakeDescriptor.inode(of: raw) ?? 0] = device }

    package init(_ devices: [FakeDevice]) { self.devices = devices }

    package var locator: FakeLocator {
        FakeLocator(
            devices.compactMap { device in
                PCIAddress(device.name).map {
                    LocatedDevice(
                        address: $0, path: device.path, smmu: device.smmu.name, group: [device.name],
                        canStall: device.canStall)
                }
            })
    }
}

/// Finds the devices of a machine.
package final class FakeLocator: DeviceLocator {
    private let devices: [LocatedDevice]
    init(_ devices: [LocatedDevice]) { self.devices = devices }

    package func locate(_ address: PCIAddress) throws(LocationError) -> LocatedDevice {
        guard let device = devices.first(where: { $0.address == address }) else { throw .unknown(address) }
        return device
    }
}

package final class FakeSMMU {
    package let name: String
    package let registers: IDRegisters
    /// It has both stages, and no erratum against nesting.
    package var nests = true
    /// CANWBS or S2FWB.
    package var coherent = true
    package var repeatsTLBIAndCFGI = false
    package var freeVMIDs = 255
    /// Commands that have taken effect, with StreamIDs and VMIDs of the hardware.
    package internal(set) var executed: [Command] = []

    package init(_ name: String, _ registers: IDRegisters) { (self.name, self.registers) = (name, registers) }
}

package final class FakeDevice {
    /// `0000:01:00.0`.
    package let name: String
    package let smmu: FakeSMMU
    package let streamID: StreamID
    package let hasATS: Bool
    package let pasidBits: Int
    /// Its memory space is enabled: else its BARs cannot be mapped.
    package var isMemoryEnabled = true
    /// It is being reset: attaching is refused.
    package var isResetting = false
    /// The kernel knows that it may stall.
    package var canStall = false
    /// It leaves every ATC_INV unanswered.
    package var isUnresponsive = false

    /// What its STE was, from the beginning; nothing is added when the hardware is not told.
    package private(set) var history: [Installed] = []
    /// The vSID that its events get, taken when it was attached.
    package internal(set) var latched: StreamID?
    /// The HWPT that is attached.
    package internal(set) var attached: UInt32?
    weak var owner: FakeKernel?
    var descriptor: FakeDescriptor?

    package init(_ name: String, on smmu: FakeSMMU, _ streamID: StreamID, hasATS: Bool = false, pasidBits: Int = 0) {
        (self.name, self.smmu, self.streamID, self.hasATS) = (name, smmu, streamID, hasATS)
        self.pasidBits = pasidBits
    }

    package var path: DevicePath { DevicePath("/dev/vfio/devices/\(name)") }
    package var installed: Installed { history.last ?? .blocked }
    package var isBound: Bool { owner != nil && !(descriptor?.isClosed ?? true) }

    /// False: the STE is the same, and hardware is not told.
    func install(_ new: Installed) -> Bool {
        if new == installed && !history.isEmpty { return false }
        history.append(new)
        return true
    }

    func unbind() { (owner, descriptor, attached, latched) = (nil, nil, nil, nil) }

    /// What an SMMU has for a device.
    package enum Installed: Hashable, Sendable {
        /// Config 0b000 of the host.
        case blocked
        /// A paging HWPT by itself.
        case stage2Only
        case nested(viommu: UInt32, word0: UInt64, word1: UInt64)

        package var aborts: Bool {
            switch self {
            case .blocked: true
            case .stage2Only: false
            case .nested(_, let word0, _): word0 & 1 == 0 || word0 >> 1 & 7 == 0
            }
        }
        package var translates: Bool {
            if case .nested(_, let word0, _) = self { word0 & 1 == 1 && word0 >> 1 & 7 == 5 } else { false }
        }
        /// Words 0 and 1.
        package var words: [UInt64] {
            if case .nested(_, let word0, let word1) = self { [word0, word1] } else { [] }
        }
    }
}

/// What does the work of the hardware below a ``FakeKernel``.
package protocol FakeHardware: AnyObject {
    func mapped(_ map: FileMapping)
    func unmapped(iova: UInt64, length: UInt64)
    func made(viommu: UInt32, on smmu: FakeSMMU)
    func removed(viommu: UInt32)
    /// `told`: the STE differs from what it was. Else only the vSID may be another.
    func attached(_ device: FakeDevice, told: Bool)
    /// Commands of a guest, with vSIDs.
    func execute(_ commands: [Command], in viommu: UInt32)
}
