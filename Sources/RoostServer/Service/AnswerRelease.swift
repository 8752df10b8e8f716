import RoostStore
import TTRPC

// When answers leave: once what they show is as durable as it has to be.
extension StoreScope {
  /// Answers a call, and holds the answer as long as it has to wait.
  /// - Parameters:
  ///   - reply: what the engine says that the answer depends on.
  ///   - respond: writes the answer.
  ///   - encoded: gives the answer's bytes, where it waits for something else than the loop's
  ///     answers do.
  @inline(__always)
  func release(
    _ reply: ReplyArena, _ response: inout ResponseWriter,
    respond: (inout ResponseWriter) -> Void, encoded: () -> [UInt8]
  ) {
    guard let durability = engine.durability else { return respond(&response) }
    switch durability._withUnsafeGuaranteedRef({ $0.need(of: reply) }) {
    case .nothing: respond(&response)
    case .revision(let revision):
      respond(&response)
      response.hold(until: revision)
    case .other(let target):
      let bytes = encoded()
      let deferred = response.deferred()
      durability._withUnsafeGuaranteedRef { durability in
        durability.whenReached(target) { failure in deferred.finish(bytes, failure) }
      }
    }
  }

  /// Lets a call fail; the failure shows something too.
  @inline(never)
  func release(_ error: StoreError, _ reply: ReplyArena, _ response: inout ResponseWriter) {
    response.fail(error)
    guard let durability = engine.durability, reply.shownRevision > 0 else { return }
    if case .revision(let revision) = durability._withUnsafeGuaranteedRef({ $0.need(of: reply) }) {
      response.hold(until: revision)
    }
  }

  /// Answers a call that was executed beside the loops.
  func release(
    _ result: Result<[UInt8], RPCError>, _ reply: ReplyArena, _ deferred: DeferredResponse
  ) {
    guard let durability = engine.durability?.takeUnretainedValue() else {
      return deferred.answer(result)
    }
    durability.whenLeft(durability.need(of: reply)) { failure in
      if let failure { deferred.fail(failure.status) } else { deferred.answer(result) }
    }
  }
}

extension DeferredResponse {
  fileprivate func finish(_ bytes: [UInt8], _ failure: StoreError?) {
    if let failure { fail(failure.status) } else { respond(bytes) }
  }

  fileprivate func answer(_ result: Result<[UInt8], RPCError>) {
    switch result {
    case .success(let bytes): respond(bytes)
    case .failure(let error): fail(error)
    }
  }
}

/// Opens the loops' gate as the engine's log grows.
final class DurabilityGate: AnswerGate {
  private let durability: LogDurability

  init(_ durability: LogDurability) { self.durability = durability }

  var openMark: Int64 { durability.openRevision }

  func refusal(of mark: Int64) -> RPCError? {
    guard let trouble = durability.trouble else { return nil }
    return RPCError(
      .unavailable,
      "\(trouble); whether this call's outcome lasts is unknown: repeat it with the same"
        + " idempotency key")
  }

  /// Lets a loop's answers wait for the log, and the loop write it.
  static func install(
    _ durability: LogDurability, on dispatcher: inout Dispatcher, loop: ServerLoop
  ) {
    dispatcher.gate = DurabilityGate(durability)
    // One sync is for all calls of a tick.
    if durability.policy == .always { dispatcher.callsPerTick = 4_096 }
    dispatcher.endOfTick = { summary in
      durability.endOfTick(
        waitsFor: summary.heldMark, isIdle: summary.heldCount == summary.callCount)
    }
    durability.onAdvance(loop.wake)
  }
}
