import BrokerCore
import LinuxSystem
import SMMUv3

/// The interrupt of a software SMMU's event queue: an eventfd that is readable while there is something to read; and the
/// places where the queue has lost records.
struct ModelEventSource: ~Copyable {
    /// The eventfd in the descriptor table, for whoever waits for it.
    let resource: ResourceID
    private let eventFD: EventFD
    private(set) var isSignalled = false
    /// Records lost, and where PROD stood then: they belong between the record before it and the one that is stored there.
    private var losses: [(prod: UInt32, count: UInt64)] = []
    /// ``SoftwareSMMU/lostEvents`` when last looked at.
    private var counted: UInt64 = 0
    /// Up to where the records have the guest's numbers in them.
    var renumbered: UInt32 = 0

    init(in descriptors: DescriptorTable) throws(Errno) {
        let eventFD = try EventFD()
        let copy = try eventFD.fd.duplicate()
        self.eventFD = eventFD
        resource = ResourceID(rawValue: descriptors.insert(copy))
    }

    /// Notes what has been lost until now. The queue has been full since the first of them: PROD has not moved.
    mutating func noteLosses(_ total: UInt64, at prod: UInt32) {
        if total == counted { return }
        let count = total &- counted
        counted = total
        if let last = losses.last, last.prod == prod {
            losses[losses.count - 1].count += count
        } else {
            losses.append((prod, count))
        }
    }

    /// Whether something was lost right before the record at `cons`.
    func hasLoss(at cons: UInt32) -> Bool { losses.first?.prod == cons }

    /// How much that was; it is told once.
    mutating func takeLoss(at cons: UInt32) -> UInt64 { hasLoss(at: cons) ? losses.removeFirst().count : 0 }

    var hasLosses: Bool { !losses.isEmpty }

    /// Makes the eventfd readable or unreadable. Neither can fail but for a reason that would be found here again by the
    /// next call: a full counter is readable, an empty one is not.
    mutating func signal(_ pending: Bool) {
        if pending == isSignalled { return }
        do throws(Errno) {
            if pending { try eventFD.signal() } else { try eventFD.take() }
            isSignalled = pending
        } catch {
            return
        }
    }
}
