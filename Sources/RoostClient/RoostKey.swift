import NIOCore

/// A key: 1 to 4,096 bytes of any kind; most are text.
public struct RoostKey: Sendable, Hashable, Comparable, CustomStringConvertible,
  ExpressibleByStringLiteral, ExpressibleByStringInterpolation
{
  /// As the server keeps it.
  public var bytes: [UInt8]

  /// Any bytes.
  public init(_ bytes: [UInt8]) { self.bytes = bytes }
  /// The text's UTF-8.
  public init(_ text: some StringProtocol) { bytes = Array(text.utf8) }
  public init(stringLiteral value: String) { self.init(value) }

  /// The key as text; `nil`: it is not UTF-8.
  public var text: String? { String(validating: bytes, as: UTF8.self) }

  /// The text, or the bytes in hexadecimal after `0x`.
  public var description: String {
    text ?? "0x" + bytes.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
  }

  /// In byte order, as scans return keys.
  public static func < (left: RoostKey, right: RoostKey) -> Bool {
    left.bytes.lexicographicallyPrecedes(right.bytes)
  }
}

/// What calls take as a key: `String`, `Substring`, `[UInt8]`, `ByteBuffer` and `RoostKey`, and
/// whatever an application makes conform, such as its own identifiers.
public protocol RoostKeyConvertible: Sendable {
  /// The key.
  var roostKey: RoostKey { get }
}

extension RoostKey: RoostKeyConvertible {
  /// Itself.
  public var roostKey: RoostKey { self }
}

extension String: RoostKeyConvertible {
  /// Its UTF-8.
  public var roostKey: RoostKey { RoostKey(self) }
}

extension Substring: RoostKeyConvertible {
  /// Its UTF-8.
  public var roostKey: RoostKey { RoostKey(self) }
}

extension [UInt8]: RoostKeyConvertible {
  /// These bytes.
  public var roostKey: RoostKey { RoostKey(self) }
}

extension ByteBuffer: RoostKeyConvertible {
  /// Its readable bytes.
  public var roostKey: RoostKey { RoostKey(Array(readableBytesView)) }
}
