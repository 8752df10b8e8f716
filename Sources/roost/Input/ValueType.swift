import ArgumentParser
import RoostAPI

/// The kinds of value that a command can write. (A list comes from `push`.)
enum ValueType: String, CaseIterable, Sendable, ExpressibleByArgument {
  case text, bytes, int, double, bool

  /// Reads a value of this type.
  ///
  /// - Parameter bytes: For a number or a boolean its text; white space around it, such as the
  ///   line break of `echo`, is ignored. For `text` and `bytes` exactly what is stored.
  func value(_ bytes: [UInt8]) throws(UsageError) -> Value {
    switch self {
    case .bytes: return Value(kind: .bytesValue(bytes))
    case .text:
      guard Self.isUTF8(bytes) else {
        throw UsageError("the value is not valid UTF-8: store it with --type bytes")
      }
      return Value(kind: .textValue(bytes))
    case .int:
      let word = try word(bytes)
      guard let number = Int64(word) else {
        throw UsageError("'\(word)' is not an int: write a whole number of at most 64 bits")
      }
      return Value(kind: .intValue(number))
    case .double:
      let word = try word(bytes)
      guard let number = Double(word) else {
        throw UsageError("'\(word)' is not a double: write for example 0.5, -1e9, inf or nan")
      }
      return Value(kind: .doubleValue(number))
    case .bool:
      switch try word(bytes) {
      case "true": return Value(kind: .boolValue(true))
      case "false": return Value(kind: .boolValue(false))
      case let word: throw UsageError("'\(word)' is not a bool: write true or false")
      }
    }
  }

  /// Text where the bytes are UTF-8, else bytes.
  static func inferred(_ bytes: [UInt8]) -> Value {
    Value(kind: isUTF8(bytes) ? .textValue(bytes) : .bytesValue(bytes))
  }

  /// The value of `type`, or the inferred one where there is none.
  static func value(_ bytes: [UInt8], type: ValueType?) throws(UsageError) -> Value {
    guard let type else { return inferred(bytes) }
    return try type.value(bytes)
  }

  static func isUTF8(_ bytes: [UInt8]) -> Bool { String(validating: bytes, as: UTF8.self) != nil }

  private func word(_ bytes: [UInt8]) throws(UsageError) -> String {
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw UsageError("the value is not text, so it is no \(rawValue)")
    }
    return String(text.drop { $0.isWhitespace }.reversed().drop { $0.isWhitespace }.reversed())
  }
}

extension Value {
  /// The name of the kind, as `--type` and the JSON output spell it.
  var typeName: StaticString {
    switch kind {
    case .bytesValue: "bytes"
    case .textValue: "text"
    case .intValue: "int"
    case .doubleValue: "double"
    case .boolValue: "bool"
    case .listValue: "list"
    case nil: "unknown"
    }
  }
}
