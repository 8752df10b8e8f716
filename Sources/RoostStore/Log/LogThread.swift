/// The log's own thread: syncs that a loop does not do itself, the interval's, what the sweeper
/// appended, marks after a pause, revisions ahead, and another try where the disk refused.
///
/// `@unchecked Sendable`: `thread` and the flags are guarded by `monitor`, the rest is constant.
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
  private let monitor = Monitor()
  private var thread: SystemThread?
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
  }

  /// Starts the thread. Once.
  func start() {
    monitor.locked {
      thread = SystemThread.start("log") { self.run() }
      guard thread != nil else { fatalError("the system has no thread for the log") }
    }
  }

  /// Stops the thread and waits for it. More than once is fine.
  func stop() {
    let joined = monitor.locked {
      isStopping = true
      defer { thread = nil }
      monitor.wakeAll()
      return thread
    }
    joined?.join()
  }

  /// Asks for a sync of all that was appended so far.
  func requestSync() {
    monitor.locked {
      isSyncWanted = true
      monitor.wakeOne()
    }
  }

  private func run() {
    let start = nowMillis()
    (nextSync, nextMark, nextRetry) = (start + intervalMillis, start + Self.markMillis, start)
    while let wantsSync = waitForWork() { work(wantsSync) }
  }

  /// `nil`: the thread is to end. Else whether a sync was asked for.
  private func waitForWork() -> Bool? {
    monitor.locked {
      if !isStopping && !isSyncWanted {
        monitor.wait(millis: min(Self.maxPauseMillis, intervalMillis))
      }
      if isStopping { return nil }
      defer { isSyncWanted = false }
      return isSyncWanted
    }
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
    let limit = writer.log.newestRevision + writer.log.revisionBlock
    writer.log.append(revisionLimit: limit)
    let end = writer.durableSequenceEnd
    writer.sync()
    // A sync that could not write has not made the record durable.
    if writer.durableSequenceEnd > end { writer.log.raiseRevisionLimit(to: limit) }
  }

  private func nowMillis() -> Int64 { Int64(MonotonicTime.nanos() / 1_000_000) }
}
