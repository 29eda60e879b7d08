package import IOMMUFD
package import LinuxSystem
import SMMUv3

/// A fault queue, and what waits in it or for an answer.
final class FakeFaultQueue {
    let descriptor: FakeDescriptor
    /// Not read yet.
    var groups: [FakeStall] = []
    /// Read, by cookie.
    var waiting: [UInt32: FakeStall] = [:]

    init(_ descriptor: FakeDescriptor) { self.descriptor = descriptor }

    /// The lowest number that is free: numbers are used again at once (xa_alloc).
    func takeCookie() -> UInt32 {
        var cookie: UInt32 = 1
        while waiting[cookie] != nil { cookie += 1 }
        return cookie
    }
}

/// A transaction that stalls.
package final class FakeStall {
    package enum State: Hashable, Sendable {
        case waiting, retried, aborted
        /// Nobody ever answers it: the kernel does not know that the device can stall.
        case hung
    }

    package internal(set) var state = State.waiting
    let device: FakeDevice
    let address: UInt64
    let write: Bool
    let pasid: UInt32?

    init(_ device: FakeDevice, _ address: UInt64, write: Bool, pasid: UInt32?) {
        (self.device, self.address, self.write, self.pasid) = (device, address, write, pasid)
    }
}

extension FakeKernel {
    package func allocateFaultQueue() throws(Errno) -> QueueHandle {
        try enter(.faultQueue)
        let pipe = try FakeDescriptor.make()
        return QueueHandle(id: insert(.faults(FakeFaultQueue(pipe.kernel))), descriptor: pipe.owner)
    }

    private func faults(raw: Int32) throws(Errno) -> FakeFaultQueue {
        for object in objects.values {
            if case .faults(let queue) = object.kind, queue.descriptor.isSame(as: raw) { return queue }
        }
        throw .badDescriptor
    }

    package func readFaults(raw descriptor: Int32, into bytes: inout [UInt8]) throws(Errno) -> Int {
        try enter(.readFaults)
        let queue = try faults(raw: descriptor)
        if bytes.count % 40 != 0 { throw .notSeekable }
        var count = 0
        while !queue.groups.isEmpty, bytes.count - count >= 40 {
            let stall = queue.groups.removeFirst()
            let cookie = queue.takeCookie()
            queue.waiting[cookie] = stall
            let device = number(of: stall.device)
            let flags: UInt64 = stall.pasid == nil ? 2 : 3
            Self.put(
                [
                    flags | UInt64(device) << 32, UInt64(stall.pasid ?? 0) | 77 << 32, stall.write ? 2 : 1,
                    stall.address, UInt64(cookie) << 32,
                ], at: count, into: &bytes)
            count += 40
        }
        if queue.groups.isEmpty { FakeDescriptor.quieten(descriptor) }
        return count
    }

    private func number(of device: FakeDevice) -> UInt32 {
        for (id, object) in objects { if case .device(let other) = object.kind, other === device { return id } }
        return 0
    }

    package func answerFault(raw descriptor: Int32, cookie: UInt32, retry: Bool) throws(Errno) {
        try enter(.answerFault)
        let queue = try faults(raw: descriptor)
        guard let stall = queue.waiting.removeValue(forKey: cookie) else { throw .invalid }
        stall.state = retry ? .retried : .aborted
    }

    // MARK: What hardware does

    /// A device's access faults in stage 1 while its CD says to stall.
    package func stall(_ device: FakeDevice, at address: UInt64, write: Bool = false, pasid: UInt32? = nil) -> FakeStall
    {
        let stall = FakeStall(device, address, write: write, pasid: pasid)
        guard case .nested(_, _, let word1) = device.installed, device.installed.translates else {
            stall.state = .aborted
            return stall
        }
        // S1STALLD: such a CD is ILLEGAL.
        if device.smmu.registers.stallModel == .stallAndTerminate, word1 >> 27 & 1 == 1 {
            stall.state = .aborted
            return stall
        }
        guard device.canStall else {
            stall.state = .hung
            return stall
        }
        guard let queue = faultQueue(of: device) else {
            stall.state = .aborted
            return stall
        }
        let wasEmpty = queue.groups.isEmpty
        queue.groups.append(stall)
        if wasEmpty { queue.descriptor.signal() }
        return stall
    }

    private func faultQueue(of device: FakeDevice) -> FakeFaultQueue? {
        guard let id = device.attached, let object = objects[id], case .nested = object.kind else { return nil }
        for used in object.uses { if case .faults(let queue)? = objects[used]?.kind { return queue } }
        return nil
    }

    /// Before a device is attached to something else, or to nothing: what waits is aborted, read or not.
    func abortStalls(of device: FakeDevice) {
        guard let queue = faultQueue(of: device) else { return }
        for stall in queue.groups + queue.waiting.values where stall.device === device { stall.state = .aborted }
        queue.groups.removeAll { $0.device === device }
        queue.waiting = queue.waiting.filter { $0.value.device !== device }
    }
}

extension FakeKernel {
    package func witness(of device: UInt32) throws(Errno) -> any DeviceWitness { FakeWitness(self, device) }
}

/// For the thread that has the kernel.
private final class FakeWitness: DeviceWitness, @unchecked Sendable {
    private let kernel: FakeKernel
    private let device: UInt32
    init(_ kernel: FakeKernel, _ device: UInt32) { (self.kernel, self.device) = (kernel, device) }

    var isHeld: Bool {
        do throws(Errno) {
            _ = try kernel.hardwareInfo(of: device)
            return true
        } catch { return error != .notFound }
    }
}
