import RoostAPI

/// What import writes of one line. Revisions and times of the line are not here: the API lets no
/// client choose them.
struct ImportEntry: Sendable, Equatable {
  var key: [UInt8]
  var kind: Value.Kind
  /// Unix time; 0: never.
  var expiresAtMs: Int64
}

/// One line of an export. Each reader checks everything of the line and throws `UsageError` with
/// what is wrong; its caller knows the number of the line.
enum ImportLine: Equatable {
  case entry(ImportEntry)
  case trailer(entryCount: Int64)

  /// The first line.
  static func header(_ json: JSONValue) throws(UsageError) -> ExportHeader {
    guard case .object = json else { throw notAnExport() }
    var members = try JSONMembers(json, at: "the header")
    guard let version = try members.integer("\(ExportFormat.header)"), version > 0 else {
      throw notAnExport()
    }
    guard version <= ExportFormat.version else {
      throw UsageError(
        "this is an export of format version \(version), and this roost reads up to "
          + "\(ExportFormat.version): import it with a newer roost")
    }
    return ExportHeader(
      serverVersion: try members.string("server_version") ?? "",
      revision: try members.integer("revision") ?? 0,
      exportedAtMs: try members.integer("exported_at_ms") ?? 0,
      prefix: try members.take("prefix").map { json throws(UsageError) in
        try bytes(json, "\"prefix\"")
      } ?? [])
  }

  /// Any line behind the first.
  init(_ json: JSONValue) throws(UsageError) {
    var members = try JSONMembers(json, at: "the line")
    if try members.integer("\(ExportFormat.trailer)") != nil {
      guard let count = try members.integer("\(ExportFormat.entryCount)"), count >= 0 else {
        throw UsageError("the trailer does not say how many entries there are")
      }
      self = .trailer(entryCount: count)
      return
    }
    guard let keyJSON = members.take("key") else { throw UsageError("\"key\" is missing") }
    let key = try Self.bytes(keyJSON, "\"key\"")
    if key.isEmpty { throw UsageError("the key is empty") }
    guard let type = try members.string("type") else { throw UsageError("\"type\" is missing") }
    guard let value = members.take("value") else { throw UsageError("\"value\" is missing") }
    let expiresAtMs = try members.integer("expires_at_ms")
    if let expiresAtMs, expiresAtMs <= 0 {
      throw UsageError("\"expires_at_ms\" must be above 0, or null: never")
    }
    for name in Self.history { _ = try members.integer(name) }
    try members.finish()
    self = .entry(
      ImportEntry(key: key, kind: try Self.kind(type, value), expiresAtMs: expiresAtMs ?? 0))
  }

  /// Members that are read and left alone.
  private static let history = [
    "revision", "create_revision", "version", "created_at_ms", "updated_at_ms",
  ]

  private static func notAnExport() -> UsageError {
    UsageError(
      "this is no export of roost: its first line is not {\"\(ExportFormat.header)\":…}")
  }

  private static func kind(_ type: String, _ json: JSONValue) throws(UsageError) -> Value.Kind {
    switch (type, json) {
    case ("text", _):
      let bytes = try bytes(json, "\"value\"")
      guard ValueType.isUTF8(bytes) else { throw UsageError("the text is not valid UTF-8") }
      return .textValue(bytes)
    case ("bytes", _): return .bytesValue(try bytes(json, "\"value\""))
    case ("int", .integer(let value)): return .intValue(value)
    case ("int", .string(let text)):
      guard let value = Int64(text) else { throw UsageError("\"value\" is no int of 64 bits") }
      return .intValue(value)
    case ("double", .double(let value)): return .doubleValue(value)
    case ("double", .integer(let value)): return .doubleValue(Double(value))
    case ("double", .string(let text)): return .doubleValue(try double(text))
    case ("bool", .bool(let value)): return .boolValue(value)
    case ("list", .array(let elements)):
      var items: [[UInt8]] = []
      items.reserveCapacity(elements.count)
      for element in elements { items.append(try bytes(element, "an item")) }
      return .listValue(ListValue(items: items))
    case ("int", _), ("double", _), ("bool", _), ("list", _):
      throw UsageError("\"value\" of type \(type) cannot be \(json.kind)")
    default:
      throw UsageError(
        "the type is none of text, bytes, int, double, bool and list")
    }
  }

  private static func double(_ text: String) throws(UsageError) -> Double {
    switch text {
    case "NaN": return Double(bitPattern: ExportFormat.canonicalNaNBits)
    case "Infinity": return .infinity
    case "-Infinity": return -.infinity
    default:
      if text.hasPrefix("NaN("), text.hasSuffix(")"),
        let bits = UInt64(text.dropFirst(4).dropLast(), radix: 16), Double(bitPattern: bits).isNaN
      {
        return Double(bitPattern: bits)
      }
      throw UsageError(
        "\"value\" of type double must be a number, NaN, NaN(<bits>), Infinity or -Infinity")
    }
  }

  /// - Parameter place: What the bytes are, for messages, which never quote them.
  private static func bytes(
    _ json: JSONValue, _ place: String
  ) throws(UsageError) -> [UInt8] {
    switch json {
    case .string(let text): return Array(text.utf8)
    case .object(let members):
      guard members.count == 1, members[0].name == "\(ExportFormat.base64)",
        case .string(let text) = members[0].value
      else { throw UsageError("\(place): an object must be {\"base64\":\"…\"}") }
      do { return try Base64Text.bytes(text) } catch {
        throw UsageError("\(place): the base64 is malformed")
      }
    default: throw UsageError("\(place) must be a string or {\"base64\":\"…\"}, not \(json.kind)")
    }
  }
}
