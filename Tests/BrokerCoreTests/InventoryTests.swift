import BrokerCore
import SMMUv3
import Testing
import Wire

private let one = SessionID(1)
private let two = SessionID(2)

@Suite("Grants and the host's devices")
struct InventoryTests {
    @Test(
        "Patterns",
        arguments: [
            ("*", "", true), ("*", "anything", true), ("", "", true), ("", "a", false), ("a?c", "abc", true),
            ("a?c", "ac", false), ("0000:01:*", "0000:01:00.0", true), ("0000:01:*", "0000:02:00.0", false),
            ("*.0", "0000:01:00.0", true), ("a*b*c", "axxbyybzc", true), ("a*b*c", "axxcyy", false), ("**", "x", true),
            ("disk", "disk:0", false), ("a*", "a", true), ("?", "", false),
            ("*a*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaa", false),
        ])
    func patterns(pattern: String, text: String, matches: Bool) {
        #expect(Pattern(pattern).matches(text) == matches)
    }

    @Test("A peer gets the first grant by name of which it meets all that is given")
    func policy() {
        let policy = GrantPolicy([
            Grant(name: "z", groups: [36]), Grant(name: "b", users: [1000], units: ["qemu-*.service"]),
            Grant(name: "a"), Grant(name: "c", users: [1000, 1001]),
        ])
        func grant(uid: UInt32, groups: [UInt32] = [], unit: String? = nil) -> String? {
            policy.grant(for: PeerIdentity(pid: 1, uid: uid, gid: 5, groups: groups, unit: unit))?.name
        }
        #expect(grant(uid: 1000, unit: "qemu-vm1.service") == "b")
        #expect(grant(uid: 1000, unit: "ssh.service") == "c" && grant(uid: 1000) == "c")
        #expect(grant(uid: 7) == nil && grant(uid: 7, groups: [1, 36]) == "z" && grant(uid: 0) == nil)
    }

    private func inventory() -> HostInventory {
        HostInventory(devices: Harness.devices, templates: Harness.templates)
    }

    private func reason<Value>(_ work: () throws(Refusal) -> Value) -> Reason? {
        do throws(Refusal) {
            _ = try work()
            return nil
        } catch { return error.reason }
    }

