/// Where a value came from. Earlier cases win over later ones.
public enum ConfigurationSource: Sendable, Hashable {
  /// The command line.
  case flag
  /// The environment.
  case environment
  /// The file of `--config`.
  case file(path: String)
  /// Nobody set it.
  case defaultValue

  /// How the setting of this name is called where it was set.
  func place(of setting: String) -> String {
    switch self {
    case .flag: "the flag --\(setting)"
    case .environment: "\(Setting.environmentName(setting)) in the environment"
    case .file(let path): "the file \(path)"
    case .defaultValue: "the default"
    }
  }
}

/// A configuration that the server does not start with. Its description is what the operator reads.
public enum ConfigurationError: Error, Sendable, Hashable {
  /// A value is not one of those that are allowed.
  case badValue(setting: String, source: ConfigurationSource, value: String, allowed: String)
  /// The file has a key that is no setting.
  case unknownKey(path: String, key: String, nearest: String?)
  /// The file cannot be read, or it is not a JSON object.
  case badFile(path: String, reason: String)
  /// Each value is allowed, but not both together.
  case contradiction(String)
  /// Neither a data directory nor a home is known.
  case noDataDirectory
  /// The data directory cannot be used.
  case dataDirectory(path: String, reason: String)

  /// The exit code for it: `EX_CONFIG` of `sysexits.h`.
  public static let exitCode: Int32 = 78
}

extension ConfigurationError: CustomStringConvertible {
  /// What is wrong, where it was said, and what is allowed.
  public var description: String {
    switch self {
    case .badValue(let setting, let source, let value, let allowed):
      "\(setting): \(quoted(value)), from \(source.place(of: setting)), is not allowed;"
        + " it takes \(allowed)"
    case .unknownKey(let path, let key, let nearest):
      "\(path): \(quoted(key)) is no setting"
        + (nearest.map { "; did you mean \(quoted($0))?" } ?? "; see roostd --help")
    case .badFile(let path, let reason): "\(path): \(reason)"
    case .contradiction(let text): text
    case .noDataDirectory: "there is no HOME and no XDG_STATE_HOME: give --data-dir"
    case .dataDirectory(let path, let reason): "data directory \(path): \(reason)"
    }
  }
}

/// A text in quotes, with control characters escaped and at most 80 characters long.
func quoted(_ text: String) -> String {
  let scalars = text.unicodeScalars.prefix(80)
  let isCut = scalars.count < text.unicodeScalars.count
  return "\"" + scalars.map { $0.escaped(asASCII: false) }.joined() + (isCut ? "…\"" : "\"")
}
