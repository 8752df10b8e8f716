// swift-tools-version:6.2
import PackageDescription

// Without a `@main`: libFuzzer has it. The sanitizers are flags of the build, see `run`, so that
// the code under test is instrumented too.
let fuzzer: [SwiftSetting] = [.unsafeFlags(["-parse-as-library"])]

let package = Package(
  name: "fuzz",
  dependencies: [.package(name: "roost", path: "../..")],
  targets: [
    .target(name: "CFuzzer"),
    .executableTarget(
      name: "FuzzConnection",
      dependencies: ["CFuzzer", .product(name: "TTRPC", package: "roost")],
      swiftSettings: fuzzer),
    .executableTarget(
      name: "FuzzMessages",
      dependencies: ["CFuzzer", .product(name: "RoostAPI", package: "roost")],
      swiftSettings: fuzzer),
  ],
  swiftLanguageModes: [.v6]
)
