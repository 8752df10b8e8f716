import ArgumentParser
import RoostAPI

/// `roost touch`
struct TouchCommand: StoreCommand {
  static let configuration = CommandConfiguration(
    commandName: "touch",
    abstract: "Changes when a key ends, and nothing else.",
    usage: "roost touch <key> --ttl <span>|never [options]",
    discussion: """
      Exit status 1 where there is no such key.

      EXAMPLES:
        roost touch session:7 --ttl 30m
        roost touch session:7 --ttl never
        roost touch session:7 --ttl 30m --idempotency-key visit-3
      """)

  @Argument(help: "The key.")
  var key: String

  @Option(help: ArgumentHelp("The key ends after this: 90s, 1h, never.", valueName: "span"))
  var ttl: String

  @OptionGroup var durability: DurabilityOptions
  @OptionGroup(title: "Global options") var options: GlobalOptions

  func validate() throws { _ = try expiration }

  private var expiration: Expiration? {
    get throws {
      ttl == "never" ? nil : Expiration(kind: .ttlMs(try LifetimeText.milliseconds(ttl)))
    }
  }

  func execute(_ context: CommandContext) async throws -> ExitStatus {
    let key = try context.arguments.key(key)
    let response = try await context.kv.touch(
      TouchRequest(key: key, expiration: try expiration, options: durability.writeOptions),
      options: context.callOptions)
    guard response.found else {
      context.noteMissing(key)
      return .notFound
    }
    try context.write(
      LifetimeCommand.record(
        key: key, expiresAtMs: response.expiresAtMs, nowMillis: WallClock.nowMillis()))
    return .success
  }
}

/// `roost ttl`
struct LifetimeCommand: StoreCommand {
  static let configuration = CommandConfiguration(
    commandName: "ttl",
    abstract: "Shows how long a key will still be there.",
    usage: "roost ttl <key> [options]",
    discussion: """
      Prints a span that --ttl reads again, or never; off a terminal it is in milliseconds. \
      It is the server's time of the end less this machine's clock. Exit status 1 where there \
      is no such key.

      EXAMPLES:
        roost ttl session:7
        roost set session:8 new --ttl $(roost ttl session:7)
      """)

  @Argument(help: "The key.")
  var key: String

  @OptionGroup(title: "Global options") var options: GlobalOptions

  func execute(_ context: CommandContext) async throws -> ExitStatus {
    let key = try context.arguments.key(key)
    let response = try await context.kv.get(
      GetRequest(key: key, keysOnly: true), options: context.callOptions)
    guard response.found, let entry = response.entry else {
      context.noteMissing(key)
      return .notFound
    }
    try context.write(
      Self.record(key: key, expiresAtMs: entry.expiresAtMs, nowMillis: WallClock.nowMillis()))
    return .success
  }

  /// - Parameter expiresAtMs: Unix time; 0: never.
  static func record(key: [UInt8], expiresAtMs: Int64, nowMillis: Int64) -> Record {
    guard expiresAtMs != 0 else {
      return Record(key: key, plain: "never", sentence: "never")
        .with("ttlMs", .null).with("expiresAtMs", .null)
    }
    // At least 1 ms: the server said that the key is there.
    let rest = max(1, expiresAtMs - nowMillis)
    return Record(key: key, plain: "\(rest)ms", sentence: DurationText.text(milliseconds: rest))
      .with("ttlMs", .integer(rest)).with("expiresAtMs", .integer(expiresAtMs))
  }
}
