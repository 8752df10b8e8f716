import ArgumentParser
import RoostServer

/// `roostd token create`.
struct TokenCreate: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "create",
    abstract: "Make a token and print it, once: only its SHA-256 is kept.",
    discussion: """
      A grant is ACTIONS or ACTIONS:PREFIX. Actions are read, write, admin and
      all, with commas between them; without a prefix they are for every key.
      In a prefix \\xHH is the byte HH.

      Examples:
        roostd token create --name billing --grant read,write:invoice: --ttl 90d
        roostd token create --name report --grant read > report.token
        roostd token create --name ops --grant admin --grant read:config/ -o json
      """)

  @Option(help: ArgumentHelp("A name for people.", valueName: "NAME"))
  var name: String

  @Option(
    name: .customLong("grant"),
    help: ArgumentHelp("What it allows; may be given more than once.", valueName: "GRANT"),
    transform: { text in
      do { return try GrantText.parse(text) } catch { throw ValidationError("\(error)") }
    })
  var grants: [AccessGrant]

  @Option(
    help: ArgumentHelp("How long it is valid: 1s to 3650d [default: for ever].", valueName: "TIME"))
  var ttl: String?

  @Option(name: .shortAndLong, help: "Print the token alone (table), or all about it (json).")
  var output = OutputFormat.table

  @OptionGroup var place: TokenPlace

  private static let ttlMillis: ClosedRange<Int64> = 1_000...315_360_000_000

  func validate() throws {
    if name == AdminToken.name {
      throw ValidationError(
        "the name \(name) is kept for the token in \(AdminToken.fileName): use reset-admin")
    }
    if grants.isEmpty { throw ValidationError("give at least one --grant, like --grant read") }
    if let ttl, !(DurationText.parseMillis(ttl).map(Self.ttlMillis.contains) ?? false) {
      throw ValidationError("--ttl \(ttl): it takes 1s to 3650d, like 90d or 1h30m")
    }
  }

  func run() throws {
    let directory = try place.dataDirectory()
    try reporting {
      if let warning = try DataDirectory.prepare(directory) { say("roostd: \(warning)") }
      let admin = AdminToken(dataDirectory: directory)
      if try admin.createAtFirstStart() { say("The admin token is in \(admin.path)") }
      let now = WallClock.nowMillis()
      let expiry = ttl.flatMap(DurationText.parseMillis).map { now + $0 } ?? 0
      let (token, record) = try TokenFile(dataDirectory: directory).create(
        name: name, grants: grants, expiresAtMillis: expiry, nowMillis: now)
      let lost = """
        token \(record.id) was made all the same, and cannot be shown again: revoke it with \
        roostd token revoke \(record.id) --data-dir \(directory), and make another
        """
      switch output {
      case .table:
        try answer(token, otherwise: lost)
        say("Token \(record.id) was made. This is the only time that it is shown.")
      case .json:
        try answer(TokenListing.json(token: token, record: record), otherwise: lost)
      }
    }
  }
}
