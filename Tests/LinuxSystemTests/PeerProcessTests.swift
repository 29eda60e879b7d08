import LinuxSystem
import Testing

@Suite("What is known of a peer, and of what it passes")
struct PeerProcessTests {
    @Test(
        "The unit is the first part of systemd's path that is no slice",
        arguments: [
            ("0::/system.slice/qemu-vm1.service\n", "qemu-vm1.service"),
            ("0::/machine.slice/machine-qemu\\x2d1.scope/libvirt/emulator\n", "machine-qemu\\x2d1.scope"),
            ("0::/user.slice/user-1000.slice/user@1000.service/app.slice/a.service\n", "user@1000.service"),
            ("4:memory:/x\n1:name=systemd:/system.slice/a.service\n0::/\n", "a.service"),
            ("0::/system.slice/_odd.service\n", "odd.service"), ("0::/\n", nil), ("", nil),
            ("0::/init.scope", "init.scope"),
            ("0::/kubepods/pod1\n", nil), ("nonsense", nil), ("::", nil),
        ] as [(String, String?)])
    func unit(_ text: String, _ unit: String?) {
        #expect(PeerCredentials.unit(ofControlGroups: text) == unit)
    }

    @Test("Descriptors are what the kernel says they are")
    func kinds() throws {
        let pair = try SeqPacketSocket.pair()
        #expect(try pair.first.fd.kind() == .seqPacketSocket)
        let event = try EventFD()
        #expect(try event.fd.kind() == .eventFD)
        let memory = try OwnedFD.memory(named: "kind", size: 4096)
        #expect(try memory.kind() == .other)
        let timer = try TimerFD()
        #expect(try timer.fd.kind() == .other)
        let nothing = try OwnedFD.null()
        #expect(try nothing.kind() == .other)
    }

    @Test("Peers have groups, and a process that is none has no unit")
    func peers() throws {
        let pair = try SeqPacketSocket.pair()
        let groups = try pair.first.peerGroups()
        #expect(groups.count <= 65536)
        #expect(PeerCredentials(pid: 0, uid: 0, gid: 0).unit == nil)
        #expect(PeerCredentials(pid: .max, uid: 0, gid: 0).unit == nil)
    }

    @Test("Private pages are zero until written, and keep what is written")
    func pages() throws {
        let pages = try PrivatePages(count: 65793)
        #expect(pages.read(65793) { bytes in (0..<65793).allSatisfy { bytes.byte($0) == 0 } })
        pages.write { bytes in bytes.storeBytes(of: 7, toByteOffset: 65792, as: UInt8.self) }
        #expect(pages.read(65793) { $0.byte(65792) } == 7)
    }
}

extension RawSpan {
    // SAFETY: any bits are a byte, and the call checks the bounds.
    fileprivate func byte(_ offset: Int) -> UInt8 { unsafe unsafeLoad(fromByteOffset: offset, as: UInt8.self) }
}
