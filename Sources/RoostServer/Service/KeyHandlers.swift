import CRoostProtos
import RoostStore
import TTRPC

// The calls on one key. Each class is made once per event loop.

/// A command on one key, whose record is worth loading ahead.
protocol KeyedCommand {
  var key: KeyRef { get }
}

extension GetCommand: KeyedCommand {}
extension SetCommand: KeyedCommand {}
extension DeleteCommand: KeyedCommand {}
extension IncrementCommand: KeyedCommand {}
extension TouchCommand: KeyedCommand {}
extension PushCommand: KeyedCommand {}
extension PopCommand: KeyedCommand {}
extension ListRangeCommand: KeyedCommand {}

extension StoreHandler where Command: KeyedCommand {
  @inline(__always)
  func prefetchSlots(_ command: UnsafePointer<Command>) {
    scope.engine.prefetchSlot(command.pointee.key.hash)
  }

  @inline(__always)
  func prefetchEntries(_ command: UnsafePointer<Command>) {
    scope.engine.prefetchEntry(command.pointee.key.hash)
  }
}

final class GetHandler: StoreHandler {
  let scope: StoreScope
  init(_ scope: StoreScope) { self.scope = scope }

  func read(_ payload: UnsafeRawBufferPointer) throws(RequestError) -> GetCommand {
    try scope.readGet(
      scope.decode(
        payload, roost__v1__get_request__descriptor_address(), as: Roost__V1__GetRequest.self))
  }

  func authorize(
    _ command: UnsafePointer<GetCommand>, as principal: Principal
  ) throws(RequestError) {
    try principal.require(.read, command.pointee.key)
  }

  func run(
    _ command: UnsafePointer<GetCommand>, _ reply: ReplyArena, later: Later<EntryRef?>
  ) throws(StoreError) -> Answer<EntryRef?> {
    try scope.engine.get(command.pointee, reply, later: later)
  }

  @inline(__always)
  static func respond(
    _ outcome: EntryRef?, in reply: ReplyArena, _ response: inout ResponseWriter
  ) {
    response.respond(get: outcome, in: reply)
  }

  static func message(_ outcome: EntryRef?, in reply: ReplyArena) -> ReplyMessage {
    ReplyMessage(
      reply.message(get: outcome),
      maxBytes: ReplyMessage.fixedBytes + (outcome?.maxEncodedBytes ?? 0))
  }
}

final class SetHandler: StoreHandler {
  let scope: StoreScope
  init(_ scope: StoreScope) { self.scope = scope }

  func read(_ payload: UnsafeRawBufferPointer) throws(RequestError) -> SetCommand {
    try scope.readSet(
      scope.decode(
        payload, roost__v1__set_request__descriptor_address(), as: Roost__V1__SetRequest.self))
  }

  func authorize(
    _ command: UnsafePointer<SetCommand>, as principal: Principal
  ) throws(RequestError) {
    try principal.requireWrite(
      command.pointee.key, command.pointee.condition, command.pointee.flags)
  }

  func run(
    _ command: UnsafePointer<SetCommand>, _ reply: ReplyArena, later: Later<SetResult>
  ) throws(StoreError) -> Answer<SetResult> {
    try scope.engine.set(command.pointee, reply, later: later)
  }

  @inline(__always)
  static func respond(
    _ outcome: SetResult, in reply: ReplyArena, _ response: inout ResponseWriter
  ) {
    response.respond(set: outcome, in: reply)
  }

  static func message(_ outcome: SetResult, in reply: ReplyArena) -> ReplyMessage {
    ReplyMessage(
      reply.answer(set: outcome),
      maxBytes: ReplyMessage.fixedBytes + (outcome.previous?.maxEncodedBytes ?? 0))
  }
}

final class DeleteHandler: StoreHandler {
  let scope: StoreScope
  init(_ scope: StoreScope) { self.scope = scope }

  func read(_ payload: UnsafeRawBufferPointer) throws(RequestError) -> DeleteCommand {
    try scope.readDelete(
      scope.decode(
        payload, roost__v1__delete_request__descriptor_address(),
        as: Roost__V1__DeleteRequest.self))
  }

  func authorize(
    _ command: UnsafePointer<DeleteCommand>, as principal: Principal
  ) throws(RequestError) {
    try principal.requireWrite(
      command.pointee.key, command.pointee.condition, command.pointee.flags)
  }

  func run(
    _ command: UnsafePointer<DeleteCommand>, _ reply: ReplyArena, later: Later<DeleteResult>
  ) throws(StoreError) -> Answer<DeleteResult> {
    try scope.engine.any.delete(command.pointee, reply, later: later)
  }

  static func message(_ outcome: DeleteResult, in reply: ReplyArena) -> ReplyMessage {
    ReplyMessage(
      reply.answer(delete: outcome),
      maxBytes: ReplyMessage.fixedBytes + (outcome.previous?.maxEncodedBytes ?? 0))
  }
}

final class IncrementHandler: StoreHandler {
  let scope: StoreScope
  init(_ scope: StoreScope) { self.scope = scope }

  func read(_ payload: UnsafeRawBufferPointer) throws(RequestError) -> IncrementCommand {
    try scope.readIncrement(
      scope.decode(
        payload, roost__v1__increment_request__descriptor_address(),
        as: Roost__V1__IncrementRequest.self))
  }

  func authorize(
    _ command: UnsafePointer<IncrementCommand>, as principal: Principal
  ) throws(RequestError) {
    try principal.require(.write, command.pointee.key)
  }

  func run(
    _ command: UnsafePointer<IncrementCommand>, _ reply: ReplyArena,
    later: Later<IncrementResult>
  ) throws(StoreError) -> Answer<IncrementResult> {
    try scope.engine.any.increment(command.pointee, reply, later: later)
  }

  static func message(_ outcome: IncrementResult, in reply: ReplyArena) -> ReplyMessage {
    ReplyMessage(reply.answer(increment: outcome), maxBytes: ReplyMessage.fixedBytes)
  }
}

final class TouchHandler: StoreHandler {
  let scope: StoreScope
  init(_ scope: StoreScope) { self.scope = scope }

  func read(_ payload: UnsafeRawBufferPointer) throws(RequestError) -> TouchCommand {
    try scope.readTouch(
      scope.decode(
        payload, roost__v1__touch_request__descriptor_address(),
        as: Roost__V1__TouchRequest.self))
  }

  func authorize(
    _ command: UnsafePointer<TouchCommand>, as principal: Principal
  ) throws(RequestError) {
    try principal.require(.write, command.pointee.key)
  }

  func run(
    _ command: UnsafePointer<TouchCommand>, _ reply: ReplyArena, later: Later<TouchResult>
  ) throws(StoreError) -> Answer<TouchResult> {
    try scope.engine.any.touch(command.pointee, reply, later: later)
  }

  static func message(_ outcome: TouchResult, in reply: ReplyArena) -> ReplyMessage {
    let message = reply.make(roost__v1__touch_response__init)
    message.pointee.found = outcome.found ? 1 : 0
    message.pointee.expires_at_ms = outcome.expiresAtMillis
    message.pointee.revision = outcome.revision
    message.pointee.replayed = reply.isReplayed ? 1 : 0
    return ReplyMessage(message, maxBytes: ReplyMessage.fixedBytes)
  }
}
