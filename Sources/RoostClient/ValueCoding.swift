#if canImport(FoundationEssentials)
  internal import FoundationEssentials
#else
  internal import Foundation
#endif

/// How values of one Swift type become values of the server, and back. Every call that reads or
/// writes one comes through here.
struct ValueCoding<Value: Sendable>: Sendable {
  let encode: @Sendable (Value) throws(RoostError) -> RoostValue
  let decode: @Sendable (RoostValue, RoostKey) throws(RoostError) -> Value
}

extension ValueCoding where Value: RoostValueConvertible {
  /// As the type itself says.
  static var native: ValueCoding {
    ValueCoding { (value) throws(RoostError) in
      value.roostValue
    } decode: { (value, key) throws(RoostError) in
      if let decoded = Value(roostValue: value) { return decoded }
      throw .mismatch(value, key, "\(Value.self)")
    }
  }
}

extension ValueCoding where Value: Decodable {
  /// Reads JSON from a text.
  static var decodedJSON: ValueCoding {
    ValueCoding { (_) throws(RoostError) in
      throw RoostError(.internal, "\(Value.self) is only read here")
    } decode: { (value, key) throws(RoostError) in
      try decodeJSON(value, key)
    }
  }

  static func decodeJSON(_ value: RoostValue, _ key: RoostKey) throws(RoostError) -> Value {
    guard case .text(let json) = value else {
      throw .mismatch(value, key, "\(Value.self), as JSON in a text")
    }
    do {
      return try JSONDecoder().decode(Value.self, from: Data(json.utf8))
    } catch {
      throw RoostError(
        .failedPrecondition,
        "the text at '\(key)' is not the JSON of a \(Value.self): \(describe(error))")
    }
  }

  private static func describe(_ error: any Error) -> String {
    guard let error = error as? DecodingError else { return "\(error)" }
    let context: DecodingError.Context
    switch error {
    case .typeMismatch(_, let at), .valueNotFound(_, let at), .keyNotFound(_, let at),
      .dataCorrupted(let at):
      context = at
    @unknown default: return "it cannot be decoded"
    }
    let path = context.codingPath.map(\.stringValue).joined(separator: ".")
    return path.isEmpty ? context.debugDescription : "\(path): \(context.debugDescription)"
  }
}

extension ValueCoding where Value: Codable {
  /// JSON in a text.
  static var json: ValueCoding {
    ValueCoding { (value) throws(RoostError) in
      try encodeJSON(value)
    } decode: { (value, key) throws(RoostError) in
      try decodeJSON(value, key)
    }
  }
}

/// The JSON of a value, keys in order, so that equal values are equal texts and conditions on a
/// value can hold.
func encodeJSON(_ value: some Encodable) throws(RoostError) -> RoostValue {
  let encoder = JSONEncoder()
  encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
  do {
    return .text(String(decoding: try encoder.encode(value), as: UTF8.self))
  } catch {
    throw RoostError(.invalidArgument, "a \(type(of: value)) cannot be written as JSON: \(error)")
  }
}

extension RoostError {
  static func mismatch(_ value: RoostValue, _ key: RoostKey, _ requested: String) -> RoostError {
    var error = RoostError(
      .failedPrecondition,
      "the value of '\(key)' is of type \(value.kind.rawValue); it was read as \(requested)")
    error.typeMismatch = .init(stored: value.kind, requested: requested)
    return error
  }
}
