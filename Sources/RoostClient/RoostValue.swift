import RoostAPI

/// A value as the server keeps it.
public enum RoostValue: Sendable, Hashable {
  /// Opaque bytes.
  case bytes([UInt8])
  /// Text. `Codable` values are kept as text, too: their JSON.
  case text(String)
  /// A 64-bit integer, which `increment` adds to.
  case int(Int64)
  /// A floating-point number.
  case double(Double)
  /// A truth value.
  case bool(Bool)
  /// Opaque items, front first.
  case list([[UInt8]])

  /// The type of a value.
  public enum Kind: String, Sendable, Hashable, CaseIterable {
    /// Opaque bytes.
    case bytes
    /// UTF-8.
    case text
    /// A 64-bit integer.
    case int
    /// A floating-point number.
    case double
    /// A truth value.
    case bool
    /// Opaque items.
    case list
  }

  /// Its type.
  public var kind: Kind {
    switch self {
    case .bytes: return .bytes
    case .text: return .text
    case .int: return .int
    case .double: return .double
    case .bool: return .bool
    case .list: return .list
    }
  }

  /// As the API has it.
  var message: Value {
    switch self {
    case .bytes(let bytes): return Value(kind: .bytesValue(bytes))
    case .text(let text): return Value(kind: .textValue(Array(text.utf8)))
    case .int(let number): return Value(kind: .intValue(number))
    case .double(let number): return Value(kind: .doubleValue(number))
    case .bool(let truth): return Value(kind: .boolValue(truth))
    case .list(let items): return Value(kind: .listValue(ListValue(items: items)))
    }
  }

  /// `nil`: a kind that this version does not know.
  init?(_ message: Value) {
    switch message.kind {
    case .bytesValue(let bytes): self = .bytes(bytes)
    case .textValue(let bytes): self = .text(String(decoding: bytes, as: UTF8.self))
    case .intValue(let number): self = .int(number)
    case .doubleValue(let number): self = .double(number)
    case .boolValue(let truth): self = .bool(truth)
    case .listValue(let list): self = .list(list.items)
    case nil: return nil
    }
  }
}
