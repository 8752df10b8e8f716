import Glibc
import RoostAPI

/// How parts of log lines are written, so that one event is one line, whatever is in it.
enum LogText {
  /// The longest message or value of a line, in characters of Unicode.
  static let maxPartScalars = 600

  /// A text without control characters, cut where it is too long.
  static func escape(_ text: String) -> String {
    var result = ""
    for (index, scalar) in text.unicodeScalars.enumerated() {
      if index == maxPartScalars { return result + "…" }
      if isUnsafe(scalar) {
        result += "\\u{" + String(scalar.value, radix: 16) + "}"
      } else {
        result.unicodeScalars.append(scalar)
      }
    }
    return result
  }

  /// A text as a value after `key=`: in quotes where it has a space or is empty.
  static func value(_ text: String) -> String {
    let escaped = escape(text)
    let needsQuotes: Set<Character> = [" ", "\"", "="]
    if !escaped.isEmpty, !escaped.contains(where: needsQuotes.contains) { return escaped }
    return "\"" + escaped.map { $0 == "\"" ? "\\\"" : String($0) }.joined() + "\""
  }

  /// A text as a JSON string, with its quotes.
  static func json(_ text: String) -> String {
    var result = "\""
    for (index, scalar) in text.unicodeScalars.enumerated() {
      if index == maxPartScalars {
        result += "…"
        break
      }
      switch scalar {
      case "\"": result += "\\\""
      case "\\": result += "\\\\"
      case _ where isUnsafe(scalar) && scalar.value < 0x10000:
        let digits = String(scalar.value, radix: 16)
        result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result + "\""
  }

  /// Control characters, and what makes a terminal or a viewer show a line as another one.
  private static func isUnsafe(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.properties.generalCategory {
    case .control, .format, .lineSeparator, .paragraphSeparator: true
    default: false
    }
  }

  /// The text without the secret of any token in it. Nothing logs a token; this holds where
  /// something that a caller sent is logged and has one.
  static func withoutSecrets(_ text: String) -> String {
    let mark = Array("roost_".utf8)
    let secretByteCount = TokenFormat.byteCount - mark.count - TokenFormat.idByteCount - 1
    let bytes = Array(text.utf8)
    guard bytes.count > mark.count + TokenFormat.idByteCount else { return text }
    var result: [UInt8] = []
    result.reserveCapacity(bytes.count)
    var index = 0
    while index < bytes.count {
      let secret = index + mark.count + TokenFormat.idByteCount + 1
      let isToken =
        secret <= bytes.count && bytes[index...].starts(with: mark)
        && bytes[secret - 1] == UInt8(ascii: "_")
      guard isToken else {
        result.append(bytes[index])
        index += 1
        continue
      }
      result += bytes[index..<secret] + Array("[secret]".utf8)
      index = secret
      let end = min(bytes.count, secret + secretByteCount)
      while index < end, isWord(bytes[index]) { index += 1 }
    }
    return String(decoding: result, as: UTF8.self)
  }

  private static func isWord(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "a")...UInt8(ascii: "z"):
      true
    default: false
    }
  }

  /// A time as RFC 3339 has it, in UTC with milliseconds.
  static func timestamp(millis: Int64) -> String {
    var seconds = time_t(millis / 1_000)
    var parts = tm()
    gmtime_r(&seconds, &parts)
    func padded(_ value: Int32, _ width: Int = 2) -> String {
      let digits = String(value)
      return String(repeating: "0", count: max(0, width - digits.count)) + digits
    }
    return "\(padded(parts.tm_year + 1900, 4))-\(padded(parts.tm_mon + 1))-\(padded(parts.tm_mday))"
      + "T\(padded(parts.tm_hour)):\(padded(parts.tm_min)):\(padded(parts.tm_sec))"
      + ".\(padded(Int32(millis % 1_000), 3))Z"
  }
}
