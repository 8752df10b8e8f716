import RoostAPI

/// Reads the JSON form of a transaction. Keys and values are spelled as in the JSON output.
///
///     {"if":   [{"key":"stock","revision":17}, {"key":"lock","exists":false},
///               {"key":"state","value":"open"}],
///      "then": [{"incr":{"key":"stock","delta":-1}},
///               {"set":{"key":"order","value":7,"type":"int","ttl":"1h"}}],
///      "else": [{"get":{"key":"stock"}}]}
///
/// * A key or value that is not UTF-8: `"keyEncoding":"base64"` or `"hex"`, and likewise
///   `"valueEncoding"` for `value` and `items`.
/// * `type` is needed only for `bytes` that are UTF-8; a JSON integer is an int, a fraction a
///   double, `true` and `false` a bool, a string text, or bytes where it is not UTF-8.
/// * `get`: `key`, `keysOnly`. `set`: `key`, `value`, `type`, `ttl`, `keepTTL` and one of
///   `ifAbsent`, `ifExists`, `ifRevision`. `del`: `key`, `ifRevision`. `incr`: `key`,
///   `delta`, `initial`, `ttl`. `push`: `key`, `items`, `front`, `maxLength`, `ifExists`, `ttl`.
///   `pop`: `key`, `count`, `front`.
enum TransactionJSON {
  static func request(_ text: [UInt8]) throws(UsageError) -> TransactRequest {
    var root = try JSONMembers(try JSONValue(parsing: text), at: "the transaction")
    var request = TransactRequest()
    for element in try root.array("if") { request.compares.append(try compare(element)) }
    for element in try root.array("then") { request.success.append(try operation(element)) }
    for element in try root.array("else") { request.failure.append(try operation(element)) }
    try root.finish()
    return request
  }

  private static func compare(_ json: JSONValue) throws(UsageError) -> Compare {
    var members = try JSONMembers(json, at: "a condition in \"if\"")
    let key = try members.key()
    var kinds: [Condition.Kind] = []
    if let exists = try members.bool("exists") { kinds.append(.exists(exists)) }
    if let revision = try members.integer("revision") { kinds.append(.revision(revision)) }
    if let value = try members.value() { kinds.append(.value(value)) }
    try members.finish()
    guard let kind = kinds.first, kinds.count == 1 else {
      throw UsageError("a condition in \"if\" needs one of \"exists\", \"revision\" and \"value\"")
    }
    return Compare(key: key, condition: Condition(kind: kind))
  }

  private static func operation(_ json: JSONValue) throws(UsageError) -> Operation {
    guard case .object(let steps) = json, let step = steps.first, steps.count == 1 else {
      throw UsageError("a step is an object with one member: {\"set\":{\"key\":…,\"value\":…}}")
    }
    var members = try JSONMembers(step.value, at: "the step \"\(step.name)\"")
    let key = try members.key()
    let kind: Operation.Kind
    switch step.name {
    case "get": kind = .get(GetRequest(key: key, keysOnly: try members.bool("keysOnly") ?? false))
    case "set":
      guard let value = try members.value() else {
        throw UsageError("the step \"set\" needs a \"value\"")
      }
      kind = .set(
        SetRequest(
          key: key, value: value, expiration: try members.expiration(),
          condition: try members.condition()))
    case "del": kind = .delete(DeleteRequest(key: key, condition: try members.condition()))
    case "incr":
      kind = .increment(
        IncrementRequest(
          key: key, delta: try members.integer("delta") ?? 1,
          initial: try members.integer("initial") ?? 0, expiration: try members.expiration()))
    case "push":
      kind = .push(
        PushRequest(
          key: key, items: try members.items(), end: try members.end(),
          expiration: try members.expiration(), mustExist: try members.bool("ifExists") ?? false,
          maxLength: try members.integer("maxLength") ?? 0))
    case "pop":
      kind = .pop(
        PopRequest(key: key, end: try members.end(), count: try members.integer("count") ?? 1))
    default:
      throw UsageError("'\(step.name)' is not a step: use get, set, del, incr, push or pop")
    }
    try members.finish()
    return Operation(kind: kind)
  }
}

extension JSONMembers {
  fileprivate mutating func key() throws(UsageError) -> [UInt8] {
    guard let text = try string("key") else { throw UsageError("\(place) needs a \"key\"") }
    let key = try bytes(text, encoding: try string("keyEncoding"))
    if key.isEmpty { throw UsageError("the key of \(place) is empty") }
    return key
  }

  /// `value` with `type` and `valueEncoding`; `nil` where there is none.
  fileprivate mutating func value() throws(UsageError) -> Value? {
    guard let json = take("value") else { return nil }
    let encoding = try string("valueEncoding")
    var type: ValueType?
    if let name = try string("type") {
      type = ValueType(rawValue: name)
      if type == nil { throw UsageError("\"type\" is text, bytes, int, double or bool") }
    }
    switch (json, type) {
    case (.string(let text), _):
      return try ValueType.value(try bytes(text, encoding: encoding), type: type)
    case (.integer(let number), nil), (.integer(let number), .int):
      return Value(kind: .intValue(number))
    case (.integer(let number), .double): return Value(kind: .doubleValue(Double(number)))
    case (.double(let number), nil), (.double(let number), .double):
      return Value(kind: .doubleValue(number))
    case (.bool(let flag), nil), (.bool(let flag), .bool): return Value(kind: .boolValue(flag))
    default:
      let wanted = type.map { " of type \($0.rawValue)" } ?? ""
      throw UsageError("the \"value\"\(wanted) of \(place) cannot be \(json.kind)")
    }
  }

  fileprivate mutating func items() throws(UsageError) -> [[UInt8]] {
    let encoding = try string("valueEncoding")
    var items: [[UInt8]] = []
    for element in try array("items") {
      guard case .string(let text) = element else {
        throw UsageError("an item of \(place) must be a string, not \(element.kind)")
      }
      items.append(try bytes(text, encoding: encoding))
    }
    if items.isEmpty { throw UsageError("\(place) needs \"items\"") }
    return items
  }

  fileprivate mutating func end() throws(UsageError) -> ListEnd {
    try bool("front") == true ? .front : .back
  }

  fileprivate mutating func expiration() throws(UsageError) -> Expiration? {
    let keeps = try bool("keepTTL") == true
    guard let ttl = try string("ttl") else { return keeps ? Expiration(kind: .keep(true)) : nil }
    if keeps { throw UsageError("\(place): use one of \"ttl\" and \"keepTTL\"") }
    return Expiration(kind: .ttlMs(try DurationText.positiveMilliseconds(ttl)))
  }

  fileprivate mutating func condition() throws(UsageError) -> Condition? {
    var kinds: [Condition.Kind] = []
    if try bool("ifAbsent") == true { kinds.append(.exists(false)) }
    if try bool("ifExists") == true { kinds.append(.exists(true)) }
    if let revision = try integer("ifRevision") { kinds.append(.revision(revision)) }
    if kinds.count > 1 {
      throw UsageError("\(place): use one of \"ifAbsent\", \"ifExists\" and \"ifRevision\"")
    }
    return kinds.first.map { Condition(kind: $0) }
  }

  private func bytes(_ text: String, encoding: String?) throws(UsageError) -> [UInt8] {
    switch encoding {
    case nil: return Array(text.utf8)
    case "base64": return try Base64Text.bytes(text)
    case "hex": return try HexText.bytes(text)
    case let other?: throw UsageError("an encoding is \"base64\" or \"hex\", not '\(other)'")
    }
  }
}
