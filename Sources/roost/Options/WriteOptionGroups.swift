import ArgumentParser
import RoostAPI

/// What must hold for a write to happen.
struct ConditionOptions: ParsableArguments {
  @Flag(help: "Only where there is no such key.")
  var ifAbsent = false

  @Flag(help: "Only where there is such a key.")
  var ifExists = false

  @Option(
    help: ArgumentHelp("Only where the entry is at this revision.", valueName: "revision"))
  var ifRevision: Int64?

  func validate() throws {
    if [ifAbsent, ifExists, ifRevision != nil].count(where: \.self) > 1 {
      throw ValidationError("use one of --if-absent, --if-exists and --if-revision")
    }
    if let ifRevision, ifRevision < 1 {
      throw ValidationError("--if-revision: a revision is at least 1")
    }
  }

  var condition: Condition? {
    if ifAbsent { return Condition(kind: .exists(false)) }
    if ifExists { return Condition(kind: .exists(true)) }
    return ifRevision.map { Condition(kind: .revision($0)) }
  }
}

/// When the key ends.
struct LifetimeOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp("The key ends after this: 90s, 15m, 1h, 7d.", valueName: "span"))
  var ttl: String?

  @Flag(help: "The key ends when it would have ended before.")
  var keepTTL = false

  func validate() throws {
    if ttl != nil, keepTTL { throw ValidationError("use one of --ttl and --keep-ttl") }
    _ = try expiration
  }

  /// `nil`: the default of the operation. `--ttl never` is that the key never ends.
  var expiration: Expiration? {
    get throws {
      if keepTTL { return Expiration(kind: .keep(true)) }
      guard let ttl, ttl != "never" else { return nil }
      return Expiration(kind: .ttlMs(try LifetimeText.milliseconds(ttl)))
    }
  }
}

/// Reads the span of `--ttl`.
enum LifetimeText {
  static func milliseconds(_ text: String) throws(ValidationError) -> Int64 {
    do { return try DurationText.positiveMilliseconds(text) } catch {
      throw ValidationError("--ttl: \(error.message)")
    }
  }
}

/// How far a write must have got before it is acknowledged, and what makes it known again.
struct DurabilityOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Answer once the write is in memory, logged, or synced to the disk.", valueName: "level"))
  var durability: DurabilityLevel?

  @Option(
    help: ArgumentHelp(
      "Do it once: repeated with this key within 10 minutes, it gets the first answer.",
      valueName: "key"))
  var idempotencyKey: String?

  /// The longest key, in bytes.
  private static let maxKeyBytes = 64

  func validate() throws {
    guard let idempotencyKey else { return }
    if idempotencyKey.isEmpty || idempotencyKey.utf8.count > Self.maxKeyBytes {
      throw ValidationError("--idempotency-key: 1 to \(Self.maxKeyBytes) bytes")
    }
  }

  var writeOptions: WriteOptions? {
    if durability == nil, idempotencyKey == nil { return nil }
    return WriteOptions(
      idempotencyKey: Array((idempotencyKey ?? "").utf8),
      durability: durability?.level ?? .unspecified)
  }
}

/// The levels as arguments spell them.
enum DurabilityLevel: String, CaseIterable, Sendable, ExpressibleByArgument {
  case memory, logged, synced

  var level: Durability {
    switch self {
    case .memory: .memory
    case .logged: .logged
    case .synced: .synced
    }
  }
}
