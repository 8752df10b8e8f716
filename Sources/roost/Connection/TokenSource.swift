/// Where the token of the calls comes from. The first of these that is given is used, also where
/// it turns out to be empty: the option, `ROOST_TOKEN`, `ROOST_TOKEN_FILE`, and then, only for a
/// server on this machine, `admin.token` in the server's data directory.
struct TokenSource: Equatable, Sendable {
  /// What is sent; `nil`: no token was found, and the calls go without.
  let token: String?
  /// Where it was found, or where it was looked for; for messages. Never the token itself.
  let origin: String

  /// Longer than any token: a file of more was named by mistake, and is not sent anywhere.
  static let maxTokenBytes = 1024

  /// - Throws: `CommandFailure` with `ExitStatus.permission` where a file that was named cannot
  ///   be read, is empty, or holds no token.
  init(
    tokenFile: String?, environment: Environment, endpoint: EndpointText,
    readFile: (String) throws(UsageError) -> [UInt8] = { (path) throws(UsageError) in
      try ByteSource.file(path)
    }
  ) throws(CommandFailure) {
    if let tokenFile {
      token = try Self.token(inFile: tokenFile, from: "--token-file", readFile)
      origin = "the file '\(tokenFile)' (--token-file)"
    } else if let value = environment["ROOST_TOKEN"] {
      token = Self.trimmed(value)
      origin = "ROOST_TOKEN"
    } else if let path = environment["ROOST_TOKEN_FILE"], !path.isEmpty {
      token = try Self.token(inFile: path, from: "ROOST_TOKEN_FILE", readFile)
      origin = "the file '\(path)' (ROOST_TOKEN_FILE)"
    } else if !endpoint.isLocal {
      token = nil
      origin = "nowhere (the admin token of this machine is never sent to another one)"
    } else if let directory = DataDirectory.path(environment) {
      let path = directory + "/admin.token"
      // Absent or not readable for this user: the server may need none.
      let bytes = try? readFile(path)
      let found = bytes.map { Self.trimmed(String(decoding: $0, as: UTF8.self)) } ?? ""
      token = found.isEmpty ? nil : found
      origin = "'\(path)'"
    } else {
      token = nil
      origin = "nowhere (HOME is not set)"
    }
  }

  private static func token(
    inFile path: String, from setting: String, _ readFile: (String) throws(UsageError) -> [UInt8]
  ) throws(CommandFailure) -> String {
    let bytes: [UInt8]
    do { bytes = try readFile(path) } catch {
      throw CommandFailure(.permission, "\(setting): \(error.message)")
    }
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw CommandFailure(.permission, "\(setting): '\(path)' holds no token: it is not text")
    }
    let token = trimmed(text)
    guard token.utf8.count <= maxTokenBytes else {
      throw CommandFailure(.permission, "\(setting): '\(path)' holds no token: it is too long")
    }
    guard !token.isEmpty else {
      throw CommandFailure(
        .permission, "\(setting): '\(path)' is empty",
        advice: "make a token with: roostd token create --name NAME --grant read,write:PREFIX")
    }
    return token
  }

  private static func trimmed(_ text: String) -> String {
    let isSpace: (Character) -> Bool = { $0.isWhitespace }
    var rest = text.drop(while: isSpace)
    while let last = rest.last, isSpace(last) { rest.removeLast() }
    return String(rest)
  }
}

/// Where a server of this user keeps its data, unless it was told otherwise.
enum DataDirectory {
  /// `ROOST_DATA_DIR`, else `$XDG_STATE_HOME/roost`, else `~/.local/state/roost`; `nil` where
  /// none of the variables is set.
  static func path(_ environment: Environment) -> String? {
    if let path = environment["ROOST_DATA_DIR"], !path.isEmpty { return path }
    // The XDG base directory specification: a relative path is invalid and ignored.
    if let state = environment["XDG_STATE_HOME"], state.hasPrefix("/") { return state + "/roost" }
    if let home = environment["HOME"], !home.isEmpty { return home + "/.local/state/roost" }
    return nil
  }
}
