import Glibc
import Synchronization

/// The shards with their locks, and what they share. A handle of plain pointers: the engine
/// owns it and releases it last.
///
/// 1. Whoever holds more than one lock took them in ascending order of index.
/// 2. The hash chooses the shard by bits that neither slot (the lowest) nor tag (the highest)
///    uses.
///
/// `@unchecked Sendable`: all is constant but what the locks guard, and atomics.
struct ShardArray: @unchecked Sendable {
  static let maxCount = 64
  private static let shardBit = 40
  private static let lineBytes = 128

  let count: Int
  let hasher: KeyHasher
  /// The newest revision.
  let revisions: UnsafeMutablePointer<Atomic<Int64>>
  private let base: UnsafeMutableRawPointer
  private let stride: Int
  private let directories: UnsafeMutablePointer<Atomic<UInt>>
  /// What each shard took when its lock was last given back after a change.
  private let accounts: UnsafeMutablePointer<Atomic<Int>>
  /// Alone on its cache lines.
  private let revisionLine: UnsafeMutableRawPointer

  init(count: Int, hasher: KeyHasher, revision: Int64, pool: SlabPool) {
    precondition(
      count > 0 && count <= Self.maxCount && count & (count - 1) == 0,
      "shardCount is \(count): must be a power of two from 1 to \(Self.maxCount)")
    self.count = count
    self.hasher = hasher
    revisionLine = .allocate(byteCount: 2 * Self.lineBytes, alignment: Self.lineBytes)
    revisions = (revisionLine + Self.lineBytes / 2)
      .bindMemory(to: Atomic<Int64>.self, capacity: 1)
    revisions.initialize(to: Atomic(revision))
    directories = .allocate(capacity: count)
    accounts = .allocate(capacity: count)
    let bytes = Self.lockBytes + MemoryLayout<Shard>.size
    stride = (bytes + Self.lineBytes - 1) / Self.lineBytes * Self.lineBytes
    base = .allocate(byteCount: stride * count, alignment: Self.lineBytes)
    var attributes = pthread_mutexattr_t()
    pthread_mutexattr_init(&attributes)
    pthread_mutexattr_settype(&attributes, Int32(PTHREAD_MUTEX_ADAPTIVE_NP))
    for index in 0..<count {
      (directories + index).initialize(to: Atomic(0))
      (accounts + index).initialize(to: Atomic(0))
      let memory = base + index * stride
      let mutex = memory.bindMemory(to: pthread_mutex_t.self, capacity: 1)
      mutex.initialize(to: pthread_mutex_t())
      precondition(pthread_mutex_init(mutex, &attributes) == 0)
      (memory + Self.lockBytes).bindMemory(to: Shard.self, capacity: 1).initialize(
        to: Shard(
          hasher: hasher, directory: directories + index, revisions: revisions, pool: pool))
    }
    pthread_mutexattr_destroy(&attributes)
  }

  /// Frees everything. No thread may use it any more.
  func release() {
    for index in 0..<count {
      self[index].pointee.release()
      self[index].deinitialize(count: 1)
      pthread_mutex_destroy(mutex(index))
    }
    base.deallocate()
    directories.deallocate()
    accounts.deallocate()
    revisionLine.deallocate()
  }

  /// From now on changes are logged. Before anything else uses the shards.
  func connect(_ log: ChangeLog) {
    for index in 0..<count { self[index].pointee.connect(log) }
  }

  private static var lockBytes: Int { 64 }

  @inline(__always) func index(_ hash: UInt64) -> Int {
    Int(truncatingIfNeeded: hash >> Self.shardBit) & (count &- 1)
  }

  /// What the lock of the same index guards.
  @inline(__always) subscript(index: Int) -> UnsafeMutablePointer<Shard> {
    (base + (index &* stride &+ Self.lockBytes)).assumingMemoryBound(to: Shard.self)
  }

  @inline(__always) func directory(_ hash: UInt64) -> UnsafeMutablePointer<Atomic<UInt>> {
    directories + index(hash)
  }

  @inline(__always) var currentRevision: Int64 { revisions.pointee.load(ordering: .relaxed) }

  // MARK: Locks

  @inline(__always) private func mutex(_ index: Int) -> UnsafeMutablePointer<pthread_mutex_t> {
    (base + index &* stride).assumingMemoryBound(to: pthread_mutex_t.self)
  }

  @inline(__always) func lock(_ index: Int) { pthread_mutex_lock(mutex(index)) }
  @inline(__always) func unlock(_ index: Int) { pthread_mutex_unlock(mutex(index)) }

  func lock(_ set: ShardSet) {
    var left = set.bits
    while left != 0 {
      lock(left.trailingZeroBitCount)
      left &= left &- 1
    }
  }

  func unlock(_ set: ShardSet) {
    var left = set.bits
    while left != 0 {
      unlock(left.trailingZeroBitCount)
      left &= left &- 1
    }
  }

  /// Every shard.
  var all: ShardSet { ShardSet(bits: count == 64 ? ~0 : (1 << UInt64(count)) &- 1) }

  // MARK: Memory

  /// Lets others see what a shard takes now. Its lock is held.
  @inline(__always) func publishMemory(_ index: Int) {
    accounts[index].store(self[index].pointee.memoryBytes, ordering: .relaxed)
  }

  /// Bytes of all shards, as last published, but exactly for the one whose lock is held.
  func memoryBytes(holding held: Int) -> Int {
    var sum = self[held].pointee.memoryBytes
    for index in 0..<count where index != held {
      sum &+= accounts[index].load(ordering: .relaxed)
    }
    return sum
  }
}

/// Some shards, to be locked together.
struct ShardSet {
  var bits: UInt64 = 0

  @inline(__always) mutating func insert(_ index: Int) { bits |= 1 << UInt64(index) }
  @inline(__always) func contains(_ index: Int) -> Bool { bits >> UInt64(index) & 1 != 0 }
}
