import ArgumentParser
import RoostServer

/// `roostd token list`.
struct TokenList: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "list",
    abstract: "List the tokens, without their secrets.",
    discussion: """
      Examples:
        roostd token list
        roostd token list -o json
      """)

  @Option(name: .shortAndLong, help: "A table, or the fields of roost.v1.TokenInfo (json).")
  var output = OutputFormat.table

  @OptionGroup var place: TokenPlace

  func run() throws {
    let directory = try place.dataDirectory()
    let listing = try reporting { try TokenListing(dataDirectory: directory) }
    try answer(output == .json ? listing.json() : listing.table())
  }
}

/// `roostd token revoke`.
struct TokenRevoke: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "revoke",
    abstract: "Make tokens invalid. Exits 1 where there is no such token.",
    discussion: """
      A running server refuses them within two seconds.

      Examples:
        roostd token revoke 8m3k0q7d
      """)

  @Argument(help: ArgumentHelp("What `roostd token list` shows as ID.", valueName: "ID"))
  var ids: [String]

  @OptionGroup var place: TokenPlace

  func validate() throws {
    // A whole token here would end up in the shell's history.
    if ids.contains(where: { $0.hasPrefix("roost_") }) {
      throw ValidationError("give the token's ID, not the token: the 8 characters after roost_")
    }
  }

  func run() throws {
    let directory = try place.dataDirectory()
    var isMissing = false
    try reporting {
      let file = TokenFile(dataDirectory: directory)
      let known = Set(try file.read()?.records.map(\.id) ?? [])
      for id in ids {
        let isRevoked = try known.contains(id) && file.revoke(id: id)
        say(isRevoked ? "Token \(id) is revoked." : "roostd: there is no token \(id)")
        isMissing = isMissing || !isRevoked
      }
    }
    if isMissing { throw ExitStatus.notFound }
  }
}

/// `roostd token reset-admin`.
struct TokenResetAdmin: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "reset-admin",
    abstract: "Make a new admin token, and revoke the one before.",
    discussion: """
      The token goes to admin.token in the data directory and is not printed.

      Examples:
        roostd token reset-admin
      """)

  @OptionGroup var place: TokenPlace

  func run() throws {
    let directory = try place.dataDirectory()
    try reporting {
      if let warning = try DataDirectory.prepare(directory) { say("roostd: \(warning)") }
      let admin = AdminToken(dataDirectory: directory)
      try admin.reset()
      say("The new admin token is in \(admin.path)")
    }
  }
}
