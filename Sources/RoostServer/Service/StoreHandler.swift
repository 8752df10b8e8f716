import CRoostProtos
import ProtobufC
import RoostStore
import TTRPC

/// A handler whose call is one command of the engine, executed on the event loop. A conforming
/// class says how the request is read, what it needs to be allowed, and how the outcome reads;
/// the phases are here, and the compiler makes a copy of them for each class.
protocol StoreHandler: InlineHandler, SendableMetatype {
  /// Trivial: it lives in the arena and is never destroyed.
  associatedtype Command
  associatedtype Outcome

  var scope: StoreScope { get }

  /// Decodes and checks a request.
  func read(_ payload: UnsafeRawBufferPointer) throws(RequestError) -> Command
  /// Starts loading what the engine will look at first; touches nothing shared.
  func prefetchSlots(_ command: UnsafePointer<Command>)
  /// Goes on from `prefetchSlots`.
  func prefetchEntries(_ command: UnsafePointer<Command>)
  /// - Throws: `permissionDenied` where the grants do not cover all that the command touches.
  func authorize(_ command: UnsafePointer<Command>, as principal: Principal) throws(RequestError)
  func run(
    _ command: UnsafePointer<Command>, _ reply: ReplyArena, later: Later<Outcome>
  ) throws(StoreError) -> Answer<Outcome>
  /// Fills in the command's idempotency key, where it has one.
  static func complete(_ command: UnsafePointer<Command>, _ call: borrowing InlineCall)
  static func message(_ outcome: Outcome, in reply: ReplyArena) -> ReplyMessage
  /// Answers at once: with `message`, or with something faster that is the same.
  static func respond(
    _ outcome: Outcome, in reply: ReplyArena, _ response: inout ResponseWriter)
}

extension StoreHandler where Command: TicketedCommand {
  @inline(__always)
  static func complete(_ command: UnsafePointer<Command>, _ call: borrowing InlineCall) {
    command.pointee.completeTicket(call)
  }
}

extension StoreHandler {
  @inline(__always)
  static func complete(_ command: UnsafePointer<Command>, _ call: borrowing InlineCall) {}

  @inline(__always)
  static func respond(
    _ outcome: Outcome, in reply: ReplyArena, _ response: inout ResponseWriter
  ) {
    response.respond(message(outcome, in: reply))
  }

  @inline(__always)
  func prepare(_ call: inout InlineCall) {
    do throws(RequestError) {
      let command = try scope.allocate(Command.self)
      command.initialize(to: try read(call.payload))
      prefetchSlots(command)
      call.message = UnsafeMutableRawPointer(command)
    } catch {
      call.refuse(error.code, error.message)
    }
  }

  @inline(__always)
  func prefetch(_ call: inout InlineCall) {
    guard let message = call.message else { return }
    prefetchEntries(message.assumingMemoryBound(to: Command.self))
  }

  @inline(__always)
  func execute(_ call: inout InlineCall, _ response: inout ResponseWriter) {
    // A call without a command was refused, and is not executed.
    let command = UnsafePointer(call.message!.assumingMemoryBound(to: Command.self))
    do throws(RequestError) {
      try call.authorize { principal throws(RequestError) in try authorize(command, as: principal) }
    } catch {
      return response.fail(error.code, error.message)
    }
    Self.complete(command, call)
    scope.withReply(&response) { reply, response in
      do throws(StoreError) {
        let answer = try run(command, reply, later: { Self.completion(of: response.deferred()) })
        if case .now(let outcome) = answer {
          scope.release(reply, &response) { response in
            Self.respond(outcome, in: reply, &response)
          } encoded: {
            Self.message(outcome, in: reply).encoded()
          }
        }
      } catch {
        scope.release(error, reply, &response)
      }
    }
  }

  /// Answers a call from the thread on which the engine finishes it.
  private static func completion(of deferred: DeferredResponse) -> Completion<Outcome> {
    { result in
      switch result {
      case .success(let outcome):
        deferred.respond(ReplyMessage.encoded { message(outcome, in: $0) })
      case .failure(let error): deferred.fail(error.status)
      }
    }
  }
}

extension ResponseWriter {
  /// Answers with the status that the store's failure means.
  @inline(never)
  mutating func fail(_ error: StoreError) {
    let status = error.status
    fail(status.code, status.message)
  }
}

extension InlineCall {
  /// Asks `check` where the call has a principal; without authentication all is allowed.
  @inline(__always)
  func authorize(
    _ check: (Principal) throws(RequestError) -> Void
  ) throws(RequestError) {
    guard let attachment else { return }
    // Only the authenticator attaches, and only principals; it keeps them alive for the tick.
    let refusal = attachment._withUnsafeGuaranteedRef { object -> RequestError? in
      do throws(RequestError) {
        try check(unsafeDowncast(object, to: Principal.self))
        return nil
      } catch {
        return error
      }
    }
    if let refusal { throw refusal }
  }
}

extension Principal {
  @inline(__always)
  func require(_ action: AccessAction, _ key: KeyRef) throws(RequestError) {
    if !allows(action, key: key.bytes) { throw .permissionDenied(action) }
  }

  func require(_ action: AccessAction, _ range: KeyRangeRef) throws(RequestError) {
    if !allows(action, range: range) { throw .permissionDenied(action) }
  }

  /// A write needs WRITE; one whose answer tells what was there, or whether it was a given value,
  /// needs READ too.
  @inline(__always)
  func requireWrite(
    _ key: KeyRef, _ condition: ConditionRef, _ flags: WriteFlags
  ) throws(RequestError) {
    try require(.write, key)
    if flags.returnPrevious { return try require(.read, key) }
    if case .value = condition { try require(.read, key) }
  }
}
