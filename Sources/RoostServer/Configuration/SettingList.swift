import Logging
import Reactor

extension Setting {
  /// Every setting, in the order of the help. `config`, which names the file, is none of them.
  public static let all: [Setting] =
    [listen, engine, dataDirectory, sync, syncInterval, snapshotLogBytes, snapshotRate]
    + [auth, threads, drainTimeout, idleTimeout]
    + limits + [maxMemory, maxIdempotency, logLevel, logFormat]

  /// The setting of this name; `nil` where there is none.
  public static func named(_ name: String) -> Setting? { all.first { $0.name == name } }

  static let listen = Setting(
    name: "listen", valueName: "ADDRESS", summary: "Where to listen; may be given more than once.",
    allowed: "tcp://HOST:PORT (port 0: any free one) or unix:///PATH",
    defaultText: "tcp://127.0.0.1:7667", isRepeatable: true
  ) { values, configuration in
    guard values.allSatisfy({ (try? ListenAddress(parsing: $0)) != nil }) else { return false }
    configuration.listen = values
    return true
  }

  static let dataDirectory = Setting(
    name: "data-dir", valueName: "DIR", summary: "Where tokens and data are kept.",
    allowed: "a directory, which is made where there is none",
    defaultText: "$XDG_STATE_HOME/roost, else ~/.local/state/roost", isRepeatable: false
  ) { values, configuration in
    guard !values[0].isEmpty, !values[0].utf8.contains(0) else { return false }
    configuration.dataDirectory = values[0]
    return true
  }

  static let engine = choice("engine", \.engine, "The storage engine.")
  static let sync = choice(
    "sync", \.sync, "When the log is made safe against power loss: before answers, or later.")
  static let syncInterval = duration(
    "sync-interval", \.syncInterval, 10...60_000, zero: nil,
    "Between two syncs, with --sync interval.")
  static let snapshotLogBytes = size(
    "snapshot-log-bytes", \.snapshotLogBytes, 1 << 20...1 << 40, zero: "only when asked for",
    "Growth of the log that leads to a snapshot, if it is twice the last one's size.")
  static let snapshotRate = size(
    "snapshot-rate", \.snapshotBytesPerSecond, 1 << 20...1 << 40, zero: "no limit",
    "What a snapshot reads and writes in a second.")
  static let auth = choice(
    "auth", \.auth, "Whether calls need a token; off only on loopback and Unix sockets.")
  static let threads = count("threads", \.threads, 1...256, "Event loops.")
  static let drainTimeout = duration(
    "drain-timeout", \.drainTimeout, 1...600_000, zero: "do not wait",
    "How long calls in flight may go on at shutdown.")
  static let idleTimeout = duration(
    "idle-timeout", \.idleTimeout, 1_000...604_800_000, zero: "never",
    "When a silent connection is closed.")
  static let maxMemory = size(
    "max-memory", \.maxMemoryBytes, 1 << 20...1 << 44, zero: "no limit",
    "What keys, values and their index may take; over it writes are refused.")
  static let maxIdempotency = size(
    "max-idempotency-bytes", \.maxIdempotencyBytes, 1 << 20...1 << 40,
    "What answers of idempotency keys may take; over it the oldest go.")
  static let logLevel = choice("log-level", \.logLevel, "The least important level to log.")
  static let logFormat = choice(
    "log-format", \.logFormat, "How log lines look; auto: text on a terminal, else JSON.")

  /// The parts of `ServerLimits`.
  static let limits: [Setting] = [
    size("max-key-bytes", \.limits.maxKeyBytes, 1...4 << 10, "The longest key."),
    size("max-value-bytes", \.limits.maxValueBytes, 1...3 << 20, "The longest value or item."),
    size(
      "max-metadata-bytes", \.limits.maxMetadataBytes, 256...64 << 10,
      "All metadata of one call."),
    count(
      "max-transaction-steps", \.limits.maxTransactionSteps, 1...128,
      "Compares, and steps of each branch, of one transaction."),
    count("max-batch-keys", \.limits.maxBatchKeys, 1...1_000, "Keys of one batch read."),
    count(
      "max-list-items-per-call", \.limits.maxListItemsPerCall, 1...1_000,
      "Items of one push or pop."),
    count("max-list-items", \.limits.maxListItems, 1...1_000_000, "Items of one list."),
    size("max-list-bytes", \.limits.maxListBytes, 1...64 << 20, "Bytes of one list."),
    count(
      "max-delete-range-keys", \.limits.maxDeleteRangeKeys, 1...1_000_000,
      "Keys that one delete of a range may remove; over it nothing is."),
    count("max-connections", \.limits.maxConnections, 1...1_000_000, "Open connections."),
    count(
      "max-calls-per-connection", \.limits.maxCallsPerConnection, 1...65_536,
      "Calls in flight on one connection."),
    size(
      "max-unread-bytes", \.limits.maxUnreadBytes, 4 << 20...1 << 30,
      "Unread answers after which a connection is closed."),
  ]
}
