import ArgumentParser
import RoostServer

/// A flag for each setting. Values stay text here: whichever source a value comes from, the loader
/// checks it in one place.
struct SettingFlags: ParsableArguments {
  @Option(name: .long, help: help("listen"))
  var listen: [String] = []
  @Option(name: .long, help: help("engine"), completion: .list(["memory", "log"]))
  var engine: String?
  @Option(name: .long, help: help("data-dir"), completion: .directory)
  var dataDir: String?
  @Option(name: .long, help: help("sync"), completion: .list(["always", "interval", "never"]))
  var sync: String?
  @Option(name: .long, help: help("sync-interval"))
  var syncInterval: String?
  @Option(name: .long, help: help("snapshot-log-bytes"))
  var snapshotLogBytes: String?
  @Option(name: .long, help: help("snapshot-rate"))
  var snapshotRate: String?
  @Option(name: .long, help: help("auth"), completion: .list(["required", "off"]))
  var auth: String?
  @Option(name: .long, help: help("threads"))
  var threads: String?
  @Option(name: .long, help: help("drain-timeout"))
  var drainTimeout: String?
  @Option(name: .long, help: help("idle-timeout"))
  var idleTimeout: String?
  @Option(name: .long, help: help("max-key-bytes"))
  var maxKeyBytes: String?
  @Option(name: .long, help: help("max-value-bytes"))
  var maxValueBytes: String?
  @Option(name: .long, help: help("max-metadata-bytes"))
  var maxMetadataBytes: String?
  @Option(name: .long, help: help("max-transaction-steps"))
  var maxTransactionSteps: String?
  @Option(name: .long, help: help("max-batch-keys"))
  var maxBatchKeys: String?
  @Option(name: .long, help: help("max-list-items-per-call"))
  var maxListItemsPerCall: String?
  @Option(name: .long, help: help("max-list-items"))
  var maxListItems: String?
  @Option(name: .long, help: help("max-list-bytes"))
  var maxListBytes: String?
  @Option(name: .long, help: help("max-delete-range-keys"))
  var maxDeleteRangeKeys: String?
  @Option(name: .long, help: help("max-connections"))
  var maxConnections: String?
  @Option(name: .long, help: help("max-calls-per-connection"))
  var maxCallsPerConnection: String?
  @Option(name: .long, help: help("max-unread-bytes"))
  var maxUnreadBytes: String?
  @Option(name: .long, help: help("max-memory"))
  var maxMemory: String?
  @Option(name: .long, help: help("max-idempotency-bytes"))
  var maxIdempotencyBytes: String?
  @Option(name: .long, help: help("log-level"), completion: .list(logLevels))
  var logLevel: String?
  @Option(name: .long, help: help("log-format"), completion: .list(["auto", "text", "json"]))
  var logFormat: String?
  @Option(
    name: .long,
    help: ArgumentHelp(
      "A JSON file whose keys are the names of these flags, without dashes before them.",
      valueName: "FILE"),
    completion: .file(extensions: ["json"]))
  var config: String?

  /// The flags that were given, by the names of their settings.
  var values: [String: [String]] {
    let scalars: [String: String?] = [
      "engine": engine, "data-dir": dataDir, "auth": auth, "threads": threads,
      "sync": sync, "sync-interval": syncInterval, "snapshot-log-bytes": snapshotLogBytes,
      "snapshot-rate": snapshotRate,
      "drain-timeout": drainTimeout, "idle-timeout": idleTimeout, "max-key-bytes": maxKeyBytes,
      "max-value-bytes": maxValueBytes, "max-metadata-bytes": maxMetadataBytes,
      "max-transaction-steps": maxTransactionSteps, "max-batch-keys": maxBatchKeys,
      "max-list-items-per-call": maxListItemsPerCall, "max-list-items": maxListItems,
      "max-list-bytes": maxListBytes, "max-delete-range-keys": maxDeleteRangeKeys,
      "max-connections": maxConnections, "max-calls-per-connection": maxCallsPerConnection,
      "max-unread-bytes": maxUnreadBytes, "max-memory": maxMemory, "log-level": logLevel,
      "max-idempotency-bytes": maxIdempotencyBytes, "log-format": logFormat, "config": config,
    ]
    var values = scalars.compactMapValues { $0 }.mapValues { [$0] }
    if !listen.isEmpty { values["listen"] = listen }
    return values
  }
}

private let logLevels = ["trace", "debug", "info", "notice", "warning", "error", "critical"]

/// What the help says of a setting: what it is for, its default and its range.
private func help(_ name: String) -> ArgumentHelp {
  guard let setting = Setting.named(name) else { preconditionFailure("no setting \(name)") }
  return ArgumentHelp(
    "\(setting.summary) [\(setting.allowed); default: \(setting.defaultText)]",
    valueName: setting.valueName)
}
