// swift-tools-version: 6.2
import PackageDescription

/// What every Swift target is compiled with. The hot generic code of the model is used from other targets (the daemon,
/// the benchmarks), so release builds let the optimiser look across target boundaries. It looks only at what is
/// `public`: with `package` the model stays generic there, and most of what it does took two to six times as long.
let swift: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .strictMemorySafety(),
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .unsafeFlags(["-cross-module-optimization"], .when(configuration: .release)),
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
        // Layer 1: pure
        .target(name: "SMMUv3", swiftSettings: swift),
        .target(name: "JSON", swiftSettings: swift),

        // Layer 2: mechanisms
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

        // Benchmarks, and what they compare with
        .target(name: "CBenchReference", publicHeadersPath: "include"),
        .executableTarget(
            name: "smmu-broker-bench", dependencies: ["SMMUv3", "SMMUModel", "JSON", "CBenchReference"],
            swiftSettings: swift,
            // The valgrind of Debian 12 gives up on the compiler's debug information.
            linkerSettings: [.unsafeFlags(["-Xlinker", "--strip-debug"], .when(configuration: .release))]),

        // What tests are made with. The first two are yardsticks: they share nothing with what they measure.
        .target(name: "NaiveWalker", path: "Tests/Support/NaiveWalker", swiftSettings: swift),
        .target(name: "Scenarios", path: "Tests/Support/Scenarios", swiftSettings: swift),
        .target(name: "CaptureFixtures", path: "Tests/Support/CaptureFixtures", swiftSettings: swift),
        .target(
            name: "ModelMachine", dependencies: ["SMMUv3", "SMMUModel"], path: "Tests/Support/ModelMachine",
            swiftSettings: swift),

        // Tests
        .testTarget(name: "JSONTests", dependencies: ["JSON"], swiftSettings: swift),
        .testTarget(name: "CapturesTests", dependencies: ["Captures", "CaptureFixtures"], swiftSettings: swift),
        .testTarget(
            name: "SMMUModelTests",
            dependencies: ["SMMUv3", "SMMUModel", "ModelMachine", "Captures", "CaptureFixtures"],
            swiftSettings: swift),
    ]
)
