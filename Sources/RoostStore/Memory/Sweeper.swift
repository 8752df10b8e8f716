import Glibc

/// Frees expired keys, and what deletions put off; goes on with resizes that no write drives;
/// keeps memory ready.
///
/// 1. It holds one shard's lock at a time, for one slice: at most `keysPerSlice` keys,
///    `stepsPerSlice` frees and `slotsPerSlice` slots, together below 100 us.
/// 2. It goes from shard to shard, so that a call waits for one slice at most.
///
/// `@unchecked Sendable`: `thread` and `stopping` are guarded by `mutex`, the rest is constant.
final class Sweeper: @unchecked Sendable {
  static let keysPerSlice = 32
  static let stepsPerSlice = 256
  static let slotsPerSlice = 512
  /// Between two rounds that found nothing to do.
  static let pauseNanos = 100_000_000

  private let shards: ShardArray
  private let time: EngineTime
  private let pool: SlabPool
  private let answers: AnswerTable
  private let mutex: UnsafeMutablePointer<pthread_mutex_t>
  private let wake: UnsafeMutablePointer<pthread_cond_t>
  private var thread: pthread_t?
  private var stopping = false
  /// Set before the thread's first round with keys that can expire.
  private var changeLog: Unmanaged<ChangeLog>?

  init(shards: ShardArray, time: EngineTime, pool: SlabPool, answers: AnswerTable) {
    self.shards = shards
    self.answers = answers
    self.pool = pool
    self.time = time
    mutex = .allocate(capacity: 1)
    mutex.initialize(to: pthread_mutex_t())
    pthread_mutex_init(mutex, nil)
    wake = .allocate(capacity: 1)
    wake.initialize(to: pthread_cond_t())
    var attributes = pthread_condattr_t()
    pthread_condattr_init(&attributes)
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
    pthread_cond_init(wake, &attributes)
    pthread_condattr_destroy(&attributes)
  }

  deinit {
    pthread_cond_destroy(wake)
    pthread_mutex_destroy(mutex)
    wake.deallocate()
    mutex.deallocate()
  }

  /// Expiries are logged from now on. Before any key is in the store.
  func connect(_ log: ChangeLog) { changeLog = .passUnretained(log) }

  /// Whether expiries can be logged: what room a full disk has left is for deletions.
  private var canExpire: Bool {
    changeLog?._withUnsafeGuaranteedRef { $0.space.freeBytes > 0 } ?? true
  }

  /// Starts the thread. Once.
  func start() {
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    precondition(thread == nil && !stopping, "a sweeper starts once")
    var created = pthread_t()
    let context = Unmanaged.passRetained(self)
    let error = pthread_create(
      &created, nil,
      { context in
        let sweeper = Unmanaged<Sweeper>.fromOpaque(context!).takeRetainedValue()
        sweeper.run()
        return nil
      }, context.toOpaque())
    guard error == 0 else { fatalError("the sweeper's thread: error \(error)") }
    thread = created
    pool.whenLow { [unowned self] in wakeUp() }
  }

  /// Stops the thread and waits for it. More than once is fine, at the same moment too.
  func stop() {
    pool.whenLow(nil)
    pthread_mutex_lock(mutex)
    stopping = true
    let joined = thread
    thread = nil
    pthread_cond_broadcast(wake)
    pthread_mutex_unlock(mutex)
    if let joined { pthread_join(joined, nil) }
  }

  /// Ends the thread's pause: there is something to free.
  func wakeUp() {
    pthread_mutex_lock(mutex)
    pthread_cond_signal(wake)
    pthread_mutex_unlock(mutex)
  }

  private func run() {
    while !shouldStop() {
      time.observeStep()
      answers.dropExpired(now: time.now)
      pool.refill()
      if sweepRound() {
        sched_yield()
      } else {
        pool.trimLarge()
        pause()
      }
    }
  }

  private func shouldStop() -> Bool {
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    return stopping
  }

  private func pause() {
    var until = timespec()
    clock_gettime(CLOCK_MONOTONIC, &until)
    until.tv_nsec += Self.pauseNanos
    until.tv_sec += until.tv_nsec / 1_000_000_000
    until.tv_nsec %= 1_000_000_000
    pthread_mutex_lock(mutex)
    if !stopping { pthread_cond_timedwait(wake, mutex, &until) }
    pthread_mutex_unlock(mutex)
  }

  /// Does all there is to do now.
  func sweepAll() {
    time.observeStep()
    answers.dropExpired(now: time.now)
    while sweepRound() {}
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

  /// One slice of each shard. Says whether there is more.
  private func sweepRound() -> Bool {
    var hasMore = false
    for index in 0..<shards.count {
      shards.lock(index)
      if sweepSlice(shards[index]) { hasMore = true }
      shards.publishMemory(index)
      shards.unlock(index)
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
