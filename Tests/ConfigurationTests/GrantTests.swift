import BrokerCore
import Configuration
import Testing

/// Grants: a mistake must never make one wider than it was meant.
@Suite struct GrantTests {
    private func grant(_ lines: String...) throws -> (grant: Grant, texts: [String]) {
        let result = read("[Grant g]\nDevices=disk0\n" + lines.joined(separator: "\n"))
        return (try #require(result.configuration.grants.first), result.texts)
    }

    @Test func aUserThatNobodyKnowsMatchesNobody() throws {
        let (grant, texts) = try grant("User=mallory", "Group=kvm")
        #expect(grant.users == [IdentityLookup.nobody])
        #expect(grant.groups == [104])
        #expect(
            texts == [
                "1.conf:3: error: [Grant g] `User=mallory` names a user that this host does not know; it matches nobody"
            ])
    }

    @Test func theOthersOfAListStay() throws {
        let (grant, texts) = try grant("User=mallory, alice", "User=bob")
        #expect(grant.users == [1000, 1001])
        #expect(texts.count == 1)
    }

    @Test(arguments: [
        "User=4294967295", "User=99999999999999999999", "User=\"alice", "User=\"\"", "Group=nobodys",
        "Unit=qemu", "Unit=a/b.service",
    ])
    func noConditionIsLostByAMistake(line: String) throws {
        let (grant, texts) = try grant(line)
        #expect(texts.count == 1 && texts.first?.contains(": error: ") == true, "\(texts)")
        #expect(grant.users == (line.hasPrefix("User") ? [IdentityLookup.nobody] : []))
        #expect(grant.groups == (line.hasPrefix("Group") ? [IdentityLookup.nobody] : []))
        #expect(grant.units == (line.hasPrefix("Unit") ? ["-"] : []))
        let key = String(line.prefix { $0 != "=" })
        #expect(read("[Grant g]\n\(line)").setting("Grant g", key)?.hasPrefix("(matches nobody)") == true)
    }

    @Test func aGrantForNobodyGetsAWarning() throws {
        let (grant, texts) = try grant("User=alice", "User=")
        #expect(grant.users.isEmpty)
        #expect(
            texts == ["1.conf:1: warning: [Grant g] the grant is nobody's: it needs `User=`, `Group=` or `Unit=`"])
    }

    @Test func devicesThatAreNotThere() {
        let result = read("[Grant g]\nUser=alice\nDevices=disk1 gpu* 0000:01:00.0 model:3 model")
        #expect(
            result.texts == ["1.conf:3: warning: [Grant g] there is no device `disk1`: did you mean `disk0`?"])
        #expect(result.configuration.grants[0].devices == ["disk1", "gpu*", "0000:01:00.0", "model:3", "model"])
        #expect(
            read("[Grant g]\nUser=alice\nDevices=a/b").texts == [
                "1.conf:3: error: [Grant g] `Devices=a/b` is not the name of a device, a PCI address, or a pattern of "
                    + "these with * and ?; it has no effect"
            ])
        #expect(
            read("[Grant g]\nUser=alice").texts == [
                "1.conf:1: warning: [Grant g] the grant has no devices: it needs `Devices=`"
            ])
    }

    @Test(arguments: [("10ms", 10), ("2s", 2000), ("10min", 600_000)] as [(String, UInt64)])
    func aGrantSaysHowLongAStallMayWait(text: String, milliseconds: UInt64) throws {
        let (grant, texts) = try grant("User=alice", "StallTimeout=\(text)")
        #expect(grant.stallTimeoutMilliseconds == milliseconds && texts.isEmpty)
    }

    @Test(arguments: ["0", "9ms", "601s", "never"])
    func aStallTimeoutThatIsNoneIsTheDefault(text: String) throws {
        let (grant, texts) = try grant("User=alice", "StallTimeout=\(text)")
        #expect(grant.stallTimeoutMilliseconds == 10_000)
        #expect(texts.count == 1 && texts[0].contains("`StallTimeout=\(text)` is not "), "\(texts)")
        #expect(texts.first?.hasSuffix("10s is in effect") == true, "\(texts)")
    }

    @Test(arguments: [
        "MaxSessions=0", "MaxMemory=1", "MaxMemory=8P", "MaxMaps=no", "MaxVSMMUs=-1", "MaxContexts=513",
    ])
    func aWrongQuotaIsTheDefault(line: String) throws {
        let (grant, texts) = try grant("User=alice", line)
        #expect(grant.quota == Quota())
        #expect(texts.count == 1 && texts[0].hasPrefix("1.conf:4: error: [Grant g] `\(line)` is not "), "\(texts)")
    }
}
