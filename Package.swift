// swift-tools-version:6.2
import PackageDescription

/// Every dependency is pinned: a build of today and one of next year are the same.
let dependencies: [Package.Dependency] = [
  .package(url: "https://github.com/apple/swift-nio", exact: "2.101.2"),
  .package(url: "https://github.com/apple/swift-argument-parser", exact: "1.8.2"),
  .package(url: "https://github.com/apple/swift-log", exact: "1.16.2"),
  .package(url: "https://github.com/apple/swift-configuration", exact: "1.4.0"),
  .package(url: "https://github.com/swift-server/swift-service-lifecycle", exact: "2.13.0"),
]

let argumentParser = Target.Dependency.product(
  name: "ArgumentParser", package: "swift-argument-parser")
let configuration = Target.Dependency.product(name: "Configuration", package: "swift-configuration")
let lifecycle = Target.Dependency.product(
  name: "ServiceLifecycle", package: "swift-service-lifecycle")
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let nioCore = Target.Dependency.product(name: "NIOCore", package: "swift-nio")
let nioConcurrency = Target.Dependency.product(
  name: "NIOConcurrencyHelpers", package: "swift-nio")
let nioPosix = Target.Dependency.product(name: "NIOPosix", package: "swift-nio")

let package = Package(
  name: "roost",
  products: [
    .library(name: "TTRPC", targets: ["TTRPC"]),
    .library(name: "TTRPCClient", targets: ["TTRPCClient"]),
    .library(name: "Reactor", targets: ["Reactor"]),
    .library(name: "RoostAPI", targets: ["RoostAPI"]),
    .library(name: "RoostClient", targets: ["RoostClient"]),
    .executable(name: "roostd", targets: ["roostd"]),
    .executable(name: "roost", targets: ["roost"]),
  ],
  dependencies: dependencies,
  targets: [
    // C: libraries of the system, and what Swift cannot call.
    .systemLibrary(
      name: "CProtobufC", pkgConfig: "libprotobuf-c", providers: [.apt(["libprotobuf-c-dev"])]),
    .systemLibrary(name: "CCrypto", pkgConfig: "libcrypto", providers: [.apt(["libssl-dev"])]),
    .systemLibrary(name: "CZstd", pkgConfig: "libzstd", providers: [.apt(["libzstd-dev"])]),
    .target(name: "CLinux"),
    .target(
      name: "CRE2", cxxSettings: [.define("NDEBUG")], linkerSettings: [.linkedLibrary("re2")]),
    .target(name: "CTTRPCProtos", dependencies: ["CProtobufC"]),
    .target(name: "CRoostProtos", dependencies: ["CProtobufC"]),

    // The protocol.
    .target(name: "ProtobufC", dependencies: ["CProtobufC"]),
    .target(name: "TTRPC", dependencies: ["ProtobufC", "CProtobufC", "CTTRPCProtos"]),
    .target(
      name: "TTRPCClient",
      dependencies: ["TTRPC", nioCore, nioPosix, nioConcurrency, logging, lifecycle]),
    .target(name: "Reactor", dependencies: ["TTRPC", "CLinux", logging, lifecycle]),

    // The store.
    .target(name: "RoostAPI", dependencies: ["ProtobufC", "CProtobufC", "CRoostProtos", "TTRPC"]),
    .target(name: "RoostStore", dependencies: ["CLinux", "CRE2", "CZstd"]),
    .target(
      name: "RoostServer",
      dependencies: [
        "RoostAPI", "RoostStore", "Reactor", "TTRPC", "ProtobufC", "CProtobufC",
        "CRoostProtos", "CLinux", "CCrypto", logging, configuration, lifecycle,
      ]),
    .target(
      name: "RoostClient",
      dependencies: ["TTRPCClient", "RoostAPI", nioCore, logging, lifecycle]),
    .executableTarget(
      name: "roostd",
      dependencies: ["RoostServer", "RoostStore", argumentParser, logging, lifecycle]),
    .executableTarget(
      name: "roost",
      dependencies: ["RoostClient", "RoostAPI", "TTRPC", argumentParser, nioCore]),

    // Tests.
    .target(
      name: "CExampleProtos", dependencies: ["CProtobufC"], path: "Tests/CExampleProtos"),
    .target(
      name: "ExampleAPI", dependencies: ["ProtobufC", "CProtobufC", "CExampleProtos", "TTRPC"],
      path: "Tests/ExampleAPI"),
    .testTarget(name: "ProtobufCTests", dependencies: ["ProtobufC", "ExampleAPI", "RoostAPI"]),
    .testTarget(
      name: "CodegenTests", dependencies: ["ProtobufC", "ExampleAPI", "RoostAPI", "TTRPC"]),
    .target(
      name: "TTRPCTestSupport", dependencies: ["TTRPC"], path: "Tests/TTRPCTestSupport"),
    .testTarget(
      name: "TTRPCTests",
      dependencies: ["TTRPC", "ExampleAPI", "TTRPCTestSupport", "CTTRPCProtos"]),
    .executableTarget(
      name: "reactor-echo", dependencies: ["Reactor", "TTRPC", logging, lifecycle],
      path: "Tests/ReactorEcho"),
    .testTarget(
      name: "ReactorTests",
      dependencies: ["Reactor", "TTRPC", "ExampleAPI", "TTRPCTestSupport", "reactor-echo"]),
    .testTarget(
      name: "TTRPCClientTests",
      dependencies: [
        "TTRPCClient", "Reactor", "TTRPC", "ExampleAPI", nioCore, nioPosix, nioConcurrency,
        lifecycle, logging,
      ]),
    .testTarget(name: "RoostStoreTests", dependencies: ["RoostStore"], exclude: ["Fixtures"]),
    .testTarget(
      name: "RoostServerTests",
      dependencies: [
        "RoostServer", "RoostAPI", "RoostStore", "RoostClient", "TTRPCClient", "TTRPCTestSupport",
        "roostd",
      ]),
    .target(name: "TestSupport", path: "Tests/TestSupport"),
    .testTarget(
      name: "InteropTests", dependencies: ["TestSupport", "roostd"], exclude: ["GoPeer"]),
    .testTarget(
      name: "HostilePeerTests",
      dependencies: [
        "TestSupport", "TTRPCTestSupport", "RoostAPI", "ProtobufC", "TTRPC", "roostd",
      ]),
    .testTarget(
      name: "RoostClientTests",
      dependencies: [
        "RoostClient", "RoostServer", "TestSupport", "roostd", nioCore, nioConcurrency, lifecycle,
        logging,
      ]),
    .testTarget(name: "RoostCommandTests", dependencies: ["roost", "roostd", "RoostServer"]),
  ],
  swiftLanguageModes: [.v6],
  cLanguageStandard: .c11,
  cxxLanguageStandard: .cxx17
)

// A release build of the tests, which `Tools/test` makes: of the modules what the tests import is
// kept, and the tests are not optimized themselves, which would take longer than all else.
let isTestable = Context.environment["ROOST_TESTABLE"] == "1"
for target in package.targets where isTestable {
  switch target.type {
  case .test:
    target.swiftSettings = [
      .unsafeFlags(["-Onone", "-no-whole-module-optimization"])
    ]
  case .regular, .executable: target.swiftSettings = [.unsafeFlags(["-enable-testing"])]
  default: break
  }
}
