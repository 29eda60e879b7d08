import CSMMUBroker
import CSeccompProbe
import Glibc
import Testing

/// The rule that keeps a VMM from attaching what it was given to something else.
@Suite("Seccomp rule")
struct SeccompTests {
    private static let allowed: UInt32 = 0x7fff_0000
    private static let denied: UInt32 = 0x0005_0000 | UInt32(EPERM)
    /// AUDIT_ARCH_* and the numbers of ioctl.
    private static let ioctls: [(architecture: UInt32, number: UInt32)] = [
        (0xc000_003e, 16), (0xc000_003e, 0x4000_0202), (0xc000_003e, 0x4000_0010), (0x4000_0003, 54),
        (0xc000_00b7, 29), (0x4000_0028, 54),
    ]

    @Test("The three requests are denied in each ABI, whatever the upper half says", arguments: ioctls)
    func requests(architecture: UInt32, number: UInt32) {
        for upper in [0, 1, UInt64(UInt32.max)] {
            for request in UInt64(0x3b60)...0x3ba0 {
                let verdict = seccomp_probe_verdict(architecture, number, upper << 32 | request)
                #expect(verdict == ((0x3b76...0x3b78).contains(request) ? Self.denied : Self.allowed), "\(request)")
            }
        }
    }

    @Test("No other system call is denied, whatever its second argument", arguments: ioctls)
    func otherCalls(architecture: UInt32, number: UInt32) {
        let same = Self.ioctls.filter { $0.architecture == architecture }.map(\.number)
        for other in UInt32(0)..<600 where !same.contains(other) {
            #expect(seccomp_probe_verdict(architecture, other, 0x3b77) == Self.allowed, "\(other)")
        }
    }

    @Test("An ABI that is not known may do nothing") func otherABI() {
        #expect(seccomp_probe_verdict(0xc000_00f3, 29, 0) == Self.denied)
    }

    @Test("The rule is handed out where there is room for it") func handedOut() {
        let length = SMMU_BROKER_SECCOMP_RULE_LENGTH
        #expect(seccomp_probe_rule_length(UInt32(length)) == length)
        #expect(seccomp_probe_rule_length(UInt32(length) - 1) == -ENOBUFS)
    }

    @Test("Installed, it holds for all threads and children, and for nothing but the three requests") func installed() {
        var probe = seccomp_probe()
        // SAFETY: the function fills the structure, and keeps no pointer to it.
        let result = unsafe seccomp_probe_run(&probe)
        #expect(result == 0)
        if probe.install == -EINVAL || probe.install == -ENOSYS {
            print("The rule is not installed: this kernel has no seccomp (\(probe.install))")
            return
        }
        #expect(probe.before == ENOTTY)
        #expect(probe.install == 0)
        #expect([probe.bind, probe.attach, probe.attach_upper, probe.detach] == [EPERM, EPERM, EPERM, EPERM])
        #expect([probe.below, probe.above, probe.other] == [ENOTTY, ENOTTY, 0])
        #expect(probe.thread == EPERM)
        #expect(probe.child == EPERM)
        #expect(probe.again == 0)
    }
}
