import Glibc
import Synchronization

/// The volatile engine: a sharded table in memory with an ordered key index.
///
/// Single-key commands lock one shard; `batchGet` and `transact` lock theirs together, in
/// ascending order; what concerns a range locks all, a scan in slices, and never while it matches
/// a pattern. Every command is answered at once. Revisions start at the wall clock's microseconds.
public final class MemoryEngine: StorageEngine {
  /// The longest lifetime of a key: ten years. A longer one is cut to it.
  public static let maxLifetimeMillis: Int64 = 10 * 36_525 * 864_000

  /// `memory`.
  public var name: String { "memory" }

  let shards: ShardArray
  let time: EngineTime
  let maxListItems: Int
  let maxListBytes: Int
  let maxMemoryBytes: Int?
  let answers: AnswerTable
  let sweeper: Sweeper
  /// Where changes are logged; `nil`: nowhere. Set before anything else uses the engine, and kept
  /// alive by who set it.
  nonisolated(unsafe) private(set) var changeLog: Unmanaged<ChangeLog>?
  private let pool = SlabPool()

  /// - Parameter configuration: its `shardCount` must be a power of two from 1 to 64.
  public init(configuration: MemoryEngineConfiguration = MemoryEngineConfiguration()) {
    maxListItems = configuration.maxListItems
    maxListBytes = configuration.maxListBytes
    maxMemoryBytes = configuration.maxMemoryBytes
    time = EngineTime(clock: configuration.clock)
    shards = ShardArray(
      count: configuration.shardCount, hasher: KeyHasher(),
      revision: configuration.clock.wallMillis &* 1000, pool: pool)
    answers = AnswerTable(configuration, hasher: shards.hasher)
    sweeper = Sweeper(shards: shards, time: time, pool: pool, answers: answers)
    if configuration.sweepsInBackground { sweeper.start() }
  }

  deinit {
    sweeper.stop()
    shards.release()
    time.release()
  }

  /// From now on changes are logged. Before anything else uses the engine; the log outlives it.
  func connect(_ log: ChangeLog) {
    changeLog = .passUnretained(log)
    shards.connect(log)
    sweeper.connect(log)
  }

  // MARK: Hash and prefetch

  public func hash(_ key: UnsafeRawBufferPointer) -> UInt64 {
    guard let base = key.baseAddress, key.count > 0 else { return 0 }
    return shards.hasher.hash(base, key.count)
  }

  public func prefetchSlot(_ hash: UInt64) {
    SlotTable.prefetchSlot(shards.directory(hash), hash)
  }

  public func prefetchEntry(_ hash: UInt64) {
    SlotTable.prefetchRecord(shards.directory(hash), hash)
  }

  // MARK: Locks

  @inline(__always)
  func lock(_ key: KeyRef) -> Int {
    let index = shards.index(key.hash)
    shards.lock(index)
    return index
  }

  /// Gives a lock back after a write.
  @inline(__always)
  func unlockAfterWrite(_ index: Int) {
    if maxMemoryBytes != nil { shards.publishMemory(index) }
    shards.unlock(index)
  }

  // MARK: Checks

  @inline(__always)
  func check(_ durability: WriteDurability) throws(StoreError) {
    if changeLog == nil, durability == .logged || durability == .synced {
      throw .durabilityUnavailable(durability)
    }
  }

  /// Whether the log has room for a change that takes about `bytes`.
  @inline(__always)
  func admit(_ key: KeyRef, _ bytes: Int) throws(StoreError) {
    guard let changeLog else { return }
    let needed = key.bytes.count &+ bytes &+ Self.recordOverheadBytes
    let refusal = changeLog._withUnsafeGuaranteedRef { log -> StoreError? in
      do throws(StoreError) {
        try log.admit(needed)
        return nil
      } catch {
        return error
      }
    }
    if let refusal { throw refusal }
  }

  /// Whether the log takes a deletion, which it does while the disk is full too.
  @inline(__always)
  func admitDeletion() throws(StoreError) {
    guard let changeLog, changeLog._withUnsafeGuaranteedRef({ $0.space.isBroken }) else { return }
    throw .unavailable(changeLog._withUnsafeGuaranteedRef { $0.space.reason })
  }

  /// What a record takes beside its key and value, at most.
  private static var recordOverheadBytes: Int { 96 }

  // MARK: What answers depend on

  /// Notes what an answer about a key depends on: its record, be it expired, or its deletion.
  @inline(__always)
  func show(
    _ record: Record?, _ key: KeyRef, _ shard: UnsafeMutablePointer<Shard>, _ reply: ReplyArena
  ) {
    guard changeLog != nil else { return }
    let revision = record?.revision ?? shard.pointee.deletions.revision(of: key.hash)
    // In a transaction a step may meet what an earlier one wrote.
    if revision != UndoLog.provisionalRevision { reply.show(revision) }
  }

  /// Notes that an answer depends on all that was changed so far.
  @inline(__always)
  func showAll(_ reply: ReplyArena) {
    if changeLog != nil { reply.show(shards.currentRevision) }
  }

  @inline(__always)
  func note(written revision: Int64, _ durability: WriteDurability, _ reply: ReplyArena) {
    if changeLog != nil, revision != 0 { reply.note(written: revision, durability) }
  }

  /// Whether a shard may take `bytes` more.
  @inline(__always)
  func reserve(_ bytes: Int, in index: Int) throws(StoreError) {
    guard let maxMemoryBytes, bytes > 0 else { return }
    if shards.memoryBytes(holding: index) &+ bytes <= maxMemoryBytes { return }
    _ = shards[index].pointee.reclaim(steps: Sweeper.stepsPerSlice)
    if shards.memoryBytes(holding: index) &+ bytes > maxMemoryBytes { throw .memoryExhausted }
  }

  /// What a record with its places in table and index takes.
  static func cost(_ key: KeyRef, payloadBytes: Int) -> Int {
    SlabHeap.cost(Record.headerBytes &+ key.bytes.count &+ payloadBytes) &+ 32
  }

  // MARK: Status

  /// Frees every key that has expired by now, and what earlier deletions left to free.
  public func sweep() { sweeper.sweepAll() }

  public func status() -> EngineStatus {
    var status = EngineStatus()
    let now = time.now
    for index in 0..<shards.count {
      shards.lock(index)
      let shard = shards[index]
      status.keyCount += Int64(
        shard.pointee.table.count &- shard.pointee.expiredCount(at: now))
      status.memoryBytes += Int64(shard.pointee.memoryBytes)
      shards.unlock(index)
    }
    status.revision = shards.currentRevision
    status.idempotencyBytes = Int64(answers.byteCount)
    status.idempotencyWindowMillis = answers.windowMillis(now: now)
    return status
  }

  public func close() { sweeper.stop() }
}
