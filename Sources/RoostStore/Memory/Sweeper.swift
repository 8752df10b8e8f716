import CLinux
import Glibc

/// Frees expired keys, and what deletions put off; goes on with resizes that no write drives;
/// keeps memory ready.
///
/// 1. It holds one shard's lock at a time, for one slice: at most `keysPerSlice` keys,
///    `stepsPerSlice` frees and `slotsPerSlice` slots, together below 100 us.
/// 2. It goes from shard to shard, so that a call waits for one slice at most.
/// 3. It takes a quarter of a processor where calls are executed meanwhile, unless keys are
///    overdue by more than `maxLagMillis`.
///
/// `@unchecked Sendable`: `thread` and `stopping` are guarded by `monitor`, the rest is constant.
final class Sweeper: @unchecked Sendable {
  static let keysPerSlice = 32
  static let stepsPerSlice = 256
  static let slotsPerSlice = 512
  /// Between two rounds that found nothing to do.
  static let pauseMillis: Int64 = 100
  /// Expired keys take memory for longer than this only where the thread cannot keep up.
  static let maxLagMillis: Int64 = 10_000

  private let shards: ShardArray
  private let time: EngineTime
  private let pool: SlabPool
  private let answers: AnswerTable
  private let monitor = Monitor()
  private var thread: SystemThread?
  private var stopping = false
  /// Set before the thread's first round with keys that can expire.
  private var changeLog: Unmanaged<ChangeLog>?

  init(shards: ShardArray, time: EngineTime, pool: SlabPool, answers: AnswerTable) {
    self.shards = shards
    self.answers = answers
    self.pool = pool
    self.time = time
  }

  /// Expiries are logged from now on. Before any key is in the store.
  func connect(_ log: ChangeLog) { changeLog = .passUnretained(log) }

  /// Whether expiries can be logged: what room a full disk has left is for deletions.
  private var canExpire: Bool {
    changeLog?._withUnsafeGuaranteedRef { $0.space.freeBytes > 0 } ?? true
  }

  /// Starts the thread. Once.
  func start() {
    monitor.locked {
      precondition(thread == nil && !stopping, "a sweeper starts once")
      thread = SystemThread.start("sweeper") { self.run() }
      guard thread != nil else { fatalError("the system has no thread for the sweeper") }
    }
    pool.whenLow { [unowned self] in wakeUp() }
  }

  /// Stops the thread and waits for it. More than once is fine, at the same moment too.
  func stop() {
    pool.whenLow(nil)
    let joined = monitor.locked {
      stopping = true
      defer { thread = nil }
      monitor.wakeAll()
      return thread
    }
    joined?.join()
  }

  /// Ends the thread's pause: there is something to free.
  func wakeUp() { monitor.locked { monitor.wakeOne() } }

  private func run() {
    var share = ProcessorShare()
    while !shouldStop() {
      time.observeStep()
      answers.dropExpired(now: time.now)
      pool.refill()
      if !sweepRound({ rest(&share) }) {
        pool.trimLarge()
        pause()
      }
    }
  }

  private func shouldStop() -> Bool { monitor.locked { stopping } }

  private func pause() {
    monitor.locked { if !stopping { monitor.wait(millis: Self.pauseMillis) } }
  }

  /// Rests where it has worked for long enough.
  private func rest(_ share: inout ProcessorShare) {
    guard let nanos = share.restNanos, !isLate else { return }
    share.rest(nanos) { nanos in
      let end = MonotonicTime.nanos() + nanos
      monitor.locked { if !stopping { _ = monitor.wait(until: end) } }
    }
    // It was woken for this, perhaps.
    pool.refill()
  }

  private var isLate: Bool {
    let limit = time.now - Self.maxLagMillis
    return (0..<shards.count).contains { index in
      shards.lock(index)
      defer { shards.unlock(index) }
      return shards[index].pointee.hasExpired(at: limit)
    }
  }

  /// Does all there is to do now.
  func sweepAll() {
    time.observeStep()
    answers.dropExpired(now: time.now)
    while sweepRound({}) {}
  }

  /// Expires what is due now and no more, a slice at a time.
  func expireAll() {
    let now = time.now
    for index in 0..<shards.count {
      var isDone = false
      while !isDone {
        shards.lock(index)
        isDone = shards[index].pointee.expireDue(at: now, maxKeys: Self.keysPerSlice) == 0
        shards.publishMemory(index)
        shards.unlock(index)
      }
    }
  }

  /// One slice of each shard, and `rest` after each. Says whether there is more.
  private func sweepRound(_ rest: () -> Void) -> Bool {
    var hasMore = false
    for index in 0..<shards.count {
      shards.lock(index)
      if sweepSlice(shards[index]) { hasMore = true }
      shards.publishMemory(index)
      shards.unlock(index)
      rest()
    }
    return hasMore
  }

  private func sweepSlice(_ shard: UnsafeMutablePointer<Shard>) -> Bool {
    let now = time.now
    let expires = canExpire
    if expires, shard.pointee.hasExpired(at: now) {
      _ = shard.pointee.expireDue(at: now, maxKeys: Self.keysPerSlice)
    }
    if shard.pointee.hasUpkeep {
      _ = shard.pointee.reclaim(steps: Self.stepsPerSlice)
      shard.pointee.table.advance(slots: Self.slotsPerSlice)
    }
    return expires && shard.pointee.hasExpired(at: now) || shard.pointee.hasUpkeep
  }
}
