import Backends
import BrokerCore
import FakeKernel
import IOMMUFD
import LinuxSystem
import SMMUv3
import Testing
import Wire

/// A VMM, or whoever it gave its copy of the device's descriptor to, that does with it what it likes.
@Suite struct IOMMUFDOrphanTests {
    private static let name = Name.test(IOMMUFDHost.address(0))

    /// Attaches the device to everything that there is. The last that works stays.
    private func attack(_ talk: IOMMUFDConversation, _ raw: Int32) {
        for id: UInt32 in 1...32 { do throws(Errno) { try talk.host.kernel.attach(raw: raw, to: id) } catch {} }
    }

    private func end(_ talk: IOMMUFDConversation) {
        #expect(talk.session.end(at: Instant(nanoseconds: 0)) == nil)
        for resource in talk.session.takeDiscarded() { talk.host.descriptors.remove(resource.rawValue) }
        talk.host.end()
    }

    @Test(
        "a holder that attaches to all there is, before and after its session's end, reaches no memory; then it is over"
    )
    func hostileHolder() throws {
        let talk = try IOMMUFDConversation()
        try talk.begin()
        let raw = try #require(talk.copy)
        attack(talk, raw)
        #expect(talk.session.end(at: Instant(nanoseconds: 0)) == nil)
        // The backend is still there; whatever the device is attached to now, there is nothing behind it.
        #expect(talk.host.kernel.areas.isEmpty)
        attack(talk, raw)
        for resource in talk.session.takeDiscarded() { talk.host.descriptors.remove(resource.rawValue) }
        talk.host.end()
        attack(talk, raw)
        #expect(talk.host.kernel.areas.isEmpty && talk.host.fake(0).isBound)
        // What the kernel could not destroy for him goes with his copy: here it is the device alone.
        #expect(talk.host.kernel.liveObjects.contains("device"))
        #expect(talk.directory.inventory.heldBack.map(\.device) == [Self.name])
        let hold = try #require(talk.directory.inventory.holds().first)
        #expect(hold.hold.isHeld)
        talk.closeCopies()
        #expect(!hold.hold.isHeld && !talk.host.fake(0).isBound)
        talk.directory.inventory.endHold(hold.number)
        #expect(talk.directory.inventory.heldBack.isEmpty)
    }

    @Test("a holder that attaches between ABORT and the end does not keep objects of others from going")
    func attachedMeanwhile() throws {
        let talk = try IOMMUFDConversation()
        try talk.begin()
        let raw = try #require(talk.copy)
        // He leaves it on a stage 2 of the session's memory; the session believes in its stage 1.
        let parent = try #require((1...32).first { (try? talk.host.kernel.attach(raw: raw, to: $0)) != nil })
        #expect(parent > 0 && talk.host.fake(0).installed == .stage2Only)
        end(talk)
        #expect(talk.host.fake(0).installed == .blocked && talk.host.kernel.liveObjects == ["IOAS", "device"])
        talk.closeCopies()
        // That one goes with the backend, which the session still has.
        #expect(talk.host.kernel.liveObjects == ["IOAS"])
    }

    @Test(
        "a device that its VMM still holds after DEVICE_DETACH is free when that is closed, though its number is reused"
    )
    func detached() throws {
        let talk = try IOMMUFDConversation()
        try talk.begin()
        try talk.ask(DeviceRequest(vsmmu: VSMMUID(1), vsid: StreamID(7)), as: .deviceDetach)
        let hold = try #require(talk.directory.inventory.holds(of: Self.name).first).hold
        #expect(hold.isHeld)
        talk.closeCopies()
        // Another device takes the number before anybody has asked.
        let other = try talk.ask(
            DeviceAttachRequest(
                vsmmu: VSMMUID(1), vsid: StreamID(8), device: .test(IOMMUFDHost.address(1))))
        #expect(other.header.status == .done && !hold.isHeld)
    }

    @Test("an operator's hand-back: ABORT, detached, DEVICE_GONE, and nobody gets the device until it is let again")
    func handBack() throws {
        let talk = try IOMMUFDConversation()
        try talk.begin()
        let stranger = talk.session.handBack(.test(IOMMUFDHost.address(1)), at: Instant(nanoseconds: 0))
        #expect(!stranger)
        let done = talk.session.handBack(Self.name, at: Instant(nanoseconds: 0))
        #expect(done && talk.host.fake(0).installed == .blocked && talk.session.state.contexts.isEmpty)
        #expect(talk.observer.notices.contains(.handedBack(device: Self.name)))
        let refused = try talk.ask(
            DeviceAttachRequest(vsmmu: VSMMUID(1), vsid: StreamID(7), device: Self.name))
        #expect(refused.header.reason == .deviceBusy)
        // The kernel lets the host's driver go with the VMM's copy.
        #expect(talk.host.fake(0).isBound)
        talk.closeCopies()
        #expect(!talk.host.fake(0).isBound)
        for hold in talk.directory.inventory.holds() { talk.directory.inventory.endHold(hold.number) }
        #expect(talk.directory.inventory.heldBack.map(\.reason) == [.withheld])
        let again = talk.directory.inventory.readmit(Self.name)
        #expect(again)
        let attached = try talk.ask(
            DeviceAttachRequest(vsmmu: VSMMUID(1), vsid: StreamID(7), device: Self.name))
        #expect(attached.header.status == .done)
    }

