import Glibc
import Synchronization

/// The volatile engine: a sharded table in memory with an ordered key index.
///
/// Single-key commands lock one shard; `batchGet` and `transact` lock theirs together, in
/// ascending order; what concerns a range locks all, a scan in slices. Every command is
/// answered at once. Revisions start at the wall clock's microseconds.
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
  let sweeper: Sweeper
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
    sweeper = Sweeper(shards: shards, time: time, pool: pool)
    if configuration.sweepsInBackground { sweeper.start() }
  }

  deinit {
    sweeper.stop()
    shards.release()
    time.release()
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
    if durability == .logged || durability == .synced { throw .durabilityUnavailable(durability) }
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
    return status
  }

  public func close() { sweeper.stop() }
}
