#if canImport(Glibc)
  import Glibc
#endif

/// The durable engine: a `MemoryEngine` in front of an append-only log with snapshots.
///
/// Commands are answered at once, from memory; whoever sends the answers asks `durability` what
/// they have to wait for.
public final class LogEngine: StorageEngine {
  /// `log`.
  public var name: String { "log" }

  /// Executes the commands.
  public let data: MemoryEngine
  /// What answers wait for.
  public let durability: LogDurability
  /// What the start found.
  public let report: RecoveryReport

  private let snapshots: SnapshotTaker
  private let lock: DirectoryLock

  public var logDurability: LogDurability? { durability }

  /// Opens a directory: loads what is there, and cuts off what a crash has left unfinished.
  /// - Throws: `LogError`, where something is damaged that was durable, or the disk fails.
  public init(_ configuration: LogEngineConfiguration) throws(LogError) {
    let start = ContinuousClock.now
    try DataFolder.create(configuration.directory)
    let folder = try DataFolder(configuration.directory)
    lock = try DirectoryLock(folder)

    let memory = RestartableEngine(configuration.memory)
    var recovery = try Recovery(
      configuration.directory, isReadOnly: false, makeShards: { memory.restart() },
      keepAnswer: { memory.keepAnswer($0, revision: $1) },
      onProgress: configuration.onProgress)
    let found = try recovery.run()
    data = memory.engine
    data.answers.finishLoading(now: data.time.now)
    let space = LogSpace()
    let advance = AdvanceRelay()
    let log = try Self.makeLog(data, found, space, configuration.revisionBlock)
    let writer = try Self.makeWriter(log, folder, found, configuration, advance)
    durability = LogDurability(
      writer: writer, policy: configuration.policy,
      intervalMillis: max(configuration.intervalMillis, 10),
      loopCount: configuration.loopCount, advance: advance)
    snapshots = SnapshotTaker(
      data, writer, logBytes: configuration.snapshotLogBytes,
      bytesPerSecond: configuration.snapshotBytesPerSecond, found: found,
      onEvent: configuration.onEvent)
    var report = found.report
    report.duration = .now - start
    self.report = report
    try Self.reserveRevisions(log, writer)
    data.connect(log)
    if configuration.memory.sweepsInBackground { data.sweeper.start() }
    durability.start()
    snapshots.start()
  }

  private static func makeLog(
    _ data: MemoryEngine, _ found: Recovery.Outcome, _ space: LogSpace, _ revisionBlock: Int64
  ) throws(LogError) -> ChangeLog {
    // Those between the last revision and the limit may have been issued, and shown.
    let revision = max(found.lastRevision, found.revisionLimit)
    data.shards.revisions.pointee.store(revision, ordering: .relaxed)
    return ChangeLog(
      storeID: found.storeID ?? .random(), nextSequence: found.nextSequence,
      revisionLimit: revision, revisionBlock: revisionBlock, space: space,
      revisions: data.shards.revisions, time: data.time)
  }

  private static func makeWriter(
    _ log: ChangeLog, _ folder: consuming DataFolder, _ found: Recovery.Outcome,
    _ configuration: LogEngineConfiguration, _ advance: AdvanceRelay
  ) throws(LogError) -> LogWriter {
    let segment: OpenSegment
    if let open = found.openSegment {
      segment = try OpenSegment(
        in: folder, firstSequence: open.firstSequence, endOffset: open.endOffset)
      // What was replayed from it will be shown, so it must be durable first.
      try segment.file.sync()
    } else {
      segment = try OpenSegment(
        in: folder, storeID: log.storeID, firstSequence: found.nextSequence)
    }
    let onEvent = configuration.onEvent
    return LogWriter(
      log: log, folder: folder, segment: segment, nextSequence: found.nextSequence,
      finishedBytes: found.finishedBytes, onFatal: configuration.onFatal,
      onTrouble: { reason in
        onEvent(reason.map { .writesRefused($0) } ?? .writesTaken)
        advance.call()
      }, onSlowSync: { onEvent(.slowSync(milliseconds: $0)) })
  }

  /// No revision is issued before the log says durably that it may have been.
  private static func reserveRevisions(
    _ log: ChangeLog, _ writer: LogWriter
  ) throws(LogError) {
    let limit = log.newestRevision + log.revisionBlock
    log.append(revisionLimit: limit)
    writer.sync()
    guard !log.space.isBroken else { throw .notPossible(log.space.reason) }
    log.raiseRevisionLimit(to: limit)
  }

