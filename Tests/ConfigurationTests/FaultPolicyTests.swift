import BrokerCore
import Configuration
import Testing

/// What becomes of devices that fault without end: `FaultPolicy=` and what belongs to it.
@Suite struct FaultPolicyTests {
    private func policy(_ lines: String...) throws -> (policy: FaultPolicy, texts: [String], read: ReadConfiguration) {
        let result = read("[Grant g]\nUser=alice\nDevices=disk0\n" + lines.joined(separator: "\n"))
        return (try #require(result.configuration.grants.first).faults, result.texts, result)
    }

    @Test func theDefaultParksNobody() throws {
        let (policy, texts, result) = try policy()
        #expect(policy == FaultPolicy() && policy.action == .log && texts.isEmpty)
        #expect(result.setting("Grant g", "FaultStorm") == "1000/10s")
        #expect(result.setting("Grant g", "ATCTimeouts") == "3/1min")
        #expect(result.setting("Grant g", "MaxParkTime") == "1h")
    }

    @Test func everyKeyIsRead() throws {
        let (policy, texts, result) = try policy(
            "FaultPolicy=park", "FaultStorm=50 / 2s", "ATCTimeouts=1/5min", "FaultSample=10", "ParkReturn=operator",
            "ParkTime=500ms", "MaxParkTime=2min")
        #expect(texts.isEmpty)
        #expect(policy.action == .park && policy.comesBack == .byOperator && policy.sampling == 10)
        #expect(policy.storm == FaultPolicy.Rate(50, withinMilliseconds: 2000))
        #expect(policy.timeouts == FaultPolicy.Rate(1, withinMilliseconds: 300_000))
        #expect(policy.parkMilliseconds == 500 && policy.maximumParkMilliseconds == 120_000)
        #expect(result.setting("Grant g", "FaultStorm") == "50/2s (1.conf:5)")
        #expect(result.setting("Grant g", "FaultPolicy") == "park (1.conf:4)")
    }

    @Test(arguments: [
        "FaultPolicy=abort", "FaultPolicy=Park", "FaultStorm=1000", "FaultStorm=0/10s", "FaultStorm=10/",
        "FaultStorm=/1s",
        "FaultStorm=1/2/3", "FaultStorm=1/10ms", "FaultStorm=99999999999/1s", "ATCTimeouts=often", "FaultSample=0",
        "ParkReturn=never", "ParkTime=0", "ParkTime=8d", "MaxParkTime=x",
    ])
    func whatIsWrongHasItsDefault(line: String) throws {
        let (policy, texts, _) = try policy(line)
        #expect(policy == FaultPolicy())
        #expect(texts.count == 1 && texts.first?.hasPrefix("1.conf:4: error: [Grant g] `\(line)` ") == true, "\(texts)")
    }

    @Test func aBoundBelowTheTimeIsRaised() throws {
        let (policy, texts, result) = try policy("ParkTime=1h", "MaxParkTime=1min")
        #expect(policy.maximumParkMilliseconds == 3_600_000)
        #expect(
            texts == [
                "1.conf:5: warning: [Grant g] `MaxParkTime=` is below `ParkTime=1h`; 1h is in effect"
            ])
        #expect(result.setting("Grant g", "MaxParkTime") == "1h")
    }
}
