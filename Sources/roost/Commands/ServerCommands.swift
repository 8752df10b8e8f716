import ArgumentParser
import Glibc
import RoostAPI

/// `roost ping`
struct PingCommand: StoreCommand {
  static let configuration = CommandConfiguration(
    commandName: "ping",
    abstract: "Asks the server for an answer, and says how long it took.",
    usage: "roost ping [--count <count>] [options]",
    discussion: """
      Needs no token. Off a terminal it prints the time in milliseconds. The first includes \
      the connection.

      EXAMPLES:
        roost ping
        roost ping --count 10
        until roost ping; do sleep 1; done
      """)

  @Option(
    name: [.customShort("n"), .long], help: ArgumentHelp("How many times.", valueName: "count"))
  var count = 1

  @OptionGroup(title: "Global options") var options: GlobalOptions

  func validate() throws {
    if count < 1 { throw ValidationError("--count: at least 1") }
  }

  func execute(_ context: CommandContext) async throws -> ExitStatus {
    let admin = try context.admin
    let callOptions = try context.connect().anonymousCallOptions
    for index in 0..<count {
      let payload = Array(String(index).utf8)
      let start = MonotonicClock.nowNanos()
      let response = try await admin.ping(
        PingRequest(payload: payload), options: callOptions)
      let micros = Int64((MonotonicClock.nowNanos() - start) / 1000)
      guard response.payload == payload else {
        throw CommandFailure(.other, "the server answered another ping than this one")
      }
      let millis = "\(micros / 1000).\(String(String(micros % 1000 + 1000).dropFirst()))"
      let record = Record(plain: millis, sentence: "pong in \(millis) ms")
        .with("micros", .integer(micros))
      try context.write(record)
      try context.output.flush()
    }
    return .success
  }
}

/// `roost status`
struct StatusCommand: StoreCommand {
  static let configuration = CommandConfiguration(
    commandName: "status",
    abstract: "Shows the server's version, size and load.",
    usage: "roost status [options]",
    discussion: """
      Needs any valid token. Simple output is a line for each field, with a tab before the value.

      EXAMPLES:
        roost status
        roost status -o json | jq .keyCount
      """)

  @OptionGroup(title: "Global options") var options: GlobalOptions

  func execute(_ context: CommandContext) async throws -> ExitStatus {
    let status = try await context.admin.status(StatusRequest(), options: context.callOptions)
    let sheet = FieldSheet([
      .init("version", .text(status.version)),
      .init("engine", .text(status.engine)),
      .init(
        "uptimeMs", .integer(status.uptimeMs),
        shown: DurationText.text(milliseconds: status.uptimeMs)),
      .init("revision", .integer(status.revision)),
      .init("durableRevision", .integer(status.durableRevision)),
      .init("keyCount", .integer(status.keyCount)),
      .init("memoryBytes", .integer(status.memoryBytes), shown: ByteCount.text(status.memoryBytes)),
      .init("logBytes", .integer(status.logBytes), shown: ByteCount.text(status.logBytes)),
      .init(
        "idempotencyBytes", .integer(status.idempotencyBytes),
        shown: ByteCount.text(status.idempotencyBytes)),
      .init(
        "idempotencyWindowMs", .integer(status.idempotencyWindowMs),
        shown: DurationText.text(milliseconds: status.idempotencyWindowMs)),
      .init("connectionCount", .integer(status.connectionCount)),
      .init("callCount", .integer(status.callCount)),
      .init("draining", .bool(status.draining)),
    ])
    try context.output.write(sheet.rendered(context.presentation(terminalDefault: .table)))
    return .success
  }
}

/// `roost whoami`
struct WhoAmICommand: StoreCommand {
  static let configuration = CommandConfiguration(
    commandName: "whoami",
    abstract: "Shows what the token is called and what it may do.",
    usage: "roost whoami [options]",
    discussion: """
      EXAMPLES:
        roost whoami
        roost whoami --token-file ci.token -o json
      """)

  @OptionGroup(title: "Global options") var options: GlobalOptions

  func execute(_ context: CommandContext) async throws -> ExitStatus {
    let response = try await context.auth.whoAmI(WhoAmIRequest(), options: context.callOptions)
    let token = response.token ?? TokenInfo()
    let presentation = context.presentation(terminalDefault: .table)
    let sheet = FieldSheet([
      .init("id", .text(token.id)),
      .init("name", .text(token.name)),
      .init("grants", .list(token.grants.map { Self.grant($0) })),
      .init("createdAtMs", .integer(token.createdAtMs), shown: UTCTime.text(token.createdAtMs)),
      .init(
        "expiresAtMs", token.expiresAtMs == 0 ? .null : .integer(token.expiresAtMs),
        shown: token.expiresAtMs == 0 ? "never" : UTCTime.text(token.expiresAtMs)),
      .init(
        "lastUsedAtMs", token.lastUsedAtMs == 0 ? .null : .integer(token.lastUsedAtMs),
        shown: token.lastUsedAtMs == 0 ? "not yet" : UTCTime.text(token.lastUsedAtMs)),
    ])
    try context.output.write(sheet.rendered(presentation))
    return .success
  }

  /// As `roostd token create --grant` reads it: `read,write:user:`, without a prefix for all keys.
  private static func grant(_ grant: Grant) -> String {
    let actions = grant.actions.map { action in
      switch action {
      case .read: "read"
      case .write: "write"
      case .admin: "admin"
      case .unspecified, .unrecognized: "unknown"
      }
    }
    let prefix = grant.prefix.isEmpty ? "" : ":" + EscapedText.line(grant.prefix)
    return actions.joined(separator: ",") + prefix
  }
}

/// The clock that spans of time are measured with.
enum MonotonicClock {
  static func nowNanos() -> UInt64 {
    var now = timespec()
    clock_gettime(CLOCK_MONOTONIC, &now)
    return UInt64(now.tv_sec) * 1_000_000_000 + UInt64(now.tv_nsec)
  }
}