  // MARK: Snapshots

  /// Takes a snapshot now; `completion` is called on another thread.
  public func takeSnapshot(
    _ completion: @escaping @Sendable (Result<SnapshotSummary, LogError>) -> Void
  ) {
    snapshots.request(completion)
  }

  // MARK: Status and end

  public func status() -> EngineStatus {
    var status = data.status()
    status.durableRevision = durability.durableRevision
    status.logBytes = durability.writer.byteCount
    return status
  }

  deinit { stopThreads() }

  /// Stops the threads and nothing else: what was not written is lost, as in a crash.
  func stopThreads() {
    snapshots.stop()
    data.close()
    durability.stop()
  }

  /// Stops the threads; all that was acknowledged is durable then, and the next start reads
  /// nothing twice.
  public func close() {
    stopThreads()
    let log = durability.writer.log
    log.append(revisionLimit: log.newestRevision)
    durability.sync()
    durability.writer.markWhenIdle()
    durability.sync()
    lock.release()
  }

  // MARK: Commands

  public func hash(_ key: UnsafeRawBufferPointer) -> UInt64 { data.hash(key) }
  public func prefetchSlot(_ hash: UInt64) { data.prefetchSlot(hash) }
  public func prefetchEntry(_ hash: UInt64) { data.prefetchEntry(hash) }

  public func get(
    _ command: GetCommand, _ reply: ReplyArena, later: Later<EntryRef?>
  ) throws(StoreError) -> Answer<EntryRef?> { try data.get(command, reply, later: later) }

  public func batchGet(
    _ keys: UnsafeBufferPointer<KeyRef>, keysOnly: Bool, _ reply: ReplyArena,
    later: Later<BatchGetResult>
  ) throws(StoreError) -> Answer<BatchGetResult> {
    try data.batchGet(keys, keysOnly: keysOnly, reply, later: later)
  }

  public func set(
    _ command: SetCommand, _ reply: ReplyArena, later: Later<SetResult>
  ) throws(StoreError) -> Answer<SetResult> { try data.set(command, reply, later: later) }

  public func delete(
    _ command: DeleteCommand, _ reply: ReplyArena, later: Later<DeleteResult>
  ) throws(StoreError) -> Answer<DeleteResult> { try data.delete(command, reply, later: later) }

  public func deleteRange(
    _ command: DeleteRangeCommand, _ reply: ReplyArena, later: Later<DeleteRangeResult>
  ) throws(StoreError) -> Answer<DeleteRangeResult> {
    try data.deleteRange(command, reply, later: later)
  }

  public func increment(
    _ command: IncrementCommand, _ reply: ReplyArena, later: Later<IncrementResult>
  ) throws(StoreError) -> Answer<IncrementResult> {
    try data.increment(command, reply, later: later)
  }

  public func touch(
    _ command: TouchCommand, _ reply: ReplyArena, later: Later<TouchResult>
  ) throws(StoreError) -> Answer<TouchResult> { try data.touch(command, reply, later: later) }

  public func push(
    _ command: PushCommand, _ reply: ReplyArena, later: Later<PushResult>
  ) throws(StoreError) -> Answer<PushResult> { try data.push(command, reply, later: later) }

  public func pop(
    _ command: PopCommand, _ reply: ReplyArena, later: Later<PopResult>
  ) throws(StoreError) -> Answer<PopResult> { try data.pop(command, reply, later: later) }

  public func listRange(
    _ command: ListRangeCommand, _ reply: ReplyArena, later: Later<ListRangeResult>
  ) throws(StoreError) -> Answer<ListRangeResult> {
    try data.listRange(command, reply, later: later)
  }

  public func transact(
    _ command: TransactCommand, _ reply: ReplyArena, later: Later<TransactResult>
  ) throws(StoreError) -> Answer<TransactResult> {
    try data.transact(command, reply, later: later)
  }

  public func scan(
    _ command: ScanCommand, _ reply: ReplyArena, later: Later<ScanResult>
  ) throws(StoreError) -> Answer<ScanResult> { try data.scan(command, reply, later: later) }

  public func count(
    _ range: KeyRangeRef, _ reply: ReplyArena, later: Later<CountResult>
  ) throws(StoreError) -> Answer<CountResult> { try data.count(range, reply, later: later) }
}
