import ProtobufC
import RoostStore
import Synchronization
import TTRPC

/// Runs what would hold an event loop for more than a millisecond beside the loops. Safe to use
/// from any thread.
///
/// At most `maxCalls` are under way, of all loops: one more is refused and was not executed. Each
/// keeps its request until its turn comes, so that is at most `maxRequestBytes` long.
final class LongCalls: Sendable {
  static let maxCalls = 256
  /// More than the known fields take: three keys, a pattern and a page token.
  static let maxRequestBytes = 64 << 10

  private struct State {
    var pending = 0
    var waiters: [CheckedContinuation<Void, Never>] = []
  }

  private let state = Mutex(State())

  /// Takes a place, before the call gives its answer out of hand. `start` must follow.
  /// - Throws: `tooManyLongCalls`, `requestTooLong`.
  func reserve(requestBytes: Int) throws(RequestError) {
    if requestBytes > Self.maxRequestBytes {
      throw .requestTooLong(bytes: requestBytes, limit: Self.maxRequestBytes)
    }
    let isFull = state.withLock { state in
      if state.pending == Self.maxCalls { return true }
      state.pending += 1
      return false
    }
    if isFull { throw .tooManyLongCalls(limit: Self.maxCalls) }
  }

  /// Does the work on another thread, and frees the place.
  func start(_ work: @escaping @Sendable () -> Void) {
    Task.detached {
      work()
      self.release()
    }
  }

  /// Returns when no call is under way.
  func finish() async {
    await withCheckedContinuation { continuation in
      let isIdle = state.withLock { state in
        if state.pending > 0 { state.waiters.append(continuation) }
        return state.pending == 0
      }
      if isIdle { continuation.resume() }
    }
  }

  private func release() {
    let waiters = state.withLock { state in
      state.pending -= 1
      guard state.pending == 0 else { return [CheckedContinuation<Void, Never>]() }
      defer { state.waiters = [] }
      return state.waiters
    }
    for waiter in waiters { waiter.resume() }
  }
}

/// What a call beside the loops takes with it: the loop's copy of the request dies with its tick.
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
    deferred = response.deferred()
    engine = scope.engine.any
    limits = scope.limits
  }

  /// Reads the request once more, which the loop has found good, and executes it, unless nobody
  /// waits for the answer any more.
  /// - Parameter body: answers; it gets a scope of its own with an empty reply arena.
  func execute(
    _ body: (UnsafeRawBufferPointer, StoreScope) throws(RequestError) -> Void
  ) {
    if deferred.isCancelled { return }
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
