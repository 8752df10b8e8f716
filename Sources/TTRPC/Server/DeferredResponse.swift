import Synchronization

/// Names one call of one connection of one event loop.
public struct CallAddress: Sendable, Hashable {
  /// `ServerConnectionContext.id`.
  public let connectionID: UInt64
  /// The call's stream.
  public let streamID: UInt32
  /// Tells calls apart that used the same stream, one after the other.
  let serial: UInt64
}

/// An answer on its way to the event loop.
public struct DeferredAnswer: Sendable {
  /// The call that it answers.
  public let address: CallAddress
  /// The encoded message, or the failure.
  public let result: Result<[UInt8], RPCError>
}

/// Takes answers to an event loop, from any thread.
public protocol AnswerMailbox: Sendable {
  /// Wakes the loop, which delivers the answer (`ServerTick.deliver`). Never blocks.
  func post(_ answer: DeferredAnswer)
}

/// Answers one call later, from any thread; the first answer counts. Where it is dropped
/// unanswered, the caller gets INTERNAL.
public final class DeferredResponse: Sendable {
  private let address: CallAddress
  private let mailbox: any AnswerMailbox
  private let state: DeferredState

  init(_ address: CallAddress, _ mailbox: any AnswerMailbox, _ state: DeferredState) {
    self.address = address
    self.mailbox = mailbox
    self.state = state
  }

  deinit { answer(.failure(RPCError(.internal, "the handler ended without an answer"))) }

  /// Whether nobody waits for the answer any more: the caller is gone, or its deadline has passed.
  public var isCancelled: Bool { state.isCancelled }

  /// Calls `action` once when the call is cancelled, on the event loop; at once, on the calling
  /// thread, where it already is. Not called once the call was answered. One action at a time.
  public func onCancel(_ action: @escaping @Sendable () -> Void) { state.onCancel(action) }

  /// Answers with an encoded message. One that no frame holds is RESOURCE_EXHAUSTED.
  public func respond(_ bytes: [UInt8]) { answer(.success(bytes)) }

  /// Lets the call fail.
  public func fail(_ error: RPCError) { answer(.failure(error)) }

  /// Lets the call fail.
  public func fail(_ code: StatusCode, _ message: String) { fail(RPCError(code, message)) }

  private func answer(_ result: Result<[UInt8], RPCError>) {
    guard state.beginAnswer() else { return }
    mailbox.post(DeferredAnswer(address: address, result: result))
  }
}

/// What a deferred call's connection and its `DeferredResponse` share: whether somebody still
/// waits, and whether there was an answer. Safe from any thread.
final class DeferredState: Sendable {
  private struct State {
    var isAnswered = false
    var isCancelled = false
    var cancelAction: (@Sendable () -> Void)?
  }

  private let state = Mutex(State())

  var isCancelled: Bool { state.withLock { $0.isCancelled } }

  func onCancel(_ action: @escaping @Sendable () -> Void) {
    let runNow = state.withLock { state in
      if !state.isCancelled && !state.isAnswered { state.cancelAction = action }
      return state.isCancelled && !state.isAnswered
    }
    if runNow { action() }
  }

  /// Whether this is the first answer, and somebody waits for it.
  func beginAnswer() -> Bool {
    // The action is released outside the lock.
    let (isFirst, action) = state.withLock { state in
      defer {
        state.isAnswered = true
        state.cancelAction = nil
      }
      return (!state.isAnswered && !state.isCancelled, state.cancelAction)
    }
    _ = action
    return isFirst
  }

  /// Called by the connection that has given up on the call.
  func cancel() {
    let action = state.withLock { state in
      state.isCancelled = true
      defer { state.cancelAction = nil }
      return state.cancelAction
    }
    action?()
  }
}
