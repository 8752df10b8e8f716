import ArgumentParser
import RoostAPI
import TTRPC

/// `roost call`
struct CallCommand: StoreCommand {
  static let configuration = CommandConfiguration(
    commandName: "call",
    abstract: "Makes any call of the API, with its request and answer as JSON.",
    usage: """
      roost call <service>/<method> [-d <json> | -d @<path> | -d -] [options]
      roost call --list
      roost call <service>/<method> --template
      """,
    discussion: """
      JSON as protobuf maps it: bytes (keys and values too) are base64, int64 are strings or \
      numbers, enums are names, and fields at their default are left out of answers. The \
      service may go without its package. An answer that says found: false is exit status 0.

      EXAMPLES:
        roost call --list
        roost call KV/Set --template
        roost call roost.v1.KV/Get -d '{"key":"Z3JlZXRpbmc="}'
        roost call KV/Set -d '{"key":"bg==","value":{"intValue":5}}'
        roost call KV/Scan -d @scan.json -o json | jq .entries
      """)

  @Argument(
    help: "The method, as in roost.v1.KV/Get.",
    completion: .list(RoostAPIRegistry.all.map(\.path)))
  var method: String?

  @Option(
    name: [.short, .long],
    help: ArgumentHelp(
      "The request: JSON, @ and a path, or - for standard input.", valueName: "json"))
  var data: String?

  @Option(help: ArgumentHelp("Metadata to send along; may be repeated.", valueName: "key=value"))
  var metadata: [String] = []

  @Flag(help: "List the methods.")
  var list = false

  @Flag(help: "Print a request with all of its fields, to be filled in.")
  var template = false

  @OptionGroup(title: "Global options") var options: GlobalOptions

  func validate() throws {
    if list != (method == nil) {
      throw ValidationError(list ? "--list takes no method" : "name a method, or use --list")
    }
    if template, data != nil { throw ValidationError("--template sends no request") }
  }

  func execute(_ context: CommandContext) async throws -> ExitStatus {
    guard let method else {
      for codec in RoostAPIRegistry.all { try context.output.write(codec.path + "\n") }
      return .success
    }
    let codec = try Self.codec(method)
    if template {
      try context.output.write(codec.requestTemplate + "\n")
      return .success
    }
    let request = try request(codec, context)
    var callOptions = try context.callOptions
    for pair in metadata {
      guard let equals = pair.firstIndex(of: "="), equals != pair.startIndex else {
        throw UsageError("--metadata '\(pair)': write key=value")
      }
      callOptions.metadata.append(
        String(pair[pair.index(after: equals)...]), for: String(pair[..<equals]))
    }
    let response: [UInt8]
    do {
      response = try await context.connect().rpc.unary(
        codec.descriptor, request, options: callOptions)
    } catch let error as RPCError where error.code == .unauthenticated && codec.carriesToken {
      // The token of the request, whatever goes with the call.
      throw CommandFailure(
        .permission, "the token is wrong, expired or revoked",
        advice: "The token came from the request.")
    }
    let isPretty = context.presentation(terminalDefault: .table).format == .table
    let json: String
    do { json = try codec.decodeToJSON(response, pretty: isPretty) } catch {
      throw CommandFailure(.other, "the answer cannot be decoded: \(error)")
    }
    try context.output.write(json + "\n")
    return .success
  }

  private func request(_ codec: MethodCodec, _ context: CommandContext) throws -> [UInt8] {
    let bytes: [UInt8] =
      switch data {
      case nil: Array("{}".utf8)
      case "-"?: try context.input.take()
      case let data? where data.hasPrefix("@"): try ByteSource.file(String(data.dropFirst()))
      case let data?: Array(data.utf8)
      }
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw UsageError("the request is not valid UTF-8: JSON is, and carries bytes as base64")
    }
    do { return try codec.encodeJSON(text) } catch {
      throw UsageError("the request of \(codec.path): \(error.description)")
    }
  }

  /// - Parameter name: `roost.v1.KV/Get`, or `KV/Get`.
  static func codec(_ name: String) throws(UsageError) -> MethodCodec {
    let matches = RoostAPIRegistry.all.filter { $0.path == name || $0.path.hasSuffix("." + name) }
    guard let codec = matches.first, matches.count == 1 else {
      throw UsageError("there is no method '\(name)': roost call --list shows them")
    }
    return codec
  }
}

extension MethodCodec {
  /// As people write it: `roost.v1.KV/Get`.
  fileprivate var path: String { "\(descriptor.service)/\(descriptor.name)" }

  /// Whether the request itself holds the token that the answer is about.
  fileprivate var carriesToken: Bool { path == "roost.v1.Auth/Bind" }
}