    @Test("A device of the host itself is claimed like any other, and only under its own name")
    func hardware() throws {
        var inventory = inventory()
        let address = name("0000:01:00.0")
        let found = HostDevice(name: address, smmu: Harness.smmu, streamID: StreamID(0x100))
        #expect(
            reason { () throws(Refusal) in try inventory.claim(address, for: one, under: Harness.grant) }
                == .unknownDevice)
        #expect(try inventory.smmu(of: address, for: one, under: Harness.grant, hardware: found) == Harness.smmu)
        #expect(try inventory.claim(address, for: one, under: Harness.grant, hardware: found) == found)
        #expect(inventory.owner(of: address) == one)
        for other in [two] {
            #expect(
                reason { () throws(Refusal) in
                    try inventory.claim(address, for: other, under: Harness.grant, hardware: found)
                } == .deviceBusy)
        }
        var grant = Harness.grant
        grant.devices = ["0000:02:*"]
        #expect(
            reason { () throws(Refusal) in
                try inventory.smmu(of: address, for: one, under: grant, hardware: found)
            } == .notGranted)
        inventory.release(address, by: one)
        #expect(try inventory.claim(address, for: two, under: Harness.grant, hardware: found) == found)
    }

    @Test("A device is one session's until it is given back; to the same it is given again")
    func claim() throws {
        var inventory = inventory()
        #expect(try inventory.claim(name("disk"), for: one, under: Harness.grant).streamID == StreamID(10))
        #expect(try inventory.claim(name("disk"), for: one, under: Harness.grant).streamID == StreamID(10))
        #expect(
            reason { () throws(Refusal) in try inventory.claim(name("disk"), for: two, under: Harness.grant) }
                == .deviceBusy)
        #expect(
            reason { () throws(Refusal) in try inventory.smmu(of: name("disk"), for: two, under: Harness.grant) }
                == .deviceBusy)
        inventory.release(name("disk"), by: two)
        #expect(inventory.owner(of: name("disk")) == one)
        inventory.release(name("disk"), by: one)
        #expect(try inventory.claim(name("disk"), for: two, under: Harness.grant).name == name("disk"))
        inventory.releaseEverything(of: two)
        #expect(inventory.owner(of: name("disk")) == nil)
    }

    @Test("What the grant does not cover is refused alike, whether it is there or not")
    func granted() {
        var inventory = inventory()
        let grant = Grant(name: "g", users: [1], devices: ["net", "virt"])
        for device in ["disk", "nobody"] {
            #expect(
                reason { () throws(Refusal) in try inventory.claim(name(device), for: one, under: grant) }
                    == .notGranted)
        }
        #expect(reason { () throws(Refusal) in try inventory.claim(name("virt:4"), for: one, under: grant) } == nil)
        #expect(reason { () throws(Refusal) in try inventory.claim(name("net"), for: one, under: grant) } == nil)
        let all = Grant(name: "g", users: [1], devices: ["*"])
        #expect(
            reason { () throws(Refusal) in try inventory.claim(name("nobody"), for: one, under: all) } == .unknownDevice
        )
    }

    @Test("Instances of a template take the lowest free number, and no StreamID that another device has")
    func instances() throws {
        var devices = Harness.devices
        devices[1].streamID = StreamID(101)
        var inventory = HostInventory(devices: devices, templates: Harness.templates)
        func claim(_ device: String, _ session: SessionID = one) throws -> HostDevice {
            try inventory.claim(name(device), for: session, under: Harness.grant)
        }
        #expect(try claim("virt").name == name("virt:0"))
        let next = try claim("virt", two)
        #expect(next.name == name("virt:2") && next.streamID == StreamID(102))
        inventory.release(name("virt:0"), by: one)
        #expect(try claim("virt").name == name("virt:0"))
        #expect(try claim("virt:7").streamID == StreamID(107) && claim("virt:7").streamID == StreamID(107))
        for device in ["virt:1", "virt:07", "virt:", "virt:99999999999", "virt:4294967295"] {
            let reason = reason { () throws(Refusal) in
                try inventory.claim(name(device), for: one, under: Harness.grant)
            }
            #expect(reason == .unknownDevice, "\(device)")
        }
    }

    @Test("Across a reload devices in use stay as they are until they are given back")
    func reload() throws {
        var inventory = inventory()
        _ = try inventory.claim(name("disk"), for: one, under: Harness.grant)
        inventory.replace(devices: [], templates: [])
        #expect(try inventory.claim(name("disk"), for: one, under: Harness.grant).streamID == StreamID(10))
        inventory.release(name("disk"), by: one)
        #expect(
            reason { () throws(Refusal) in try inventory.claim(name("disk"), for: one, under: Harness.grant) }
                == .unknownDevice)
    }

    @Test("MaxSessions counts the sessions of a grant")
    func sessions() throws {
        var inventory = inventory()
        for id in 1...2 { try inventory.admit(SessionID(UInt64(id)), under: Harness.grant) }
        #expect(reason { () throws(Refusal) in try inventory.admit(SessionID(3), under: Harness.grant) } == .quota)
        #expect(reason { () throws(Refusal) in try inventory.admit(SessionID(2), under: Harness.grant) } == nil)
        inventory.releaseEverything(of: SessionID(1))
        #expect(reason { () throws(Refusal) in try inventory.admit(SessionID(3), under: Harness.grant) } == nil)
    }

    @Test("A template makes as many devices as its section says, and each number again once it is free")
    func numberOfInstances() throws {
        let template = DeviceTemplate(Harness.templates[0].device, instances: 3)
        var inventory = HostInventory(devices: [], templates: [template])
        for number in 0..<3 {
            let device = try inventory.claim(name("virt"), for: one, under: Harness.grant)
            #expect(device.name == name("virt:\(number)"))
        }
        func next(_ text: String) -> Reason? {
            reason { () throws(Refusal) in try inventory.claim(name(text), for: two, under: Harness.grant) }
        }
        #expect(next("virt") == .unknownDevice && next("virt:3") == .unknownDevice)
        // What the devices are behind does not depend on one being free.
        let smmu = try inventory.smmu(of: name("virt"), for: two, under: Harness.grant)
        #expect(smmu == template.device.smmu)
        inventory.release(name("virt:1"), by: one)
        let device = try inventory.claim(name("virt"), for: two, under: Harness.grant)
        #expect(device.name == name("virt:1"))
    }
}
