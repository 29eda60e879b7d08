import BrokerCore
import SMMUv3
import Synchronization
import Testing
import Wire

private let one = SessionID(1)
private let two = SessionID(2)

/// Somebody who holds a descriptor, until he does not.
private final class Holder: DeviceHold {
    private let holds = Atomic(true)
    var isHeld: Bool { holds.load(ordering: .relaxed) }
    func letGo() { holds.store(false, ordering: .relaxed) }
}

@Suite("Devices that no session has, and nobody gets")
struct HeldBackTests {
    private func inventory() -> HostInventory {
        HostInventory(devices: Harness.devices, templates: Harness.templates)
    }

    private func reason<Value>(_ work: () throws(Refusal) -> Value) -> Reason? {
        do throws(Refusal) {
            _ = try work()
            return nil
        } catch { return error.reason }
    }

    @Test("P24: an orphan is shown and refused to everybody, until its last holder has gone") func orphan() throws {
        var inventory = inventory()
        let disk = name("disk")
        _ = try inventory.claim(disk, for: one, under: Harness.grant)
        let holder = Holder()
        inventory.release(disk, by: one, vm: name("vm"), hold: holder, withheld: false)
        let orphan = try #require(inventory.heldBack.first)
        #expect(orphan.device == disk && orphan.session == one && orphan.vm == name("vm") && orphan.reason == .orphaned)
        for session in [one, two] {
            let claimed = reason { () throws(Refusal) in try inventory.claim(disk, for: session, under: Harness.grant) }
            let asked = reason { () throws(Refusal) in try inventory.smmu(of: disk, for: session, under: Harness.grant)
            }
            #expect(claimed == .deviceBusy && asked == .deviceBusy)
        }
        let told = inventory.takeUntold()
        #expect(told.count == 1 && inventory.takeUntold().isEmpty)
        for (number, hold) in inventory.holds() {
            #expect(hold.isHeld)
            holder.letGo()
            #expect(!hold.isHeld)
            inventory.endHold(number)
        }
        #expect(inventory.heldBack.isEmpty)
        _ = try inventory.claim(disk, for: two, under: Harness.grant)
    }

    @Test("whose device it is not gives nothing back") func strangers() throws {
        var inventory = inventory()
        let disk = name("disk")
        _ = try inventory.claim(disk, for: one, under: Harness.grant)
        inventory.release(disk, by: two, vm: nil, hold: Holder(), withheld: true)
        #expect(inventory.heldBack.isEmpty && inventory.owner(of: disk) == one)
    }

    @Test("a device that is withheld is had again when an operator says so, or the host has bound it anew")
    func withheld() throws {
        var inventory = inventory()
        let address = name("0000:01:00.0")
        var device = HostDevice(name: address, smmu: Harness.smmu, streamID: StreamID(0x100), binding: 7)
        _ = try inventory.claim(address, for: one, under: Harness.grant, hardware: device)
        let holder = Holder()
        inventory.release(address, by: one, vm: nil, hold: holder, withheld: true)
        #expect(inventory.heldBack.map(\.reason) == [.orphaned])
        for (number, _) in inventory.holds() { inventory.endHold(number) }
        #expect(inventory.heldBack.map(\.reason) == [.withheld])
        let refused = reason { () throws(Refusal) in
            try inventory.claim(address, for: two, under: Harness.grant, hardware: device)
        }
        #expect(refused == .deviceBusy)
        let (stranger, known, again) = (
            inventory.readmit(name("net")), inventory.readmit(address), inventory.readmit(address)
        )
        #expect(!stranger && known && !again && inventory.heldBack.isEmpty)
        _ = try inventory.claim(address, for: two, under: Harness.grant, hardware: device)
        inventory.release(address, by: two, vm: nil, hold: nil, withheld: true)
        device.binding = 8
        _ = try inventory.claim(address, for: one, under: Harness.grant, hardware: device)
        #expect(inventory.heldBack.isEmpty)
    }

    @Test("DEVICE_RESET: an orphan that is held cannot be, one that was found free has been, others are none")
    func reset() throws {
        let harness = try Harness.ready()
        for (orphanage, reason) in [(Orphanage.none, Reason.notOrphaned), (.lasting, .deviceBusy), (.over, .none)] {
            harness.directory.orphanage = orphanage
            #expect(try harness.send(DeviceResetRequest(device: name("disk"))).reason == reason)
        }
    }
}
