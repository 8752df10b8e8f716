import NIOCore

/// A Swift type that the server has a type for, so that values need no encoding. An application's
/// own types may conform; `Codable` ones need not: they are kept as JSON.
public protocol RoostValueConvertible: Sendable {
  /// As the server keeps it.
  var roostValue: RoostValue { get }
  /// `nil`: the value has another type, or is not in the range of this one.
  init?(roostValue: RoostValue)
}

extension RoostValue: RoostValueConvertible {
  /// Itself.
  public var roostValue: RoostValue { self }
  /// Any value.
  public init?(roostValue: RoostValue) { self = roostValue }
}

extension String: RoostValueConvertible {
  /// Text.
  public var roostValue: RoostValue { .text(self) }
  /// From text.
  public init?(roostValue: RoostValue) {
    guard case .text(let text) = roostValue else { return nil }
    self = text
  }
}

extension RoostValueConvertible where Self: FixedWidthInteger & SignedInteger {
  /// An integer.
  public var roostValue: RoostValue { .int(Int64(self)) }
  /// From an integer in the range of this type.
  public init?(roostValue: RoostValue) {
    guard case .int(let number) = roostValue else { return nil }
    self.init(exactly: number)
  }
}

extension Int: RoostValueConvertible {}
extension Int64: RoostValueConvertible {}
extension Int32: RoostValueConvertible {}

extension Double: RoostValueConvertible {
  /// A floating-point number.
  public var roostValue: RoostValue { .double(self) }
  /// From a floating-point number.
  public init?(roostValue: RoostValue) {
    guard case .double(let number) = roostValue else { return nil }
    self = number
  }
}

extension Bool: RoostValueConvertible {
  /// A truth value.
  public var roostValue: RoostValue { .bool(self) }
  /// From a truth value.
  public init?(roostValue: RoostValue) {
    guard case .bool(let truth) = roostValue else { return nil }
    self = truth
  }
}

extension ByteBuffer: RoostValueConvertible {
  /// The readable bytes.
  public var roostValue: RoostValue { .bytes(Array(readableBytesView)) }
  /// From bytes.
  public init?(roostValue: RoostValue) {
    guard case .bytes(let bytes) = roostValue else { return nil }
    self.init(bytes: bytes)
  }
}

extension Array: RoostValueConvertible where Element: RoostArrayElement {
  /// Bytes, of `UInt8`; else a list.
  public var roostValue: RoostValue { Element.roostValue(of: self) }
  /// From bytes, of `UInt8`; else from a list whose items all are such elements.
  public init?(roostValue: RoostValue) {
    guard let elements = Element.array(from: roostValue) else { return nil }
    self = elements
  }
}

/// What arrays that are values consist of: `UInt8` (bytes), or a list's items.
public protocol RoostArrayElement: Sendable {
  /// The array as a value.
  static func roostValue(of elements: [Self]) -> RoostValue
  /// `nil`: the value is no such array.
  static func array(from value: RoostValue) -> [Self]?
}

extension UInt8: RoostArrayElement {
  /// Bytes.
  public static func roostValue(of elements: [UInt8]) -> RoostValue { .bytes(elements) }
  /// From bytes.
  public static func array(from value: RoostValue) -> [UInt8]? {
    guard case .bytes(let bytes) = value else { return nil }
    return bytes
  }
}

/// An item of a list: opaque bytes to the server.
public protocol RoostItemConvertible: RoostArrayElement {
  /// As the server keeps it.
  var roostItem: [UInt8] { get }
  /// `nil`: the bytes are no such item.
  init?(roostItem: [UInt8])
}

extension RoostItemConvertible {
  /// A list.
  public static func roostValue(of elements: [Self]) -> RoostValue {
    .list(elements.map(\.roostItem))
  }
  /// From a list.
  public static func array(from value: RoostValue) -> [Self]? {
    guard case .list(let items) = value else { return nil }
    let elements = items.compactMap(Self.init(roostItem:))
    return elements.count == items.count ? elements : nil
  }
}

extension String: RoostItemConvertible {
  /// Its UTF-8.
  public var roostItem: [UInt8] { Array(utf8) }
  /// From UTF-8.
  public init?(roostItem: [UInt8]) { self.init(validating: roostItem, as: UTF8.self) }
}

extension ByteBuffer: RoostItemConvertible {
  /// The readable bytes.
  public var roostItem: [UInt8] { Array(readableBytesView) }
  /// From any bytes.
  public init?(roostItem: [UInt8]) { self.init(bytes: roostItem) }
}

extension [UInt8]: RoostArrayElement {
  /// A list.
  public static func roostValue(of elements: [[UInt8]]) -> RoostValue { .list(elements) }
  /// From a list.
  public static func array(from value: RoostValue) -> [[UInt8]]? {
    guard case .list(let items) = value else { return nil }
    return items
  }
}

extension [UInt8]: RoostItemConvertible {
  /// Itself.
  public var roostItem: [UInt8] { self }
  /// Any bytes.
  public init?(roostItem: [UInt8]) { self = roostItem }
}
