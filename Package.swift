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

let package = Package(
    name: "smmu-broker",
    targets: [
        // Layer 1: pure
        .target(name: "SMMUv3", swiftSettings: swift),
        // Test support: what the tests and the fuzzers measure the model against. Nothing that ships depends on these.
        .target(name: "NaiveWalker", path: "Tests/Support/NaiveWalker", swiftSettings: swift),
        .target(name: "Scenarios", path: "Tests/Support/Scenarios", swiftSettings: swift),
    ]
)
