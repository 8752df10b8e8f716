import TTRPC

/// One call's caller. `waiter` is set before the ticket goes to the mailbox, once; all else
/// is confined to the event loop.
///
/// Unchecked: the mailbox's lock orders the two.
final class CallTicket: @unchecked Sendable {
  /// Who waits for the answer.
  enum Waiter {
    case caller(CheckedContinuation<Result<[UInt8], RPCError>, Never>)
    /// The client itself; called on the event loop.
    case client((Result<[UInt8], RPCError>) -> Void)
  }

  var waiter: Waiter?
  /// The call, once the loop has admitted it.
  var id: CallID?
  /// Given up, perhaps before it came to the loop.
  var isCancelled = false
  /// Whether it says itself who calls, so that its refusal says nothing of the connection.
  let hasOwnIdentity: Bool

  init(hasOwnIdentity: Bool, waiter: Waiter? = nil) {
    self.hasOwnIdentity = hasOwnIdentity
    self.waiter = waiter
  }

  /// Wakes the caller; does nothing the second time.
  func finish(_ result: Result<[UInt8], RPCError>) {
    switch waiter.take() {
    case .caller(let continuation): continuation.resume(returning: result)
    case .client(let body): body(result)
    case nil: break
    }
  }
}
