package import IOMMUFD
import LinuxSystem

/// One way of the kernel that the iommufd backend relies on, as a check at the seam of the ioctls.
///
/// The same checks run against ``FakeKernel`` in unit tests and against Linux in the lab: so what is proved with the fake
/// holds of the kernel, as far as they reach. What only DMA shows is the lab's VMM to check.
package struct KernelBehaviour: Sendable, CustomStringConvertible {
    package let name: String
    private let check: @Sendable (KernelSubject) throws -> Void

    init(_ name: String, _ check: @escaping @Sendable (KernelSubject) throws -> Void) {
        (self.name, self.check) = (name, check)
    }

    package var description: String { name }

    /// What is otherwise; empty when the kernel behaves so. Leaves nothing behind on the machine.
    package func differences(on machine: KernelMachine) -> [String] {
        let subject = KernelSubject(machine)
        do { try check(subject) } catch { subject.differences.append("it stopped: \(error)") }
        return subject.differences
    }

    package static let all = objects + translations + memory + invalidations + events + devices
}

/// A machine with a kernel, real or not.
package final class KernelMachine {
    /// At least two, behind one SMMU, which nobody else uses.
    package let devices: [DevicePath]
    /// Opens an iommufd of its own. Errors: ``Errno``.
    let open: () throws -> any IOMMUKernel

    package init(devices: [DevicePath], open: @escaping () throws -> any IOMMUKernel) {
        (self.devices, self.open) = (devices, open)
    }
}

/// The machine during one check, and what was found to be otherwise.
final class KernelSubject {
    let machine: KernelMachine
    var differences: [String] = []

    init(_ machine: KernelMachine) { self.machine = machine }

    /// Notes a call that does not end with `errno`; nil: that fails.
    func expect(_ errno: Errno?, _ what: String, _ call: () throws -> Void) {
        var found: Errno?
        do { try call() } catch { found = error as? Errno ?? .protocolError }
        if found == errno { return }
        differences.append("\(what): \(Self.name(found)), and not \(Self.name(errno))")
    }

    func expect(_ holds: Bool, _ what: String) {
        if !holds { differences.append("not so: \(what)") }
    }

    private static func name(_ errno: Errno?) -> String { errno?.name ?? "done" }

    /// A device bound to an iommufd of its own, with the objects of a nested translation.
    func setUp() throws -> KernelSetup { try KernelSetup(machine) }
}

/// The objects of a nested translation, by the kernel's numbers.
final class KernelSetup {
    let kernel: any IOMMUKernel
    let device: UInt32
    let descriptor: HeldDescriptor
    let ioas: UInt32
    let parent: UInt32
    let viommu: UInt32

    init(_ machine: KernelMachine) throws {
        kernel = try machine.open()
        let handle = try kernel.bind(machine.devices[0])
        device = handle.id
        descriptor = HeldDescriptor(try handle.descriptor.duplicate())
        ioas = try kernel.allocateIOAS()
        parent = try kernel.allocateNestParent(for: device, over: ioas)
        viommu = try kernel.allocateVIOMMU(for: device, over: parent)
    }

    func nested(_ word0: UInt64, _ word1: UInt64 = 0) throws -> UInt32 {
        try kernel.allocateNested(for: device, in: viommu, word0: word0, word1: word1, faultQueue: nil)
    }

    func attach(_ hwpt: UInt32) throws { try kernel.attach(raw: descriptor.raw, to: hwpt) }
    func detach() throws { try kernel.detach(raw: descriptor.raw) }
}

/// A descriptor that can be closed before whoever has it goes.
final class HeldDescriptor {
    private var fd: OwnedFD?
    init(_ fd: consuming OwnedFD) { self.fd = Optional(fd) }
    var raw: Int32 { fd?.raw ?? -1 }
    func duplicate() throws -> HeldDescriptor {
        guard let copy = try fd?.duplicate() else { throw Errno.badDescriptor }
        return HeldDescriptor(copy)
    }
    func close() { fd = nil }
}

/// Word 0 of STEs.
enum STEWord {
    static let abort: UInt64 = 1
    static let bypass: UInt64 = 1 | 4 << 1
    /// Its CD is nowhere: no DMA is done here.
    static let translate: UInt64 = 1 | 5 << 1 | 0x4000_0000
}
