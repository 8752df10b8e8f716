/// Sizes as people write them: `64MiB`, `1GB`, `4096`. Units are B, KiB, MiB, GiB, TiB (powers of
/// 1,024) and KB, MB, GB, TB (powers of 1,000), in either case; no unit means bytes.
public enum SizeText {
  private static let units: [(name: String, bytes: Int64)] = [
    ("tib", 1 << 40), ("gib", 1 << 30), ("mib", 1 << 20), ("kib", 1 << 10),
    ("tb", 1_000_000_000_000), ("gb", 1_000_000_000), ("mb", 1_000_000), ("kb", 1_000),
    ("b", 1), ("", 1),
  ]

  /// The size in bytes; `nil` where the text is none or it does not fit.
  public static func parse(_ text: String) -> Int64? {
    let digits = text.prefix { $0.isASCII && $0.isNumber }
    let unit = text.dropFirst(digits.count).lowercased()
    guard let count = Int64(digits),
      let bytes = units.first(where: { $0.name == unit })?.bytes
    else { return nil }
    let (product, overflow) = count.multipliedReportingOverflow(by: bytes)
    return overflow ? nil : product
  }

  /// A size in the largest power of 1,024 that gives a whole number.
  public static func format(_ bytes: Int64) -> String {
    let names = ["TiB", "GiB", "MiB", "KiB"]
    for (unit, name) in zip(units, names) where bytes != 0 && bytes % unit.bytes == 0 {
      return "\(bytes / unit.bytes)\(name)"
    }
    return bytes == 0 ? "0" : "\(bytes)B"
  }
}

/// Spans of time as people write them: `10s`, `1h30m`, `500ms`. Units are ms, s, m, h and d, each
/// at most once and the largest first; only 0 needs none.
public enum DurationText {
  private static let units: [(name: String, millis: Int64)] = [
    ("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1),
  ]

  /// The span in milliseconds; `nil` where the text is none or it does not fit.
  public static func parseMillis(_ text: String) -> Int64? {
    if text == "0" { return 0 }
    var rest = Substring(text)
    var total: Int64 = 0
    var nextUnit = 0
    while !rest.isEmpty {
      let digits = rest.prefix { $0.isASCII && $0.isNumber }
      rest = rest.dropFirst(digits.count)
      let name = rest.prefix { $0.isLetter }
      rest = rest.dropFirst(name.count)
      guard let count = Int64(digits),
        let unit = units[nextUnit...].firstIndex(where: { $0.name == name })
      else { return nil }
      nextUnit = unit + 1
      let (part, tooLarge) = count.multipliedReportingOverflow(by: units[unit].millis)
      let (sum, overflow) = total.addingReportingOverflow(part)
      if tooLarge || overflow { return nil }
      total = sum
    }
    return text.isEmpty ? nil : total
  }

  /// A span in the largest unit that gives a whole number.
  public static func format(millis: Int64) -> String {
    for unit in units where millis != 0 && millis % unit.millis == 0 {
      return "\(millis / unit.millis)\(unit.name)"
    }
    return "0"
  }
}

extension Duration {
  /// Whole milliseconds, rounded down.
  var millis: Int64 {
    let (seconds, attoseconds) = components
    return seconds * 1_000 + attoseconds / 1_000_000_000_000_000
  }
}
