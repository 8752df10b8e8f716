/// One JSON value (RFC 8259). Members keep their order; int64 stays exact.
enum JSONValue: Equatable {
  case null
  case bool(Bool)
  case integer(Int64)
  case double(Double)
  case string(String)
  case array([JSONValue])
  case object([Member])

  struct Member: Equatable {
    let name: String
    let value: JSONValue
  }

  /// What it is, for messages.
  var kind: String {
    switch self {
    case .null: "null"
    case .bool: "a boolean"
    case .integer, .double: "a number"
    case .string: "a string"
    case .array: "an array"
    case .object: "an object"
    }
  }

  /// Reads one value with nothing but white space around it.
  ///
  /// - Parameter firstLine: The number of the first line of `bytes`, for messages.
  init(parsing bytes: [UInt8], firstLine: Int = 1) throws(UsageError) {
    var parser = JSONParser(bytes, firstLine: firstLine)
    self = try parser.document()
  }
}

/// Reads JSON text by recursive descent, at most `maxDepth` levels deep.
private struct JSONParser {
  static let maxDepth = 64

  private let bytes: [UInt8]
  private let firstLine: Int
  private var offset = 0
  private var depth = 0

  init(_ bytes: [UInt8], firstLine: Int) {
    self.bytes = bytes
    self.firstLine = firstLine
  }

  mutating func document() throws(UsageError) -> JSONValue {
    let value = try self.value()
    skipSpace()
    guard offset == bytes.count else { throw error("nothing may follow the value") }
    return value
  }

  private mutating func value() throws(UsageError) -> JSONValue {
    skipSpace()
    guard let first = peek else { throw error("the text ends where a value is expected") }
    switch first {
    case UInt8(ascii: "{"): return try nested { (p) throws(UsageError) in try p.object() }
    case UInt8(ascii: "["): return try nested { (p) throws(UsageError) in try p.array() }
    case UInt8(ascii: "\""): return .string(try string())
    case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return try number()
    default:
      if take("true") { return .bool(true) }
      if take("false") { return .bool(false) }
      if take("null") { return .null }
      throw error("a value is expected")
    }
  }

  private mutating func nested(
    _ body: (inout JSONParser) throws(UsageError) -> JSONValue
  ) throws(UsageError) -> JSONValue {
    depth += 1
    guard depth <= Self.maxDepth else { throw error("more than \(Self.maxDepth) levels") }
    let value = try body(&self)
    depth -= 1
    return value
  }

  private mutating func object() throws(UsageError) -> JSONValue {
    offset += 1
    var members: [JSONValue.Member] = []
    skipSpace()
    if take("}") { return .object(members) }
    while true {
      skipSpace()
      guard peek == UInt8(ascii: "\"") else { throw error("a member's name in quotes is expected") }
      let name = try string()
      if members.contains(where: { $0.name == name }) { throw error("\"\(name)\" is there twice") }
      skipSpace()
      guard take(":") else { throw error("':' is expected after \"\(name)\"") }
      members.append(.init(name: name, value: try value()))
      skipSpace()
      if take("}") { return .object(members) }
      guard take(",") else { throw error("',' or '}' is expected") }
    }
  }

  private mutating func array() throws(UsageError) -> JSONValue {
    offset += 1
    var elements: [JSONValue] = []
    skipSpace()
    if take("]") { return .array(elements) }
    while true {
      elements.append(try value())
      skipSpace()
      if take("]") { return .array(elements) }
      guard take(",") else { throw error("',' or ']' is expected") }
    }
  }

