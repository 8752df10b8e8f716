import CLinux
import ProtobufC
import RoostStore
import Synchronization
import TTRPC

/// Runs what would hold an event loop for more than a millisecond on threads of its own: neither
/// the loops nor Swift's tasks wait for it. Safe to use from any thread.
///
/// 1. At most `maxCalls` are under way, of all loops, whether they run or wait: one more is refused
///    and was not executed. Each keeps its request, so that is at most `maxRequestBytes` long.
/// 2. There is a thread for each call under way, up to `maxThreads`; it is started with the call,
///    and ends when it had nothing to do for `idleMillis`.
/// 3. Calls start in the order in which they came. One that nobody waits for any more is not
///    started, and makes room where there is none.
///
/// `@unchecked Sendable`: the variables are guarded by `monitor`.
final class LongCalls: @unchecked Sendable {
  static let maxCalls = 256
  /// More than the known fields take: three keys, a pattern and a page token.
  static let maxRequestBytes = 64 << 10
  private static let idleMillis: Int64 = 10_000

  private struct Work {
    let isCancelled: @Sendable () -> Bool
    let run: @Sendable () -> Void
  }

  private let maxThreads: Int
  private let monitor = Monitor()
  /// Places that are taken.
  private var pendingCount = 0
  private var waiting: [Work] = []
  private var threadCount = 0
  private var idleActions: [@Sendable () -> Void] = []

  /// - Parameter maxThreads: at least 1.
  init(maxThreads: Int = Int(clinux_processor_count())) {
    self.maxThreads = max(maxThreads, 1)
  }

  /// Takes a place, before the call gives its answer out of hand. `start` must follow.
  /// - Throws: `tooManyLongCalls`, also where the system has no thread left; `requestTooLong`.
  func reserve(requestBytes: Int) throws(RequestError) {
    if requestBytes > Self.maxRequestBytes {
      throw .requestTooLong(bytes: requestBytes, limit: Self.maxRequestBytes)
    }
    let (isReserved, cancelled) = monitor.locked {
      let cancelled = pendingCount == Self.maxCalls ? takeCancelled() : []
      guard pendingCount < Self.maxCalls else { return (false, cancelled) }
      if threadCount <= pendingCount && threadCount < maxThreads { startThread() }
      guard threadCount > 0 else { return (false, cancelled) }
      pendingCount += 1
      return (true, cancelled)
    }
    // What they hold is released outside the lock.
    withExtendedLifetime(cancelled) {}
    if !isReserved { throw .tooManyLongCalls(limit: Self.maxCalls) }
  }

  /// Does the work on another thread in its turn, and frees the place.
  /// - Parameter isCancelled: whether the work need not be started any more.
  func start(
    isCancelled: @escaping @Sendable () -> Bool = { false }, _ work: @escaping @Sendable () -> Void
  ) {
    monitor.locked {
      waiting.append(Work(isCancelled: isCancelled, run: work))
      monitor.wakeOne()
    }
  }

  /// Waits until no call is under way.
  /// - Returns: `false`: there still are some, and the time is up.
  func finish(within limit: Duration) async -> Bool {
    await withCheckedContinuation { continuation in
      let first = FirstAnswer(continuation)
      let timer = Task {
        if (try? await Task.sleep(for: limit)) != nil { first.resume(false) }
      }
      whenIdle {
        first.resume(true)
        timer.cancel()
      }
    }
  }

  /// Runs the action once when no call is under way: at once, or on the thread of the last call.
  func whenIdle(_ action: @escaping @Sendable () -> Void) {
    let isIdle = monitor.locked {
      if pendingCount > 0 { idleActions.append(action) }
      return pendingCount == 0
    }
    if isIdle { action() }
  }

  // MARK: Inside

  private func takeCancelled() -> [Work] {
    var cancelled: [Work] = []
    waiting.removeAll { work in
      guard work.isCancelled() else { return false }
      cancelled.append(work)
      return true
    }
    pendingCount -= cancelled.count
    return cancelled
  }

  private func startThread() {
    guard let thread = SystemThread.start("long-call", { self.runThread() }) else { return }
    thread.detach()
    threadCount += 1
  }

  private func runThread() {
    while let work = next() {
      if !work.isCancelled() { work.run() }
      release()
    }
  }

  /// The next call in its turn; `nil`: the thread has ended.
  private func next() -> Work? {
    monitor.locked {
      guard waiting.isEmpty else { return waiting.removeFirst() }
      let end = MonotonicTime.nanos() + UInt64(Self.idleMillis) * 1_000_000
      while waiting.isEmpty {
        let isLate = !monitor.wait(until: end)
        // A place that is taken is about to be used: then it waits on.
        if isLate && waiting.isEmpty && pendingCount < threadCount {
          threadCount -= 1
          return nil
        }
      }
      return waiting.removeFirst()
    }
  }

  private func release() {
    let actions = monitor.locked {
      pendingCount -= 1
      guard pendingCount == 0 else { return [@Sendable () -> Void]() }
      defer { idleActions = [] }
      return idleActions
    }
    for action in actions { action() }
  }
}

/// Answers whoever waits, once. Safe to use from any thread.
private final class FirstAnswer: Sendable {
  private let continuation: Mutex<CheckedContinuation<Bool, Never>?>
  init(_ continuation: CheckedContinuation<Bool, Never>) {
    self.continuation = Mutex(continuation)
  }

  func resume(_ value: Bool) { continuation.withLock { $0.take() }?.resume(returning: value) }
}

/// What a call beside the loops takes with it: the loop's copy of the request dies with its tick.
/// What its connection sends behind it waits for its answer, so that nothing overtakes it, and one
/// connection has one such call under way at most.
struct LongCall: Sendable {
  let payload: [UInt8]
  let deferred: DeferredResponse
  let maxMessageBytes: Int
  let engine: any StorageEngine
  let limits: RequestLimits

  init(
    _ payload: UnsafeRawBufferPointer, _ response: inout ResponseWriter, _ scope: StoreScope
  ) {
    self.payload = [UInt8](payload)
    maxMessageBytes = response.maxMessageBytes
    deferred = response.deferred(isExclusive: true)
    engine = scope.engine.any
    limits = scope.limits
  }

  /// Executes the call in its turn, in a place that was reserved.
  func start(
    on longCalls: LongCalls,
    _ body: @escaping @Sendable (UnsafeRawBufferPointer, StoreScope) throws(RequestError) -> Void
  ) {
    longCalls.start(isCancelled: { deferred.isCancelled }) { execute(body) }
  }

  /// Reads the request once more, which the loop has found good, and executes it.
  /// - Parameter body: answers; it gets a scope of its own with an empty reply arena.
  private func execute(
    _ body: (UnsafeRawBufferPointer, StoreScope) throws(RequestError) -> Void
  ) {
    let arena = Arena(blockBytes: 4 << 10, retainedBytes: 0)
    let scope = StoreScope(engine: engine, arena: arena, limits: limits)
    scope.reply.budgetBytes = maxMessageBytes - ReplyMessage.fixedBytes
    arena.beginCall()
    do throws(RequestError) {
      // In the arena, since what is read borrows from its request.
      let copy = try scope.allocate(UInt8.self, count: payload.count)
      copy.update(from: payload, count: payload.count)
      try body(UnsafeRawBufferPointer(start: copy, count: payload.count), scope)
    } catch {
      deferred.fail(RPCError(error.code, error.message))
    }
  }
}
