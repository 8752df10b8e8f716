import Logging
import RoostStore

/// Where the data lives.
public enum EngineKind: String, Sendable, Hashable, CaseIterable {
  /// Volatile: a restart forgets everything.
  case memory
  /// Memory in front of a durable log.
  case log
}

/// Whether calls need a token.
public enum AuthMode: String, Sendable, Hashable, CaseIterable {
  /// Every call but Ping needs a valid token.
  case required
  /// Every call is allowed everything. Only on loopback and Unix sockets.
  case off
}

/// How log lines look.
public enum LogFormat: String, Sendable, Hashable, CaseIterable {
  /// Text where standard error is a terminal, else JSON.
  case auto
  /// One readable line each.
  case text
  /// One JSON object a line.
  case json
}

/// All that can be set about a server. What a flag, the environment and a file say is merged into
/// this by `ConfigurationLoader`; a value that comes from there is within `Setting`'s bounds.
public struct ServerConfiguration: Sendable {
  /// Where to listen, as `tcp://host:port` or `unix:///path`. At least one.
  public var listen: [String] = ["tcp://127.0.0.1:7667"]
  /// The storage engine.
  public var engine = EngineKind.log
  /// When the log is synced without being asked to.
  public var sync = SyncPolicy.interval
  /// Between two syncs, where that is how the log is synced.
  public var syncInterval: Duration = .seconds(1)
  /// How much the log grows before a snapshot is taken, where it is also twice the last
  /// snapshot's size; 0: snapshots are taken only when asked for.
  public var snapshotLogBytes: Int64 = 64 << 20
  /// What a snapshot reads and writes in a second, at most; 0: as fast as it can.
  public var snapshotBytesPerSecond: Int64 = 128 << 20
  /// Where tokens are kept, and what the engine writes.
  public var dataDirectory: String
  /// Whether calls need a token.
  public var auth = AuthMode.required
  /// Event loops, each a thread of its own.
  public var threads = 1
  /// How long calls in flight may go on after the server was told to stop.
  public var drainTimeout: Duration = .seconds(10)
  /// A connection without a call in flight is closed after so long a silence; zero: never.
  public var idleTimeout: Duration = .seconds(3600)
  /// What calls and connections are held to.
  public var limits = ServerLimits()
  /// Keys, values and their index take at most so many bytes; 0: no limit.
  public var maxMemoryBytes: Int64 = 0
  /// What the answers that idempotency keys have may take; over it the oldest go.
  public var maxIdempotencyBytes = 64 << 20
  /// The least important level that is logged.
  public var logLevel = Logger.Level.info
  /// How log lines look.
  public var logFormat = LogFormat.auto

  /// The defaults, with the data in `dataDirectory`.
  public init(dataDirectory: String) { self.dataDirectory = dataDirectory }
}

/// What calls and connections are held to. The upper bounds are those of the protocol and of the
/// API; see `Setting`.
public struct ServerLimits: Sendable, Hashable {
  /// The longest key, in bytes.
  public var maxKeyBytes = 4096
  /// The longest value and the longest item of a list, in bytes.
  public var maxValueBytes = 1 << 20
  /// All keys and values of one call's metadata, in bytes.
  public var maxMetadataBytes = 8 << 10
  /// Compares, and steps of each branch, of one transaction.
  public var maxTransactionSteps = 128
  /// Keys of one batch read.
  public var maxBatchKeys = 1_000
  /// Items of one push or pop.
  public var maxListItemsPerCall = 1_000
  /// Items of one list.
  public var maxListItems = 1_000_000
  /// Bytes of one list.
  public var maxListBytes = 64 << 20
  /// Keys that one delete of a range may remove; over it nothing is deleted.
  public var maxDeleteRangeKeys = 10_000
  /// Open connections.
  public var maxConnections = 10_000
  /// Calls in flight on one connection.
  public var maxCallsPerConnection = 1_024
  /// Answers that a peer has not read yet, in bytes; over it the connection is closed.
  public var maxUnreadBytes = 8 << 20

  /// The defaults.
  public init() {}
}
