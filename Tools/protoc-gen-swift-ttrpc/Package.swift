// swift-tools-version:6.2
import PackageDescription

/// Apart from the main package, so that nobody who uses that one resolves or builds
/// swift-protobuf.
let package = Package(
  name: "protoc-gen-swift-ttrpc",
  dependencies: [
    .package(url: "https://github.com/apple/swift-protobuf", exact: "1.39.0")
  ],
  targets: [
    .executableTarget(
      name: "protoc-gen-swift-ttrpc",
      dependencies: [.product(name: "SwiftProtobufPluginLibrary", package: "swift-protobuf")])
  ],
  swiftLanguageModes: [.v6]
)
