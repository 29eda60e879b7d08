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

/// `make fuzz`: what is fuzzed, and what it is compared with, tell libFuzzer where they have been.
let fuzzing = Context.environment["FUZZ"] == "1"
let fuzzed = swift + (fuzzing ? [.unsafeFlags(["-sanitize=fuzzer"])] : [])

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
        .target(name: "SMMUv3", swiftSettings: fuzzed),
        .target(name: "JSON", swiftSettings: swift),

        // Layer 2: mechanisms
        .target(name: "SMMUModel", dependencies: ["SMMUv3"], swiftSettings: fuzzed),
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
        .target(name: "NaiveWalker", path: "Tests/Support/NaiveWalker", swiftSettings: fuzzed),
        .target(name: "Scenarios", path: "Tests/Support/Scenarios", swiftSettings: fuzzed),
        .target(name: "CaptureFixtures", path: "Tests/Support/CaptureFixtures", swiftSettings: swift),
        .target(
            name: "ModelMachine", dependencies: ["SMMUv3", "SMMUModel"], path: "Tests/Support/ModelMachine",
            swiftSettings: swift),
        .target(
            name: "Lockstep", dependencies: ["SMMUv3", "SMMUModel", "NaiveWalker", "Scenarios"],
            path: "Tests/Support/Lockstep", swiftSettings: fuzzed),

        // Tests
        .testTarget(
            name: "DifferentialTests", dependencies: ["SMMUv3", "SMMUModel", "ModelMachine", "Lockstep", "Scenarios"],
            swiftSettings: swift),
        .testTarget(name: "JSONTests", dependencies: ["JSON"], swiftSettings: swift),
        .testTarget(name: "CapturesTests", dependencies: ["Captures", "CaptureFixtures"], swiftSettings: swift),
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
    ]
    package.products.append(.executable(name: "FuzzModel", targets: ["FuzzModel"]))
}
