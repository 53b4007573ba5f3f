// swift-tools-version: 6.2
import PackageDescription

// One set of rules for every Swift target: the language's strictest, and no warning survives.
let strict: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .treatAllWarnings(as: .error),
]
let strictC: [CSetting] = [.unsafeFlags(["-Wall", "-Wextra", "-Werror"])]

func library(_ name: String, _ dependencies: [Target.Dependency] = [], plugins: [Target.PluginUsage] = []) -> Target {
    .target(name: name, dependencies: dependencies, swiftSettings: strict, plugins: plugins)
}
func executable(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .executableTarget(name: name, dependencies: dependencies, swiftSettings: strict)
}
func tests(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .testTarget(name: name, dependencies: dependencies, swiftSettings: strict)
}

let logging: Target.Dependency = .product(name: "Logging", package: "swift-log")
let arguments: Target.Dependency = .product(name: "ArgumentParser", package: "swift-argument-parser")
let yams: Target.Dependency = .product(name: "Yams", package: "Yams")
let hummingbird: Target.Dependency = .product(name: "Hummingbird", package: "hummingbird")
let nioCore: Target.Dependency = .product(name: "NIOCore", package: "swift-nio")
let hummingbirdCore: Target.Dependency = .product(name: "HummingbirdCore", package: "hummingbird")
let httpTypes: Target.Dependency = .product(name: "HTTPTypes", package: "swift-http-types")
let nioHTTP: Target.Dependency = .product(name: "NIOHTTP1", package: "swift-nio")
let httpClient: Target.Dependency = .product(name: "AsyncHTTPClient", package: "async-http-client")
let lifecycle: Target.Dependency = .product(name: "ServiceLifecycle", package: "swift-service-lifecycle")
let signals: Target.Dependency = .product(name: "UnixSignals", package: "swift-service-lifecycle")

let package = Package(
    name: "riptide",
    products: [
        .executable(name: "riptided", targets: ["riptided"]),
        .executable(name: "riptide", targets: ["riptide"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-log", from: "1.14.0"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
        .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1", traits: []),
        .package(url: "https://github.com/apple/swift-http-types", from: "1.5.0"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
    ],
    targets: [
        // The contract with the data plane: C, shared by bpf/ and Swift.
        .target(
            name: "DataPlaneABI", path: "bpf/abi",
            cSettings: strictC + [.unsafeFlags(["-Wpadded"])]),

        // The system, behind C modules with prefixed shims.
        .target(
            name: "CLibBPF", cSettings: strictC,
            linkerSettings: [.linkedLibrary("bpf"), .linkedLibrary("elf"), .linkedLibrary("z")]),
        .systemLibrary(name: "CLibNL", pkgConfig: "libnl-route-3.0", providers: [.apt(["libnl-route-3-dev"])]),
        .target(name: "CLinux", cSettings: strictC),

        // Libraries; imports point downwards only.
        library("NetworkTypes"),
        library("LinuxSystem", ["NetworkTypes", "CLinux", "CLibNL"]),
        library("BPFRuntime", ["CLibBPF"]),
        library("LoadBalancing", ["NetworkTypes"]),
        library(
            "DataPlane", ["DataPlaneABI", "BPFRuntime", "LoadBalancing", "NetworkTypes"],
            plugins: [.plugin(name: "CompileBPF")]),
        library("RiptideConfiguration", ["LoadBalancing", "NetworkTypes", yams]),
        library("ControlAPI", [httpClient, nioCore, nioHTTP]),
        library(
            "ControlServer", ["ControlAPI", hummingbird, hummingbirdCore, httpTypes, nioCore, logging, lifecycle]),
        library(
            "Daemon",
            [
                "ControlAPI", "ControlServer", "DataPlane", "LinuxSystem", "LoadBalancing", "NetworkTypes",
                "RiptideConfiguration", logging, lifecycle, signals,
            ]),
        library("PacketKit", ["NetworkTypes"]),

        // Programs: the entry point only.
        executable("riptided", ["ControlAPI", "Daemon", arguments, logging]),
        executable("riptide", ["ControlAPI", "RiptideConfiguration", arguments]),

        // Measuring, for tools/bench.
        .executableTarget(
            name: "riptide-bench",
            dependencies: ["BPFRuntime", "DataPlane", "LoadBalancing", "NetworkTypes", "PacketKit", arguments],
            path: "Sources/DataPlaneBench", swiftSettings: strict, plugins: [.plugin(name: "CompileBPF")]),

        // Mutated packets, for tools/fuzz.
        .executableTarget(
            name: "riptide-fuzz",
            dependencies: ["BPFRuntime", "DataPlane", "LoadBalancing", "NetworkTypes", "PacketKit", arguments],
            path: "Sources/DataPlaneFuzz", swiftSettings: strict),

        // The build of bpf/.
        .executableTarget(name: "EmbedBPF", swiftSettings: strict),
        .plugin(name: "CompileBPF", capability: .buildTool(), dependencies: ["EmbedBPF"]),

        // Tests, cheapest first.
        tests("NetworkTypesTests", ["NetworkTypes"]),
        tests("LoadBalancingTests", ["LoadBalancing", "NetworkTypes"]),
        tests("RiptideConfigurationTests", ["RiptideConfiguration", "LoadBalancing", "NetworkTypes"]),
        tests("PacketKitTests", ["PacketKit", "NetworkTypes"]),
        .target(
            name: "TestSupport", dependencies: ["LinuxSystem", "CLinux", "NetworkTypes"], path: "Tests/TestSupport",
            swiftSettings: strict),
        tests("ControlAPITests", ["ControlAPI", "ControlServer", "riptide", logging, lifecycle]),
        tests("LinuxSystemTests", ["LinuxSystem", "NetworkTypes", "TestSupport"]),
        tests(
            "DataPlaneKernelTests",
            ["DataPlane", "BPFRuntime", "LoadBalancing", "NetworkTypes", "PacketKit", "TestSupport", "riptide-fuzz"]),
        tests("NetworkTests", ["NetworkTypes", "TestSupport"]),
    ]
)
