import CLinux
import Glibc

/// The log's own thread: syncs that a loop does not do itself, the interval's, what the sweeper
/// appended, marks after a pause, revisions ahead, and another try where the disk refused.
///
/// `@unchecked Sendable`: `thread` and the flags are guarded by `mutex`, the rest is constant.
final class LogThread: @unchecked Sendable {
  /// The longest that an appended record waits to be written where no loop does it.
  private static let maxPauseMillis: Int64 = 100
  /// Between two tries to write what the disk refused.
  private static let retryMillis: Int64 = 200
  private static let markMillis: Int64 = 1_000

  private let writer: LogWriter
  private let policy: SyncPolicy
  private let intervalMillis: Int64
  private let onAdvance: @Sendable () -> Void
  private let mutex: UnsafeMutablePointer<pthread_mutex_t>
  private let wake: UnsafeMutablePointer<pthread_cond_t>
  private var thread: pthread_t?
  private var isStopping = false
  private var isSyncWanted = false

  // The thread's alone.
  private var nextSync: Int64 = 0
  private var nextMark: Int64 = 0
  private var nextRetry: Int64 = 0
  /// How far it was when `onAdvance` was last called: other threads write and sync too.
  private var told: (durable: Int64, logged: Int64)

  /// - Parameter onAdvance: called on the thread whenever more is durable, or written.
  init(
    _ writer: LogWriter, policy: SyncPolicy, intervalMillis: Int64,
    onAdvance: @escaping @Sendable () -> Void
  ) {
    self.writer = writer
    self.policy = policy
    self.intervalMillis = intervalMillis
    self.onAdvance = onAdvance
    told = (writer.log.durableRevision, writer.log.loggedRevision)
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

  /// Starts the thread. Once.
  func start() {
    var created = pthread_t()
    let context = Unmanaged.passRetained(self)
    let code = pthread_create(
      &created, nil,
      { context in
        clinux_name_thread("log")
        Unmanaged<LogThread>.fromOpaque(context!).takeRetainedValue().run()
        return nil
      }, context.toOpaque())
    guard code == 0 else { fatalError("the log's thread: error \(code)") }
    pthread_mutex_lock(mutex)
    thread = created
    pthread_mutex_unlock(mutex)
  }

  /// Stops the thread and waits for it. More than once is fine.
  func stop() {
    pthread_mutex_lock(mutex)
    isStopping = true
    let joined = thread
    thread = nil
    pthread_cond_broadcast(wake)
    pthread_mutex_unlock(mutex)
    if let joined { pthread_join(joined, nil) }
  }

  /// Asks for a sync of all that was appended so far.
  func requestSync() {
    pthread_mutex_lock(mutex)
    isSyncWanted = true
    pthread_cond_signal(wake)
    pthread_mutex_unlock(mutex)
  }

  private func run() {
    let start = nowMillis()
    (nextSync, nextMark, nextRetry) = (start + intervalMillis, start + Self.markMillis, start)
    while let wantsSync = waitForWork() { work(wantsSync) }
  }

  /// `nil`: the thread is to end. Else whether a sync was asked for.
  private func waitForWork() -> Bool? {
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    if !isStopping && !isSyncWanted {
      var until = timespec()
      clock_gettime(CLOCK_MONOTONIC, &until)
      until.tv_nsec += Int(min(Self.maxPauseMillis, intervalMillis)) * 1_000_000
      until.tv_sec += until.tv_nsec / 1_000_000_000
      until.tv_nsec %= 1_000_000_000
      pthread_cond_timedwait(wake, mutex, &until)
    }
    if isStopping { return nil }
    defer { isSyncWanted = false }
    return isSyncWanted
  }

  private func work(_ wantsSync: Bool) {
    let now = nowMillis()
    if writer.log.space.isBroken || writer.log.space.freeBytes <= 0, now >= nextRetry {
      nextRetry = now + Self.retryMillis
      writer.retry()
    }
    if writer.log.needsRevisions { reserveRevisions() }
    let isDue = policy == .interval && now >= nextSync
    if isDue { nextSync = now + intervalMillis }
    if wantsSync || writer.hasRetired {
      writer.sync()
    } else if isDue || policy == .always {
      if writer.needsSync { writer.sync() }
    } else {
      writer.flush()
    }
    let reached = (writer.log.durableRevision, writer.log.loggedRevision)
    if told != reached {
      told = reached
      onAdvance()
    }
    if now >= nextMark {
      nextMark = now + Self.markMillis
      writer.markWhenIdle()
    }
  }

  private func reserveRevisions() {
    let limit = writer.log.newestRevision + ChangeLog.revisionBlock
    writer.log.append(revisionLimit: limit)
    let end = writer.durableSequenceEnd
    writer.sync()
    // A sync that could not write has not made the record durable.
    if writer.durableSequenceEnd > end { writer.log.raiseRevisionLimit(to: limit) }
  }

  private func nowMillis() -> Int64 { Int64(MonotonicTime.nanos() / 1_000_000) }
}
