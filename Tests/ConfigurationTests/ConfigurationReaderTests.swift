import BrokerCore
import Configuration
import SMMUv3
import Testing
import UnitConfig

@Suite struct ConfigurationReaderTests {
    @Test func noFilesGiveTheDefaults() {
        let result = read()
        #expect(result.texts == [])
        #expect(result.configuration.clientSocket == "/run/smmu-broker/client.sock")
        #expect(result.configuration.devices == Configuration().devices)
        #expect(result.configuration.smmus == Configuration().smmus)
        #expect(result.setting("Journal", "FaultInterval") == "10s")
        #expect(result.setting("Device model", "Instances") == "61440")
        #expect(result.settings.allSatisfy { $0.origins.isEmpty })
    }

    @Test func everySectionShowsAllItsKeys() {
        let result = read("[Grant a]\nUser=alice\nDevices=disk0")
        for title in Set(result.settings.map { $0.title }) {
            let own = result.settings.filter { $0.title == title }
            #expect(
                own.map { $0.key } == ConfigurationKey.all.filter { $0.section == own.first?.section }.map { $0.name })
        }
    }

    @Test func readsEveryKey() throws {
        let result = read(
            """
            [Broker]
            ClientSocket=/tmp/c
            AdminSocket=/tmp/a
            MaxSessions=3
            [Journal]
            FaultBurst=0x20
            FaultInterval=1min
            [SMMU big]
            OutputAddressBits=52
            Granules=64K
            PASIDBits=8
            ATS=no
            Stalls=yes
            RangeInvalidation=no
            ASID16=no
            [Device d]
            StreamID=7
            PASIDBits=8
            [Grant vms]
            User=alice 7
            Group=kvm
            Unit=qemu-1.service
            Devices=d
            MaxSessions=1
            MaxMemory=2G
            MaxMaps=2
            MaxVSMMUs=3
            MaxContexts=4
            """)
        #expect(result.texts == [])
        let configuration = result.configuration
        #expect(configuration.clientSocket == "/tmp/c" && configuration.adminSocket == "/tmp/a")
        #expect(configuration.maximumSessions == 3)
        #expect(configuration.journal.faultBurst == 32 && configuration.journal.faultIntervalSeconds == 60)
        let smmu = try #require(configuration.smmus.first)
        #expect(configuration.smmus.count == 1 && smmu.stalls)
        let ids = smmu.registers
        #expect(ids.outputAddressSize == 52 && ids.largeVirtualAddress)
        #expect(Granule.allCases.filter(ids.supports) == [.k64])
        #expect(ids.substreamIDSize == 8 && !ids.atsSupported && !ids.rangeInvalidation && !ids.asid16Bit)
        #expect(ids.stallModel == .stallAndTerminate && ids.maximumStalled > 0)
        #expect(configuration.devices.count == 1)
        let device = try #require(configuration.devices.first?.device)
        #expect(device.smmu == smmu && device.streamID == StreamID(7) && device.pasidBits == 8)
        #expect(
            configuration.grants == [
                Grant(
                    name: "vms", users: [1000, 7], groups: [104], units: ["qemu-1.service"], devices: ["d"],
                    quota: Quota(sessions: 1, memory: 2 << 30, maps: 2, vsmmus: 3, contexts: 4))
            ])
    }

    @Test func laterFilesOverrideAndAddToLists() {
        let result = read(
            "[Broker]\nMaxSessions=1\n[Grant a]\nUser=alice\nDevices=disk0\n[Grant b]\nUser=bob\nDevices=net0",
            "[Grant a]\nDevices=net0\nMaxMaps=9\n[Broker]\nMaxSessions=2", "[Grant b]\nDevices=\nDevices=gpu0\n[Broker]"
        )
        #expect(result.texts == [])
        #expect(result.configuration.maximumSessions == 2)
        #expect(result.configuration.grants.map { $0.devices } == [["disk0", "net0"], ["gpu0"]])
        #expect(result.setting("Broker", "MaxSessions") == "2 (2.conf:5)")
        #expect(result.setting("Grant a", "Devices") == "disk0 net0 (1.conf:5 2.conf:2)")
        #expect(result.setting("Grant b", "Devices") == "gpu0 (3.conf:3)")
        #expect(result.setting("Grant b", "MaxMemory") == "1T")
    }

    @Test func anEmptyValueTakesBack() {
        let result = read("[Broker]\nMaxSessions=1", "[Broker]\nMaxSessions=")
        #expect(result.texts == [])
        #expect(result.configuration.maximumSessions == 256)
        #expect(result.setting("Broker", "MaxSessions") == "256")
    }

    @Test func grantsAreInTheOrderOfTheirNames() {
        let text = ["c", "a", "b"].map { "[Grant \($0)]\nUser=alice\nDevices=disk0\n" }.joined()
        #expect(read(text).configuration.grants.map { $0.name } == ["a", "b", "c"])
    }

    /// What a text is told, all of it. The configuration is as if the wrong line were not there.
    static let wrong: [(text: String, diagnostics: [String])] = [
        ("[Brokr]", ["1.conf:1: warning: unknown section [Brokr]: did you mean `[Broker]`?"]),
        ("[Nonsense x]\nA=1", ["1.conf:1: warning: unknown section [Nonsense x]"]),
        (
            "[Broker]\nMaxSesions=1",
            ["1.conf:2: warning: unknown key `MaxSesions=` in [Broker]: did you mean `MaxSessions=`?"]
        ),
        (
            "[Broker]\nFaultBurst=1",
            ["1.conf:2: warning: unknown key `FaultBurst=` in [Broker]: it belongs into [Journal]"]
        ),
        ("[Broker]\nColour=red", ["1.conf:2: warning: unknown key `Colour=` in [Broker]"]),
        (
            "[Broker main]",
            ["1.conf:1: error: [Broker main] has no effect: this section has no name, `[Broker]`"]
        ),
        ("[Grant]", ["1.conf:1: error: [Grant] has no effect: it needs a name, `[Grant NAME]`"]),
        (
            "[Device a:1]\nStreamID=1",
            [
                "1.conf:1: error: [Device a:1] has no effect: a name has 1 to 63 letters, digits, `-`, `_` or `.`"
            ]
        ),
        (
            "[Broker]\nBackend=modell",
            [
                "1.conf:2: error: [Broker] `Backend=modell` is none of: model, iommufd: did you mean `model`?; model is in effect"
            ]
        ),
        (
            "[Broker]\nMaxSessions=0",
            ["1.conf:2: error: [Broker] `MaxSessions=0` is not between 1 and 65536; 256 is in effect"]
        ),
        (
            "[Broker]\nClientSocket=client.sock",
            [
                "1.conf:2: error: [Broker] `ClientSocket=client.sock` is not an absolute path of at most 107 bytes; "
                    + "/run/smmu-broker/client.sock is in effect"
            ]
        ),
        (
            "[Broker]\nAdminSocket=/run/smmu-broker/client.sock",
            [
                "1.conf:2: error: [Broker] `AdminSocket=` is the path of `ClientSocket=` too; the defaults are in effect"
            ]
        ),
        (
            "[Journal]\nFaultInterval=1500ms",
            ["1.conf:2: error: [Journal] `FaultInterval=1500ms` is not a whole number of seconds; 10s is in effect"]
        ),
        (
            "[SMMU model0]\nOutputAddressBits=47\nGranules=4K 8K",
            [
                "1.conf:2: error: [SMMU model0] `OutputAddressBits=47` is none of: 32, 36, 40, 42, 44, 48, 52; "
                    + "48 is in effect",
                "1.conf:3: error: [SMMU model0] `Granules=8K` is none of: 4K, 16K, 64K; it has no effect",
            ]
        ),
    ]

    @Test(arguments: wrong)
    func saysWhatIsWrongAndKeepsTheDefault(text: String, diagnostics: [String]) {
        let result = read(text)
        #expect(result.texts == diagnostics)
        let standard = read()
        #expect(result.configuration.smmus == standard.configuration.smmus)
        #expect(result.configuration.devices == standard.configuration.devices)
        #expect(result.settings.map { $0.value } == standard.settings.map { $0.value })
        #expect(result.settings.allSatisfy { $0.origins.isEmpty })
    }
    @Test func withHardwareThereAreNoDevicesOfTheModel() {
        let result = read(
            "[Broker]\nBackend=iommufd\n[SMMU a]\nATS=no\n[Device disk0]\nStreamID=1\n"
                + "[Grant vms]\nUser=alice\nDevices=0000:01:00.0 0000:02:*")
        #expect(result.configuration.backend == .iommufd && result.configuration.devices.isEmpty)
        #expect(result.configuration.grants.first?.devices == ["0000:01:00.0", "0000:02:*"])
        #expect(result.settings.first?.value == "iommufd")
        let unused = { (line: Int, title: String) in
            "1.conf:\(line): warning: [\(title)] has no effect: with `Backend=iommufd` there are the host's SMMUs and "
                + "devices, by their PCI addresses"
        }
        #expect(result.texts == [unused(3, "SMMU a"), unused(5, "Device disk0")])
    }
}