    @Test("how a device is bound now is told with it, so that one that was given back can be had when it is bound anew")
    func boundAnew() throws {
        for binding: UInt64 in [4711, 4712] {
            let found = try #require(IOMMUFDDevices(BoundAs(binding)).find(Self.name))
            #expect(found.binding == binding)
        }
    }

    private final class BoundAs: DeviceLocator {
        let binding: UInt64
        init(_ binding: UInt64) { self.binding = binding }
        func locate(_ address: PCIAddress) throws(LocationError) -> LocatedDevice {
            LocatedDevice(
                address: address, path: DevicePath("/dev/vfio/devices/vfio0"), smmu: "smmu3", group: [],
                canStall: false, binding: binding)
        }
    }

    @Test("a hand-back that has to wait is not forgotten when the VMM goes first", arguments: [false, true])
    func handBackOfLeaver(ends: Bool) throws {
        let talk = try IOMMUFDConversation()
        try talk.begin()
        talk.host.fake(0).isResetting = true
        _ = talk.session.handBack(Self.name, at: Instant(nanoseconds: 0))
        talk.host.fake(0).isResetting = false
        if ends {
            end(talk)
        } else {
            try talk.ask(DeviceRequest(vsmmu: VSMMUID(1), vsid: StreamID(7)), as: .deviceDetach)
        }
        talk.closeCopies()
        for hold in talk.directory.inventory.holds() { talk.directory.inventory.endHold(hold.number) }
        #expect(talk.directory.inventory.heldBack.map(\.reason) == [.withheld])
        if !ends { #expect(talk.session.deadline == nil) }
    }

    @Test("a hand-back that the host refuses for good is not tried for ever, and still counts when the VMM goes")
    func handBackRefused() throws {
        let talk = try IOMMUFDConversation()
        try talk.begin()
        talk.host.kernel.fail(.detach, .inputOutput, times: .max)
        let told = talk.session.handBack(Self.name, at: Instant(nanoseconds: 0))
        #expect(told && talk.session.state.contexts.count == 1 && talk.host.fake(0).installed.aborts)
        #expect(talk.session.deadline == nil)
        #expect(talk.observer.notices.contains { if case .notHandedBack = $0 { true } else { false } }, "it is told")
        talk.host.kernel.failNothing()
        try talk.ask(DeviceRequest(vsmmu: VSMMUID(1), vsid: StreamID(7)), as: .deviceDetach)
        #expect(talk.directory.inventory.heldBack.count == 1)
        let refused = try talk.ask(
            DeviceAttachRequest(vsmmu: VSMMUID(1), vsid: StreamID(7), device: Self.name))
        #expect(refused.header.reason == .deviceBusy)
        talk.closeCopies()
        for hold in talk.directory.inventory.holds() { talk.directory.inventory.endHold(hold.number) }
        #expect(talk.directory.inventory.heldBack.map(\.reason) == [.withheld])
    }

    @Test("of a device that nobody holds after its detach nothing is kept") func nobodyHolds() throws {
        let talk = try IOMMUFDConversation()
        try talk.begin()
        talk.closeCopies()
        try talk.ask(DeviceRequest(vsmmu: VSMMUID(1), vsid: StreamID(7)), as: .deviceDetach)
        #expect(talk.host.backend.takeHold(of: Self.name) == nil)
        #expect(talk.directory.inventory.heldBack.isEmpty)
        try talk.ask(DeviceAttachRequest(vsmmu: VSMMUID(1), vsid: StreamID(7), device: Self.name))
        try talk.ask(DeviceRequest(vsmmu: VSMMUID(1), vsid: StreamID(7)), as: .deviceDetach)
        let held = talk.host.backend.takeHold(of: Self.name)
        #expect(held != nil, "the VMM has it")
        talk.closeCopies()
        #expect(talk.host.backend.takeHold(of: Self.name) == nil)
    }

    @Test("a hand-back of a device in reset is tried again") func handBackLater() throws {
        let talk = try IOMMUFDConversation()
        try talk.begin()
        talk.host.fake(0).isResetting = true
        let told = talk.session.handBack(Self.name, at: Instant(nanoseconds: 0))
        let retry = try #require(talk.session.deadline)
        #expect(told && talk.session.state.contexts.count == 1)
        _ = talk.session.timeout(at: retry)
        #expect(talk.session.state.contexts.count == 1)
        talk.host.fake(0).isResetting = false
        _ = talk.session.timeout(at: try #require(talk.session.deadline))
        #expect(talk.session.state.contexts.isEmpty && talk.host.fake(0).installed == .blocked)
        #expect(talk.session.deadline == nil)
    }
}
