import Testing

/// The repository's folder.
let repository: String = {
  let parts = #filePath.split(separator: "/", omittingEmptySubsequences: false)
  return parts.dropLast(3).joined(separator: "/")
}()

/// protoc as the independent implementation of the encoding.
enum Protoc {
  /// - Parameter type: of `weather/v1/types.proto`, or of `plain/plain.proto`.
  static func encode(_ text: String, as type: String) throws -> [UInt8] {
    let result = try run("protoc", arguments("--encode", type), input: Array(text.utf8))
    try #require(result.status == 0, "\(result.errors)")
    return result.output
  }

  static func decode(_ bytes: [UInt8], as type: String) throws -> String {
    let result = try run("protoc", arguments("--decode", type), input: bytes)
    try #require(result.status == 0, "\(result.errors)")
    return String(decoding: result.output, as: UTF8.self)
  }

  private static func arguments(_ flag: String, _ type: String) -> [String] {
    let protos = "\(repository)/Tests/Protos"
    let (name, file) =
      type == "Plain"
      ? (type, "plain/plain.proto") : ("weather.v1.\(type)", "weather/v1/types.proto")
    return ["\(flag)=\(name)", "-I", protos, "\(protos)/\(file)"]
  }
}

/// The plugin, built from its own package.
enum Plugin {
  private static let path: Result<String, any Error> = Result {
    let package = "\(repository)/Tools/protoc-gen-swift-ttrpc"
    let build = try run("swift", ["build", "--package-path", package])
    try #require(
      build.status == 0, "\(String(decoding: build.output, as: UTF8.self))\(build.errors)")
    return "\(package)/.build/debug/protoc-gen-swift-ttrpc"
  }

  /// Runs protoc with the plugin alone over files of `protos`.
  static func generate(
    _ files: [String], in protos: String, output: String, options: String
  ) throws -> ProcessResult {
    try run(
      "protoc",
      [
        "--plugin=protoc-gen-swift-ttrpc=\(try path.get())", "-I", protos,
        "--swift-ttrpc_out=\(output)", "--swift-ttrpc_opt=\(options)",
      ] + files)
  }
}
