import Glibc

/// The directory of tokens and data.
public enum DataDirectory {
  /// `$XDG_STATE_HOME/roost`, else `~/.local/state/roost`. A relative `XDG_STATE_HOME` does not
  /// count, as the XDG Base Directory Specification has it.
  public static func defaultPath(
    environment: [String: String]
  ) throws(ConfigurationError) -> String {
    if let state = environment["XDG_STATE_HOME"], state.hasPrefix("/") { return state + "/roost" }
    guard let home = environment["HOME"], home.hasPrefix("/") else { throw .noDataDirectory }
    return (home == "/" ? "" : home) + "/.local/state/roost"
  }

  /// Makes the directory, with those above it, for its owner only. One that is there is left as it
  /// is.
  /// - Returns: what the operator should know of its permissions; `nil` where they are fine.
  public static func prepare(_ path: String) throws(ConfigurationError) -> String? {
    try make(path)
    var status = stat()
    guard stat(path, &status) == 0 else { throw failure(path) }
    guard status.st_mode & S_IFMT == S_IFDIR else {
      throw .dataDirectory(path: path, reason: "it is not a directory")
    }
    guard access(path, R_OK | W_OK | X_OK) == 0 else { throw failure(path) }
    let others = status.st_mode & 0o022
    return others == 0 ? nil : "others may write the data directory: chmod go-w \(path)"
  }

  private static func make(_ path: String) throws(ConfigurationError) {
    if mkdir(path, 0o700) == 0 || errno == EEXIST { return }
    guard errno == ENOENT, let slash = path.lastIndex(of: "/"), slash != path.startIndex else {
      throw failure(path)
    }
    try make(String(path[..<slash]))
    guard mkdir(path, 0o700) == 0 || errno == EEXIST else { throw failure(path) }
  }

  private static func failure(_ path: String) -> ConfigurationError {
    .dataDirectory(path: path, reason: String(cString: strerror(errno)))
  }
}
