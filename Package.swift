// swift-tools-version: 6.2
import PackageDescription

/// `make fuzz`: what is fuzzed, and what it is compared with, tell libFuzzer where they have been.
let fuzzing = Context.environment["FUZZ"] == "1"

/// Release builds do not check at run time that nobody touches a class's property while another access changes it.
/// Two accesses overlap by which of our functions calls which, not by what a guest's numbers are: debug builds, tests and
/// fuzzing, which all check it, find the overlaps on the paths that they take. One on no such path would be undefined
/// behaviour. The checks were a third of the instructions of a request. What the compiler checks by itself it checks as
/// before; but with this setting it takes a span of a class's property for one that outlives the access, so that spans
/// are made of parameters or local values.
let unchecked = fuzzing ? [] : ["-enforce-exclusivity=unchecked"]

/// What every Swift target is compiled with. The hot generic code of the model is used from other targets (the daemon,
/// the benchmarks), so release builds let the optimiser look across target boundaries. It looks only at what is
/// `public`: with `package` the model stays generic there, and most of what it does took two to six times as long.
/// Few leaves of other targets are `@inlinable package` instead, for which nothing has to become `public`.
let swift: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .strictMemorySafety(),
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .unsafeFlags(["-cross-module-optimization"] + unchecked, .when(configuration: .release)),
]

/// What every C target is compiled with.
let c: [CSetting] = [
    .unsafeFlags(["-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror"])
]

let fuzzed = swift + (fuzzing ? [.unsafeFlags(["-sanitize=fuzzer"])] : [])

