/// Bytes as hexadecimal digits, two a byte: how arguments and terminals carry any byte.
enum HexText {
  /// Reads digits of either case; spaces, colons and a leading `0x` are allowed between bytes.
  static func bytes(_ text: some StringProtocol) throws(UsageError) -> [UInt8] {
    var digits: [UInt8] = []
    digits.reserveCapacity(text.utf8.count)
    let body = text.hasPrefix("0x") ? text.dropFirst(2) : text[...]
    for byte in body.utf8 {
      if byte == UInt8(ascii: " ") || byte == UInt8(ascii: ":") || byte == UInt8(ascii: "\n") {
        continue
      }
      guard let digit = digit(byte) else {
        throw UsageError("'\(text)' is not hexadecimal: use 0-9 and a-f, two digits a byte")
      }
      digits.append(digit)
    }
    guard digits.count.isMultiple(of: 2) else {
      throw UsageError("'\(text)' has an odd number of hexadecimal digits: write two for each byte")
    }
    return stride(from: 0, to: digits.count, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
  }

  /// Lower-case digits without separators.
  static func text(_ bytes: some Sequence<UInt8>) -> String {
    let digits = Array("0123456789abcdef".utf8)
    var text: [UInt8] = []
    text.reserveCapacity(bytes.underestimatedCount * 2)
    for byte in bytes {
      text.append(digits[Int(byte >> 4)])
      text.append(digits[Int(byte & 15)])
    }
    return String(decoding: text, as: UTF8.self)
  }

  private static func digit(_ byte: UInt8) -> UInt8? {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
    case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
    default: nil
    }
  }
}
