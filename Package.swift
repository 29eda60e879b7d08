// swift-tools-version: 6.2
import PackageDescription

/// What every Swift target is compiled with. The hot generic code of the model is used from other targets (the daemon,
/// the benchmarks), so release builds let the optimiser look across target boundaries.
let swift: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .strictMemorySafety(),
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .unsafeFlags(["-cross-module-optimization"], .when(configuration: .release)),
]

/// What every C target is compiled with.
let c: [CSetting] = [
    .unsafeFlags(["-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror"])
]

let package = Package(
    name: "smmu-broker",
    products: [
        .executable(name: "smmuctl", targets: ["smmuctl"])
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2")
    ],
    targets: [
        // Layer 0: C
        .target(name: "CLinux", cSettings: c),
        .target(name: "CSMMUBroker", cSettings: c + [.unsafeFlags(["-Wshadow"])]),

        // Layer 1: pure
        .target(name: "SMMUv3", swiftSettings: swift),
        .target(name: "JSON", swiftSettings: swift),
        .target(name: "LinuxSystem", dependencies: ["CLinux"], swiftSettings: swift),

        // Layer 2: mechanisms
        .target(name: "EventLoop", dependencies: ["LinuxSystem"], swiftSettings: swift),
        .target(name: "SMMUModel", dependencies: ["SMMUv3"], swiftSettings: swift),
        .target(name: "Captures", dependencies: ["SMMUv3", "SMMUModel", "JSON"], swiftSettings: swift),

        // Layer 5: executables
        .executableTarget(
            name: "smmuctl",
            dependencies: [
                "SMMUv3", "SMMUModel", "Captures", "JSON",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: swift),

        // What tests are made with. The first two are yardsticks: they share nothing with what they measure.
        .target(name: "NaiveWalker", path: "Tests/Support/NaiveWalker", swiftSettings: swift),
        .target(name: "Scenarios", path: "Tests/Support/Scenarios", swiftSettings: swift),
        .target(name: "CaptureFixtures", path: "Tests/Support/CaptureFixtures", swiftSettings: swift),
        .target(
            name: "ModelMachine", dependencies: ["SMMUv3", "SMMUModel"], path: "Tests/Support/ModelMachine",
            swiftSettings: swift),

        // Tests
        .testTarget(name: "LinuxSystemTests", dependencies: ["LinuxSystem"], swiftSettings: swift),
        .testTarget(
            name: "CSMMUBrokerTests", dependencies: ["CSMMUBroker", "LinuxSystem", "SMMUv3"],
            swiftSettings: swift),
        .testTarget(name: "EventLoopTests", dependencies: ["EventLoop", "LinuxSystem"], swiftSettings: swift),
        .testTarget(name: "JSONTests", dependencies: ["JSON"], swiftSettings: swift),
        .testTarget(name: "CapturesTests", dependencies: ["Captures", "CaptureFixtures"], swiftSettings: swift),
        .testTarget(
            name: "SMMUModelTests",
            dependencies: ["SMMUv3", "SMMUModel", "ModelMachine", "Captures", "CaptureFixtures"],
            swiftSettings: swift),
    ]
)