let package = Package(
    name: "smmu-broker",
    products: [
        .executable(name: "smmu-brokerd", targets: ["smmu-brokerd"]),
        .executable(name: "smmuctl", targets: ["smmuctl"]),
        .executable(name: "vmm-example", targets: ["vmm-example"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2")
    ],
    targets: [
        // Layer 0: C
        .target(name: "CLinux", cSettings: c),
        .target(name: "CIOMMUFD", cSettings: c),
        .systemLibrary(name: "CSystemd", pkgConfig: "libsystemd", providers: [.apt(["libsystemd-dev"])]),
        .target(name: "CSMMUBroker", cSettings: c + [.unsafeFlags(["-Wshadow"])]),

        // Layer 1: pure
        .target(name: "SMMUv3", swiftSettings: fuzzed),
        .target(name: "JSON", swiftSettings: swift),
        .target(name: "Wire", dependencies: ["SMMUv3"], swiftSettings: fuzzed),
        .target(name: "UnitConfig", swiftSettings: swift),
        .target(name: "LinuxSystem", dependencies: ["CLinux"], swiftSettings: swift),

        // Layer 2: mechanisms
        .target(name: "EventLoop", dependencies: ["LinuxSystem"], swiftSettings: swift),
        .target(name: "HostSurvey", dependencies: ["LinuxSystem"], swiftSettings: swift),
        .target(name: "SMMUModel", dependencies: ["SMMUv3"], swiftSettings: fuzzed),
        .target(name: "IOMMUFD", dependencies: ["CIOMMUFD", "LinuxSystem", "SMMUv3"], swiftSettings: swift),
        .target(name: "Systemd", dependencies: ["CSystemd", "LinuxSystem", "SMMUv3"], swiftSettings: swift),
        .target(
            name: "BrokerClient", dependencies: ["CSMMUBroker", "Wire", "LinuxSystem", "SMMUv3"], swiftSettings: swift),
        .target(name: "Captures", dependencies: ["SMMUv3", "SMMUModel", "JSON"], swiftSettings: swift),

        // Layer 3: the rules
        .target(name: "BrokerCore", dependencies: ["SMMUv3", "Wire"], swiftSettings: fuzzed),
        .target(
            name: "Configuration", dependencies: ["UnitConfig", "BrokerCore", "LinuxSystem", "SMMUv3", "Wire"],
            swiftSettings: swift),

        // Layer 4: the shell
        .target(
            name: "Backends", dependencies: ["BrokerCore", "SMMUModel", "IOMMUFD", "LinuxSystem", "SMMUv3", "Wire"],
            swiftSettings: fuzzed),
        .target(
            name: "Server",
            dependencies: [
                "BrokerCore", "Configuration", "EventLoop", "LinuxSystem", "SMMUv3", "Systemd", "Wire",
            ],
            swiftSettings: swift),

        // A VMM made of a capture, for smmuctl
        .target(
            name: "Replay",
            dependencies: ["BrokerClient", "Captures", "CSMMUBroker", "LinuxSystem", "SMMUv3", "Wire"],
            swiftSettings: swift),

        // Layer 5: executables
        .executableTarget(
            name: "smmu-brokerd",
            dependencies: ["Server", "Backends", "BrokerCore", "Configuration", "LinuxSystem", "Systemd", "Wire"],
            swiftSettings: swift),
        .executableTarget(name: "vmm-example", dependencies: ["CSMMUBroker"], cSettings: c),
        .executableTarget(
            name: "smmuctl",
            dependencies: [
                "SMMUv3", "SMMUModel", "Captures", "JSON", "BrokerClient", "Configuration", "HostSurvey", "LinuxSystem",
                "Replay", "UnitConfig", "Wire",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: swift),

        // Benchmarks, and what they compare with
        .target(name: "CBenchReference", publicHeadersPath: "include"),
        .executableTarget(
            name: "smmu-broker-bench",
            dependencies: [
                "Backends", "BrokerCore", "CBenchReference", "Configuration", "JSON", "LinuxSystem", "SMMUModel",
                "SMMUv3",
                "Server", "Wire",
            ],
            swiftSettings: swift,
            // The valgrind of Debian 12 gives up on the compiler's debug information.
            linkerSettings: [.unsafeFlags(["-Xlinker", "--strip-debug"], .when(configuration: .release))]),

        // What tests are made with. The first two are yardsticks: they share nothing with what they measure.
        .target(name: "NaiveWalker", path: "Tests/Support/NaiveWalker", swiftSettings: fuzzed),
        .target(name: "Scenarios", path: "Tests/Support/Scenarios", swiftSettings: fuzzed),
        .target(name: "CaptureFixtures", path: "Tests/Support/CaptureFixtures", swiftSettings: swift),
        .target(
            name: "ModelMachine", dependencies: ["SMMUv3", "SMMUModel"], path: "Tests/Support/ModelMachine",
            swiftSettings: swift),
        .target(
            name: "Lockstep", dependencies: ["SMMUv3", "SMMUModel", "NaiveWalker", "Scenarios"],
            path: "Tests/Support/Lockstep", swiftSettings: fuzzed),

        .target(
            name: "BrokerHarness",
            dependencies: [
                "Server", "Backends", "BrokerClient", "BrokerCore", "Configuration", "EventLoop", "LinuxSystem",
                "SMMUv3", "Systemd", "Wire",
            ],
            path: "Tests/Support/BrokerHarness", swiftSettings: swift),

        .target(
            name: "FakeKernel", dependencies: ["IOMMUFD", "LinuxSystem", "SMMUv3"], path: "Tests/Support/FakeKernel",
            swiftSettings: swift),
        .target(
            name: "KernelBehaviour", dependencies: ["IOMMUFD", "LinuxSystem", "SMMUv3"],
            path: "Tests/Support/KernelBehaviour", swiftSettings: swift),
        .executableTarget(
            name: "kernel-behaviour", dependencies: ["KernelBehaviour", "IOMMUFD", "LinuxSystem"],
            path: "Tests/Lab/kernel-behaviour", swiftSettings: swift),

        // Tests
        .testTarget(
            name: "DifferentialTests", dependencies: ["SMMUv3", "SMMUModel", "ModelMachine", "Lockstep", "Scenarios"],
            swiftSettings: swift),
        .testTarget(name: "LinuxSystemTests", dependencies: ["LinuxSystem"], swiftSettings: swift),
        .testTarget(
            name: "CSMMUBrokerTests", dependencies: ["CSMMUBroker", "LinuxSystem", "SMMUv3"],
            swiftSettings: swift),
        .testTarget(name: "HostSurveyTests", dependencies: ["HostSurvey", "LinuxSystem"], swiftSettings: swift),
        .testTarget(name: "EventLoopTests", dependencies: ["EventLoop", "LinuxSystem"], swiftSettings: swift),
        .testTarget(name: "WireTests", dependencies: ["Wire", "SMMUv3", "Scenarios"], swiftSettings: swift),
        .testTarget(name: "ABITests", dependencies: ["Wire", "SMMUv3", "CSMMUBroker"], swiftSettings: swift),
        .testTarget(
            name: "BrokerCoreTests", dependencies: ["BrokerCore", "SMMUv3", "Wire", "Scenarios"], swiftSettings: swift),
        .testTarget(
            name: "BackendsTests",
            dependencies: [
                "Backends", "BrokerCore", "FakeKernel", "IOMMUFD", "SMMUModel", "LinuxSystem", "SMMUv3", "Wire",
                "Scenarios",
            ],
            swiftSettings: swift),
        .testTarget(
            name: "IOMMUFDTests",
            dependencies: ["IOMMUFD", "CIOMMUFD", "FakeKernel", "KernelBehaviour", "LinuxSystem", "SMMUv3"],
            swiftSettings: swift),
        .testTarget(name: "UnitConfigTests", dependencies: ["UnitConfig"], swiftSettings: swift),
        .testTarget(
            name: "ConfigurationTests",
            dependencies: ["Configuration", "UnitConfig", "BrokerCore", "LinuxSystem", "SMMUv3", "Wire"],
            swiftSettings: swift),
        .testTarget(name: "SystemdTests", dependencies: ["Systemd", "LinuxSystem", "SMMUv3"], swiftSettings: swift),
        .testTarget(
            name: "ServerTests",
            dependencies: [
                "BrokerHarness", "BrokerClient", "Systemd", "Server", "Backends", "BrokerCore", "Configuration",
                "EventLoop", "LinuxSystem", "SMMUv3", "Wire",
            ],
            swiftSettings: swift),
        .testTarget(
            name: "ContractTests",
            dependencies: [
                "BrokerHarness", "Systemd", "Server", "Backends", "BrokerClient", "BrokerCore", "Configuration",
                "EventLoop", "LinuxSystem",
                "SMMUv3", "Wire",
            ],
            swiftSettings: swift),
        .testTarget(
            name: "BrokerClientTests", dependencies: ["BrokerClient", "LinuxSystem", "SMMUv3", "Wire"],
            swiftSettings: swift),
        .testTarget(
            name: "DaemonTests",
            dependencies: [
                "smmu-brokerd", "smmuctl", "BrokerClient", "LinuxSystem", "SMMUv3", "Wire", "JSON", "CaptureFixtures",
            ],
            swiftSettings: swift),
        .testTarget(name: "JSONTests", dependencies: ["JSON"], swiftSettings: swift),
        .testTarget(name: "SMMUv3Tests", dependencies: ["SMMUv3", "Scenarios"], swiftSettings: swift),
        .testTarget(
            name: "smmuctlTests",
            dependencies: [
                "smmuctl", "BrokerClient", "BrokerHarness", "HostSurvey", "JSON", "CaptureFixtures", "SMMUModel",
                "SMMUv3", "Wire",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: swift),
        .testTarget(
            name: "ReplayTests",
            dependencies: [
                "Replay", "BrokerHarness", "BrokerCore", "Captures", "CaptureFixtures", "Configuration", "CSMMUBroker",
                "LinuxSystem", "SMMUv3",
            ],
            swiftSettings: swift),
        .testTarget(name: "CapturesTests", dependencies: ["Captures", "CaptureFixtures"], swiftSettings: swift),
        .testTarget(
            name: "SMMUCacheTests", dependencies: ["SMMUv3", "SMMUModel", "ModelMachine", "Scenarios"],
            swiftSettings: swift),
        .testTarget(
            name: "SMMUModelTests",
            dependencies: ["SMMUv3", "SMMUModel", "ModelMachine", "Captures", "CaptureFixtures"],
            swiftSettings: swift),
    ]
)

// swiftc links the fuzzer only with the toolchain's own linker, and libFuzzer must not be in any other build.
if fuzzing {
    package.targets += [
        .target(name: "CFuzzDriver"),
        .executableTarget(
            name: "FuzzModel", dependencies: ["CFuzzDriver", "Lockstep", "Scenarios"],
            swiftSettings: fuzzed + [.unsafeFlags(["-parse-as-library"])],
            linkerSettings: [.unsafeFlags(["-sanitize=fuzzer", "-use-ld=lld"])]),
        .executableTarget(
            name: "FuzzBroker",
            dependencies: ["CFuzzDriver", "Backends", "BrokerCore", "LinuxSystem", "SMMUv3", "Wire"],
            swiftSettings: fuzzed + [.unsafeFlags(["-parse-as-library"])],
            linkerSettings: [.unsafeFlags(["-sanitize=fuzzer", "-use-ld=lld"])]),
    ]
    package.products += ["FuzzModel", "FuzzBroker"].map { .executable(name: $0, targets: [$0]) }
}
