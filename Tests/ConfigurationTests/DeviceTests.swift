import BrokerCore
import Configuration
import SMMUv3
import Testing
import UnitConfig
import Wire

/// Devices and their StreamIDs.
@Suite struct DeviceTests {
    /// `name streamID×instances` of each device.
    private func summary(_ result: ReadConfiguration) -> [String] {
        result.configuration.devices.map { "\($0.device.name) \($0.device.streamID.rawValue)×\($0.instances)" }
    }

    @Test func theFirstSMMUIsTheDefault() {
        let result = read("[SMMU b]\n[SMMU a]\n[Device x]\nStreamID=1\n[Device y]\nStreamID=1\nSMMU=a")
        #expect(result.texts == [])
        #expect(result.configuration.devices.map { $0.device.smmu.name.description } == ["b", "a"])
        #expect(result.setting("Device x", "SMMU") == "b")
    }

    @Test func builtInDevicesHaveWhatTheirSMMUCanDo() throws {
        let result = read("[SMMU small]\nATS=no\nPASIDBits=4")
        #expect(result.texts == [])
        #expect(result.configuration.devices.count == 4)
        #expect(result.configuration.devices.allSatisfy { !$0.device.hasATS && $0.device.pasidBits <= 4 })
        #expect(result.setting("Device gpu0", "ATS") == "no")
        #expect(result.setting("Device gpu0", "PASIDBits") == "4")
    }

    @Test func aTemplateHasRoomUpToTheNextDevice() {
        let result = read(
            """
            [Device t]
            StreamID=0x100
            Template=yes
            [Device u]
            StreamID=0x200
            Template=yes
            [Device d]
            StreamID=0x180
            [Device v]
            StreamID=0
            Template=yes
            Instances=5
            """)
        #expect(result.texts == [])
        #expect(summary(result) == ["t 256×128", "u 512×65024", "d 384×1", "v 0×5"])
        #expect(result.setting("Device t", "Instances") == "128")
        #expect(result.setting("Device v", "Instances") == "5 (1.conf:12)")
    }

    static let leftOut: [(text: String, kept: [String], diagnostics: [String])] = [
        ("[Device a]", [], ["1.conf:1: error: [Device a] the device needs a `StreamID=`; it is left out"]),
        (
            "[Device a]\nStreamID=0x10000", [],
            [
                "1.conf:2: error: [Device a] `StreamID=0x10000` is not between 0 and 65535; it has no effect",
                "1.conf:2: error: [Device a] without a StreamID the device is left out",
            ]
        ),
        (
            "[Device a]\nStreamID=1\nSMMU=model1", [],
            [
                "1.conf:3: error: [Device a] there is no [SMMU model1], so that the device is left out: "
                    + "did you mean `model0`?"
            ]
        ),
        (
            "[Device a]\nStreamID=9\n[Device b]\nStreamID=0x9", ["a 9×1"],
            [
                "1.conf:4: error: [Device b] StreamID 0x9 of SMMU model0 is that of [Device a] already (1.conf:2); "
                    + "the device is left out"
            ]
        ),
        (
            "[Device t]\nStreamID=8\nTemplate=yes\nInstances=4\n[Device b]\nStreamID=11", ["t 8×4"],
            [
                "1.conf:6: error: [Device b] StreamID 0xb of SMMU model0 is that of [Device t] already (1.conf:2); "
                    + "the device is left out"
            ]
        ),
        (
            "[Device t]\nStreamID=0xfff0\nTemplate=yes\nInstances=17", [],
            [
                "1.conf:4: error: [Device t] StreamIDs end at 0xffff, and the template would reach 0x10000; it is left "
                    + "out"
            ]
        ),
    ]

    @Test(arguments: leftOut)
    func leavesOutWhatCannotBe(text: String, kept: [String], diagnostics: [String]) {
        let result = read(text)
        #expect(result.texts == diagnostics)
        #expect(summary(result) == kept)
        // What is left out is not shown as if it were there.
        #expect(Set(result.settings.filter { $0.section == .device }.map { $0.title }).count == kept.count)
    }

    @Test func aDeviceHasNoMoreThanItsSMMU() throws {
        let result = read("[SMMU s]\nATS=no\nPASIDBits=4\n[Device d]\nStreamID=1\nATS=yes\nPASIDBits=20")
        #expect(
            result.texts == [
                "1.conf:6: error: [Device d] the device has no ATS, because its SMMU s has none",
                "1.conf:7: error: [Device d] the device has 4 bits of PASIDs, because its SMMU s has no more",
            ])
        let device = try #require(result.configuration.devices.first?.device)
        #expect(!device.hasATS && device.pasidBits == 4)
        #expect(result.setting("Device d", "PASIDBits") == "4")
    }

    @Test func instancesAreForTemplates() {
        let result = read("[Device d]\nStreamID=1\nInstances=5")
        #expect(
            result.texts == ["1.conf:3: warning: [Device d] `Instances=` has an effect with `Template=yes` only"])
        #expect(summary(result) == ["d 1×1"])
        #expect(result.setting("Device d", "Instances") == "1")
    }

    /// Whatever sections say, the devices that come of them never share a StreamID, and none is out of range.
    @Test func streamIDsNeverCollide() {
        let seed = UInt64.random(in: .min ... .max)
        var random = SplitMix(state: seed)
        for round in 0..<300 {
            var text = "[SMMU a]\n[SMMU b]\n"
            for number in 0..<Int.random(in: 1...12, using: &random) {
                text += "[Device d\(number)]\nStreamID=\(Int.random(in: 0...40, using: &random) * 1638)\n"
                text += Bool.random(using: &random) ? "SMMU=b\n" : ""
                text += Bool.random(using: &random) ? "Template=yes\n" : ""
                text += Bool.random(using: &random) ? "Instances=\(Int.random(in: 1...4000, using: &random))\n" : ""
            }
            var owned: [String: [Range<Int>]] = [:]
            for definition in read(text).configuration.devices {
                let first = Int(definition.device.streamID.rawValue)
                let smmu = definition.device.smmu.name.description
                let own = first..<first + definition.instances
                let isFree = owned[smmu, default: []].allSatisfy { !$0.overlaps(own) } && own.upperBound <= 1 << 16
                #expect(isFree && !own.isEmpty, "seed \(seed), round \(round)\n\(text)")
                owned[smmu, default: []].append(own)
            }
        }
    }
}

/// Random numbers that a seed gives again.
struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }
}
