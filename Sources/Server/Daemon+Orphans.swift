import BrokerCore
import EventLoop
import LinuxSystem
import Systemd
import Wire

// Devices whose session is gone while somebody still has their descriptor.

extension Daemon {
    /// Between two looks, in milliseconds.
    private static let orphanInterval: UInt64 = 1000

    /// Looks after orphans as long as there are any. Another thread has found one: its VMM may just be on its way out.
    func watchOrphans() {
        if watchesOrphans { return }
        watchesOrphans = true
        _ = loop.schedule(at: loop.now.advanced(byMilliseconds: Self.orphanInterval)) { [weak self] _ in
            self?.lookAfterOrphans()
        }
    }

    private func lookAfterOrphans() {
        watchesOrphans = false
        let before = inventory.heldBack.filter { $0.reason == .orphaned && $0.isTold }.map(\.device)
        _ = inventory.sweep()
        let left = inventory.heldBack
        for device in before {
            let reason = left.first { $0.device == device }?.reason
            if reason == .orphaned { continue }
            let whose = reason == .withheld ? "the host's" : "free again"
            journal.push(.text(.notice, "Device \(device) is \(whose): its last descriptor has been closed."))
        }
        for orphan in inventory.takeUntold() { tell(of: orphan) }
        if inventory.hasHolds { watchOrphans() }
    }

    private func tell(of orphan: HeldBack) {
        journal.push(
            .text(
                .warning,
                "Device \(orphan.device) is orphaned: session \(orphan.session) (VM \(orphan.vm?.description ?? "?")) has let it "
                    + "go, and somebody still has its descriptor. Its DMA is blocked, and nobody gets it until the last "
                    + "copy is closed: \"fuser -v /dev/vfio/devices/*\" says who has one."))
    }
}
