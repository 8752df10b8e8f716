import Synchronization

/// What an answer waits for before it may leave.
@frozen public enum AnswerNeed {
  /// Nothing.
  case nothing
  /// That this revision is as durable as the policy asks for: `LogDurability.openRevision`.
  case revision(Int64)
  /// Something else than the policy's: see `LogDurability.whenReached`.
  case other(Target)

  /// A prefix of all changes that is to have got somewhere.
  @frozen public struct Target: Sendable, Hashable {
    /// The newest revision of the prefix.
    public var revision: Int64
    /// On stable storage; else written to the operating system.
    public var isSynced: Bool
  }
}

/// How far an engine's changes have got on their way to the disk, and what waits for it. Safe
/// from any thread.
///
/// 1. An answer leaves when what it shows is as durable as the policy says, and its own write is as
///    durable as the call asks for.
/// 2. Whoever executed commands on a thread calls `endOfTick` on it before it sends their answers.
public final class LogDurability: Sendable {
  /// When the log is synced without being asked to.
  public let policy: SyncPolicy
  let writer: LogWriter
  private let thread: LogThread
  private let syncsInline: Bool
  private let state = Mutex(State())
  private let waiterCount = Atomic<Int>(0)

  private struct Waiter {
    let target: AnswerNeed.Target
    let body: @Sendable (StoreError?) -> Void
  }

  private struct State {
    var waiters: [Waiter] = []
    var wakes: [@Sendable () -> Void] = []
  }

  /// - Parameter loopCount: threads that will call `endOfTick`. A single one may sync itself.
  init(
    writer: LogWriter, policy: SyncPolicy, intervalMillis: Int64, loopCount: Int,
    advance: AdvanceRelay
  ) {
    self.writer = writer
    self.policy = policy
    syncsInline = loopCount == 1
    thread = LogThread(
      writer, policy: policy, intervalMillis: intervalMillis, onAdvance: { advance.call() })
    advance.set { [unowned self] in advanced() }
  }

  func start() { thread.start() }

  func stop() { thread.stop() }

  // MARK: What answers wait for

  /// Answers that need up to this revision may leave.
  @inline(__always)
  public var openRevision: Int64 {
    policy == .always ? writer.log.durableRevision : writer.log.loggedRevision
  }

  /// Everything up to here survives power loss.
  public var durableRevision: Int64 { writer.log.durableRevision }

  /// Why `openRevision` does not grow for now; `nil`: it does.
  public var trouble: String? { writer.log.space.isBroken ? writer.log.space.reason : nil }

  /// What a call's answer waits for.
  @inline(__always)
  public func need(of reply: ReplyArena) -> AnswerNeed {
    let written = reply.writtenRevision
    if written == 0 {
      return reply.shownRevision == 0 ? .nothing : .revision(reply.shownRevision)
    }
    if reply.writtenDurability == .engineDefault { return .revision(written) }
    return needOfOther(reply)
  }

  @inline(never)
  private func needOfOther(_ reply: ReplyArena) -> AnswerNeed {
    let written = reply.writtenRevision
    let isAlways = policy == .always
    switch reply.writtenDurability {
    case .engineDefault: return .revision(written)
    case .memory: return .revision(reply.shownRevision)
    case .logged:
      guard isAlways else { return .revision(written) }
      // What it shows follows the policy all the same.
      if reply.shownRevision > writer.log.durableRevision { return .revision(written) }
      return .other(AnswerNeed.Target(revision: written, isSynced: false))
    case .synced:
      return isAlways
        ? .revision(written) : .other(AnswerNeed.Target(revision: written, isSynced: true))
    }
  }

  /// Calls `body` once, when a prefix has got as far as asked, with an error where that is not to
  /// be expected; at once where it has. Asks for the sync that it needs.
  public func whenReached(
    _ target: AnswerNeed.Target, _ body: @escaping @Sendable (StoreError?) -> Void
  ) {
    if !target.isSynced { writer.flush() }
    if isReached(target) { return body(nil) }
    state.withLock { $0.waiters.append(Waiter(target: target, body: body)) }
    waiterCount.add(1, ordering: .sequentiallyConsistent)
    if target.isSynced { thread.requestSync() }
    // It may have got there in between.
    fireWaiters()
  }

  /// As `whenReached`, for an answer that is given beside the loops.
  public func whenLeft(
    _ need: AnswerNeed, _ body: @escaping @Sendable (StoreError?) -> Void
  ) {
    switch need {
    case .nothing: body(nil)
    case .revision(let revision):
      whenReached(AnswerNeed.Target(revision: revision, isSynced: policy == .always), body)
    case .other(let target): whenReached(target, body)
    }
  }

  private func isReached(_ target: AnswerNeed.Target) -> Bool {
    let log = writer.log
    return (target.isSynced ? log.durableRevision : log.loggedRevision) >= target.revision
  }

  // MARK: Progress

  /// Registers what is called whenever `openRevision` has grown, or `trouble` has changed, on a
  /// thread that is not the caller's of `endOfTick`.
  public func onAdvance(_ wake: @escaping @Sendable () -> Void) {
    state.withLock { $0.wakes.append(wake) }
  }

  /// Writes what was appended, and syncs it where answers wait for that.
  /// - Parameters:
  ///   - waitsFor: the newest revision that an answer of this thread waits for; 0: none does.
  ///   - isIdle: whether nobody but those who wait would notice that the thread syncs itself.
  public func endOfTick(waitsFor revision: Int64, isIdle: Bool) {
    writer.flush()
    if policy == .always, revision > writer.log.durableRevision {
      if !syncsInline || !isIdle || !writer.trySync() { thread.requestSync() }
    }
    if waiterCount.load(ordering: .relaxed) > 0 { fireWaiters() }
  }

  /// Writes and syncs everything.
  public func sync() {
    writer.sync()
    advanced()
  }

  /// Called where more is written, synced, or can be written again, or nothing can any more.
  private func advanced() {
    fireWaiters()
    for wake in state.withLock({ $0.wakes }) { wake() }
  }

  private func fireWaiters() {
    guard waiterCount.load(ordering: .sequentiallyConsistent) > 0 else { return }
    let trouble = trouble
    let ready = state.withLock { state -> [Waiter] in
      let isReady = state.waiters.map { trouble != nil || isReached($0.target) }
      let ready = zip(state.waiters, isReady).filter(\.1).map(\.0)
      if !ready.isEmpty {
        state.waiters = zip(state.waiters, isReady).filter { !$0.1 }.map(\.0)
      }
      return ready
    }
    waiterCount.subtract(ready.count, ordering: .sequentiallyConsistent)
    for waiter in ready {
      waiter.body(isReached(waiter.target) ? nil : trouble.map { .unavailable($0) })
    }
  }
}

/// Calls what is set later than it is passed on. Safe from any thread.
final class AdvanceRelay: Sendable {
  private let body = Mutex<(@Sendable () -> Void)?>(nil)

  func set(_ body: @escaping @Sendable () -> Void) { self.body.withLock { $0 = body } }
  func call() { body.withLock { $0 }?() }
}
