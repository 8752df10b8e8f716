/// Owned bytes with the order of keys. A string literal means its UTF-8, an array literal itself.
struct Bytes: Hashable, Comparable, Sendable {
  var array: [UInt8]

  init(_ bytes: some Sequence<UInt8>) { array = Array(bytes) }
  init(_ text: String) { array = Array(text.utf8) }
  init(repeating byte: UInt8, count: Int) { array = [UInt8](repeating: byte, count: count) }

  var count: Int { array.count }
  var isEmpty: Bool { array.isEmpty }

  func starts(with prefix: Bytes) -> Bool { array.starts(with: prefix.array) }

  static func < (left: Bytes, right: Bytes) -> Bool {
    left.array.lexicographicallyPrecedes(right.array)
  }
  static func + (left: Bytes, right: Bytes) -> Bytes { Bytes(left.array + right.array) }
}

extension Bytes: ExpressibleByStringInterpolation {
  init(stringLiteral text: String) { self.init(text) }
}

extension Bytes: ExpressibleByArrayLiteral {
  init(arrayLiteral bytes: UInt8...) { array = bytes }
}

extension Bytes: CustomStringConvertible {
  var description: String {
    let isPrintable = array.allSatisfy { (0x20...0x7e).contains($0) }
    if isPrintable && count <= 40 { return "\"\(String(decoding: array, as: UTF8.self))\"" }
    let shown = array.prefix(24).map { String($0, radix: 16) }.joined(separator: " ")
    return count <= 24 ? "<\(shown)>" : "<\(shown) … \(count) bytes>"
  }
}
