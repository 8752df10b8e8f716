/// Spans of time as people write them: `250ms`, `90s`, `1h30m`, `1.5h`, `2d`, `1w`.
enum DurationText {
  /// The longest span that can be written; the server allows ten years for a lifetime.
  static let maxMilliseconds: Int64 = 100 * 365 * 86_400_000

  /// Units with their length in milliseconds, the longest first.
  private static let units: [(suffix: String, milliseconds: Int64)] = [
    ("w", 7 * 86_400_000), ("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000),
    ("ms", 1),
  ]

  /// Reads one or more amounts, each with its unit, longer units first or not.
  ///
  /// - Returns: Milliseconds, 0 up to `maxMilliseconds`; a fraction of a millisecond is dropped.
  static func milliseconds(_ text: String) throws(UsageError) -> Int64 {
    var rest = Substring(text)
    var total: Int64 = 0
    if rest.isEmpty { throw malformed(text) }
    while !rest.isEmpty {
      let digits = rest.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
      rest = rest.dropFirst(digits.count)
      let suffix = rest.prefix { $0.isASCII && $0.isLetter }
      rest = rest.dropFirst(suffix.count)
      guard !digits.isEmpty, digits != "." else { throw malformed(text) }
      if suffix.isEmpty {
        throw UsageError(
          "'\(text)' has no unit: write \(digits)s, \(digits)m, \(digits)h or \(digits)ms")
      }
      guard let unit = units.first(where: { $0.suffix == suffix }) else { throw malformed(text) }
      guard let amount = Double(digits) else { throw malformed(text) }
      let span = amount * Double(unit.milliseconds)
      guard span + Double(total) <= Double(maxMilliseconds) else {
        throw UsageError("'\(text)' is longer than 100 years")
      }
      // An integral amount is exact; a fraction goes through the rounding of Double.
      total += Int64(digits).map { $0 * unit.milliseconds } ?? Int64(span.rounded())
    }
    return total
  }

  /// As ``milliseconds(_:)``, but at least one millisecond.
  static func positiveMilliseconds(_ text: String) throws(UsageError) -> Int64 {
    let span = try milliseconds(text)
    guard span > 0 else { throw UsageError("'\(text)' must be at least 1ms") }
    return span
  }

  /// The two longest units that are not zero (`1h30m`, `59m58s`, `2d`), which
  /// ``milliseconds(_:)`` reads again. Below ten seconds with milliseconds.
  static func text(milliseconds: Int64) -> String {
    if milliseconds <= 0 { return "0s" }
    var rest = milliseconds
    if rest >= 10_000 { rest -= rest % 1000 }
    var parts: [String] = []
    for unit in units where rest >= unit.milliseconds && parts.count < 2 {
      if unit.suffix == "w" { continue }
      parts.append("\(rest / unit.milliseconds)\(unit.suffix)")
      rest %= unit.milliseconds
    }
    return parts.joined()
  }

  private static func malformed(_ text: String) -> UsageError {
    UsageError("'\(text)' is not a span of time: write for example 250ms, 90s, 15m, 1h30m or 7d")
  }
}
