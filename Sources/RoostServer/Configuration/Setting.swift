import Logging

/// One thing that can be set, by the flag `--<name>`, by `ROOST_<NAME>` in the environment, or by
/// the key `<name>` of the configuration file.
public struct Setting: Sendable {
  /// In lower case with dashes: `max-value-bytes`.
  public let name: String
  /// What a value is, for usage lines: `SIZE`.
  public let valueName: String
  /// What it is for, in a few words.
  public let summary: String
  /// Which values there are: `1B to 3MiB`.
  public let allowed: String
  /// The value without a flag, a variable or a key.
  public let defaultText: String
  /// Whether there can be more than one value.
  public let isRepeatable: Bool
  /// Sets what the text says; `false` where it is not allowed. Gets at least one value, and one
  /// only where the setting is not repeatable.
  let apply: @Sendable (_ values: [String], inout ServerConfiguration) -> Bool

  /// The variable's name: `ROOST_MAX_VALUE_BYTES`.
  public var environmentName: String { Self.environmentName(name) }

  static func environmentName(_ name: String) -> String {
    "ROOST_" + String(name.uppercased().map { $0 == "-" ? "_" : $0 })
  }

  typealias Path<Value> = WritableKeyPath<ServerConfiguration, Value> & Sendable

  private static let defaults = ServerConfiguration(dataDirectory: "")

  /// A whole number in `range`.
  static func count(
    _ name: String, _ path: any Path<Int>, _ range: ClosedRange<Int>, _ summary: String
  ) -> Setting {
    Setting(
      name: name, valueName: "N", summary: summary,
      allowed: "\(range.lowerBound) to \(range.upperBound)",
      defaultText: "\(defaults[keyPath: path])", isRepeatable: false
    ) { values, configuration in
      guard let value = Int(values[0]), range.contains(value) else { return false }
      configuration[keyPath: path] = value
      return true
    }
  }

  /// A number of bytes in `range`.
  static func size<Size: FixedWidthInteger & Sendable>(
    _ name: String, _ path: any Path<Size>, _ range: ClosedRange<Int64>, zero: String? = nil,
    _ summary: String
  ) -> Setting {
    let bounds = "\(SizeText.format(range.lowerBound)) to \(SizeText.format(range.upperBound))"
    return Setting(
      name: name, valueName: "SIZE", summary: summary,
      allowed: bounds + (zero.map { ", or 0: \($0)" } ?? ""),
      defaultText: SizeText.format(Int64(defaults[keyPath: path])), isRepeatable: false
    ) { values, configuration in
      guard let value = SizeText.parse(values[0]),
        range.contains(value) || zero != nil && value == 0
      else { return false }
      configuration[keyPath: path] = Size(value)
      return true
    }
  }

  /// A span of time in `range`, in milliseconds.
  static func duration(
    _ name: String, _ path: any Path<Duration>, _ range: ClosedRange<Int64>, zero: String?,
    _ summary: String
  ) -> Setting {
    let lower = DurationText.format(millis: range.lowerBound)
    let upper = DurationText.format(millis: range.upperBound)
    return Setting(
      name: name, valueName: "TIME", summary: summary,
      allowed: "\(lower) to \(upper)" + (zero.map { ", or 0: \($0)" } ?? ""),
      defaultText: DurationText.format(millis: defaults[keyPath: path].millis),
      isRepeatable: false
    ) { values, configuration in
      guard let millis = DurationText.parseMillis(values[0]),
        range.contains(millis) || zero != nil && millis == 0
      else { return false }
      configuration[keyPath: path] = .milliseconds(millis)
      return true
    }
  }

  /// One of a few words.
  static func choice<Choice: CaseIterable & RawRepresentable & Sendable>(
    _ name: String, _ path: any Path<Choice>, _ summary: String
  ) -> Setting where Choice.RawValue == String {
    let words = Choice.allCases.map(\.rawValue)
    return Setting(
      name: name, valueName: words.joined(separator: "|"), summary: summary,
      allowed: words.joined(separator: ", "), defaultText: defaults[keyPath: path].rawValue,
      isRepeatable: false
    ) { values, configuration in
      guard let value = Choice(rawValue: values[0]) else { return false }
      configuration[keyPath: path] = value
      return true
    }
  }
}