  private mutating func number() throws(UsageError) -> JSONValue {
    let start = offset
    let digits = UInt8(ascii: "0")...UInt8(ascii: "9")
    let isPart: (UInt8) -> Bool = { digits.contains($0) || "+-.eE".utf8.contains($0) }
    while let byte = peek, isPart(byte) { offset += 1 }
    let text = String(decoding: bytes[start..<offset], as: UTF8.self)
    let unsigned = text.utf8.drop { $0 == UInt8(ascii: "-") }
    guard let first = unsigned.first, digits.contains(first),
      text.utf8.last.map(digits.contains) == true,
      unsigned.count == 1 || first != UInt8(ascii: "0")
        || !digits.contains(unsigned[unsigned.index(after: unsigned.startIndex)])
    else { throw error("'\(text)' is not a JSON number") }
    if let integer = Int64(text) { return .integer(integer) }
    guard let double = Double(text), double.isFinite else {
      throw error("'\(text)' is not a number")
    }
    return .double(double)
  }

  private mutating func string() throws(UsageError) -> String {
    offset += 1
    var text: [UInt8] = []
    while true {
      // Most strings are one run: they are copied in one piece.
      let end = endOfRun()
      text.append(contentsOf: bytes[offset..<end])
      offset = end
      guard let byte = peek else { throw error("a string has no closing quote") }
      offset += 1
      switch byte {
      case UInt8(ascii: "\""):
        guard let string = String(validating: text, as: UTF8.self) else {
          throw error("a string is not valid UTF-8")
        }
        return string
      case UInt8(ascii: "\\"): text.append(contentsOf: String(try escaped()).utf8)
      default: throw error("a control character must be escaped in a string")
      }
    }
  }

  /// Where the bytes of a string end that stand for themselves.
  private func endOfRun() -> Int {
    bytes.withUnsafeBufferPointer { bytes in
      var index = offset
      while index < bytes.count, bytes[index] >= 0x20, bytes[index] != UInt8(ascii: "\""),
        bytes[index] != UInt8(ascii: "\\")
      {
        index += 1
      }
      return index
    }
  }

  private mutating func escaped() throws(UsageError) -> Character {
    guard let byte = peek else { throw error("a string has no closing quote") }
    offset += 1
    switch byte {
    case UInt8(ascii: "\""): return "\""
    case UInt8(ascii: "\\"): return "\\"
    case UInt8(ascii: "/"): return "/"
    case UInt8(ascii: "b"): return "\u{8}"
    case UInt8(ascii: "f"): return "\u{c}"
    case UInt8(ascii: "n"): return "\n"
    case UInt8(ascii: "r"): return "\r"
    case UInt8(ascii: "t"): return "\t"
    case UInt8(ascii: "u"):
      var units = [try codeUnit()]
      if UTF16.isLeadSurrogate(units[0]), take("\\u") { units.append(try codeUnit()) }
      guard let text = String(validating: units, as: UTF16.self), let character = text.first else {
        throw error("a \\u escape is half of a surrogate pair")
      }
      return character
    default: throw error("'\\\(Character(UnicodeScalar(byte)))' is not an escape")
    }
  }

  private mutating func codeUnit() throws(UsageError) -> UInt16 {
    let digits = bytes[offset..<min(offset + 4, bytes.count)]
    offset += digits.count
    guard digits.count == 4, digits.first != UInt8(ascii: "+"),
      let unit = UInt16(String(decoding: digits, as: UTF8.self), radix: 16)
    else { throw error("four hexadecimal digits are expected after \\u") }
    return unit
  }

  private var peek: UInt8? { offset < bytes.count ? bytes[offset] : nil }

  private mutating func take(_ text: StaticString) -> Bool {
    let matches = text.withUTF8Buffer { bytes[offset...].starts(with: $0) }
    if matches { offset += text.utf8CodeUnitCount }
    return matches
  }

  private mutating func skipSpace() {
    while let byte = peek, byte == 0x20 || byte == 0x0a || byte == 0x0d || byte == 0x09 {
      offset += 1
    }
  }

  private func error(_ what: String) -> UsageError {
    let before = bytes[..<min(offset, bytes.count)]
    let line = before.count { $0 == 0x0a } + firstLine
    let column = before.count - (before.lastIndex(of: 0x0a).map { $0 + 1 } ?? 0) + 1
    return UsageError("JSON, line \(line), column \(column): \(what)")
  }
}
