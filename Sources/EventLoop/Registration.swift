package import LinuxSystem

/// A watched descriptor. Dropping it ends the watch: in the field order of whoever owns both, it must go before the
/// descriptor does.
package struct Registration: ~Copyable {
    private let table: RegistrationTable
    private let token: UInt64

    init(_ table: RegistrationTable, _ token: UInt64) {
        self.table = table
        self.token = token
    }

    /// Waits for something else from now on.
    package borrowing func wait(for readiness: Readiness) throws(Errno) { try table.modify(token, readiness) }

    deinit { table.remove(token) }
}

/// The descriptors of a loop, by slot and generation: a token whose slot has been given to another is nobody's.
final class RegistrationTable {
    private struct Slot {
        var generation: UInt32 = 0
        var descriptor: Int32 = -1
        var handler: (any EventHandler)?
    }

    /// The tokens of the loop's own descriptors.
    static let wakeup: UInt64 = 0
    static let alarm: UInt64 = 1 << 32

    private let epoll: Epoll
    private var slots: [Slot] = [Slot()]
    private var free: [UInt32] = []
    private(set) var count = 0

    init() throws(Errno) { epoll = try Epoll() }

    /// Watches a descriptor of the loop's own.
    func addOwn(_ descriptor: Int32, _ token: UInt64) throws(Errno) {
        try epoll.add(descriptor, .readable, data: token)
    }

    func add(
        _ descriptor: Int32, _ readiness: Readiness, _ handler: any EventHandler
    ) throws(Errno) -> Registration {
        let index: UInt32
        if let last = free.last {
            index = last
        } else {
            index = UInt32(slots.count)
            slots.append(Slot())
            free.append(index)
        }
        let token = UInt64(index) | UInt64(slots[Int(index)].generation) << 32
        try epoll.add(descriptor, readiness, data: token)
        free.removeLast()
        slots[Int(index)].descriptor = descriptor
        slots[Int(index)].handler = handler
        count += 1
        return Registration(self, token)
    }

    func modify(_ token: UInt64, _ readiness: Readiness) throws(Errno) {
        guard let index = index(of: token) else { return }
        try epoll.modify(slots[index].descriptor, readiness, data: token)
    }

    func remove(_ token: UInt64) {
        guard let index = index(of: token) else { return }
        // Fails only for a descriptor that was closed before its registration was dropped.
        do { try epoll.remove(slots[index].descriptor) } catch {
            preconditionFailure("descriptor \(slots[index].descriptor) was closed while it was watched: \(error)")
        }
        slots[index].handler = nil
        slots[index].descriptor = -1
        slots[index].generation &+= 1
        free.append(UInt32(index))
        count -= 1
    }

    func handler(of token: UInt64) -> (any EventHandler)? { index(of: token).flatMap { slots[$0].handler } }

    func wait(_ batch: inout Epoll.Batch, milliseconds: Int32?) throws(Errno) -> Int {
        try epoll.wait(&batch, milliseconds: milliseconds)
    }

    private func index(of token: UInt64) -> Int? {
        let index = Int(token & 0xffff_ffff)
        guard index > 0, index < slots.count, slots[index].generation == UInt32(token >> 32),
            slots[index].handler != nil
        else { return nil }
        return index
    }
}
