/// What a `LogEngine` is opened with.
public struct LogEngineConfiguration: Sendable {
  /// Where the log and the snapshots are. Made, for its owner alone, where it is missing; its
  /// parent must be there.
  public var directory: String
  /// Of the engine in front of the log.
  public var memory = MemoryEngineConfiguration()
  /// When the log is synced without being asked to.
  public var policy = SyncPolicy.interval
  /// Between two syncs, in milliseconds, where the policy is `interval`; at least 10.
  public var intervalMillis: Int64 = 1_000
  /// How much the log grows before a snapshot is taken, where it is also twice the last snapshot's
  /// size; 0: snapshots are taken only when asked for.
  public var snapshotLogBytes: Int64 = 64 << 20
  /// What a snapshot reads and writes in a second, at most; 0: as fast as it can.
  public var snapshotBytesPerSecond = 128 << 20
  /// Threads that execute commands and call `LogDurability.endOfTick`.
  public var loopCount = 1
  /// Revisions that are reserved at once; at least four times those that are kept spare.
  var revisionBlock = ChangeLog.usualRevisionBlock
  /// The log can no longer be trusted: what is not durable must not be acknowledged any more.
  /// Whoever runs the engine ends the process.
  public var onFatal: @Sendable (LogError) -> Void = { fatalError("\($0)") }
  /// What happens beside the calls.
  public var onEvent: @Sendable (EngineEvent) -> Void = { _ in }
  /// How far the start has got; called on any of its threads.
  public var onProgress: @Sendable (RecoveryProgress) -> Void = { _ in }

  /// The defaults.
  public init(directory: String) { self.directory = directory }
}

/// What an engine with a log does beside its calls.
public enum EngineEvent: Sendable {
  case snapshotTaken(SnapshotSummary)
  case snapshotFailed(String)
  /// Writes are refused: the reason.
  case writesRefused(String)
  /// Writes are taken again.
  case writesTaken
  /// A sync took as long as this.
  case slowSync(milliseconds: Int64)
}
