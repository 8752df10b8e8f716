import ArgumentParser
import Glibc
import RoostServer

/// `roostd token`: works on the files of the data directory, whether or not a server runs on it.
struct Token: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Make, list and revoke the tokens of a data directory.",
    discussion: """
      A running server takes over changes within two seconds.

      Examples:
        roostd token create --name billing --grant read,write:invoice: --ttl 90d
        roostd token list
        roostd token revoke 8m3k0q7d
      """,
    subcommands: [
      TokenCreate.self, TokenList.self, TokenRevoke.self, TokenResetAdmin.self,
    ])
}

/// How an answer looks.
enum OutputFormat: String, ExpressibleByArgument, CaseIterable {
  case table, json
}

/// Where the tokens are.
struct TokenPlace: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Where tokens are kept [default: as for the server].", valueName: "DIR"),
    completion: .directory)
  var dataDir: String?

  @Option(
    help: ArgumentHelp("The server's configuration file.", valueName: "FILE"),
    completion: .file(extensions: ["json"]))
  var config: String?

  /// The data directory as the server with this configuration has it.
  func dataDirectory() throws -> String {
    try reporting {
      var flags: [String: [String]] = [:]
      if let dataDir { flags["data-dir"] = [dataDir] }
      if let config { flags["config"] = [config] }
      return try ConfigurationLoader(flags: flags, environment: processEnvironment())
        .load().configuration.dataDirectory
    }
  }
}

/// The variables of this process. Of two with one name the first counts, as for `getenv`.
func processEnvironment() -> [String: String] {
  var result: [String: String] = [:]
  var entry = environ
  while let text = entry.pointee {
    let parts = String(cString: text).split(separator: "=", maxSplits: 1)
    if let name = parts.first, result[String(name)] == nil {
      result[String(name)] = parts.count == 2 ? String(parts[1]) : ""
    }
    entry += 1
  }
  return result
}
