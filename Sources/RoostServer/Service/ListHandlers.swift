import CRoostProtos
import RoostStore
import TTRPC

// The calls on one list. Each class is made once per event loop.

final class PushHandler: StoreHandler {
  let scope: StoreScope
  init(_ scope: StoreScope) { self.scope = scope }

  func read(_ payload: UnsafeRawBufferPointer) throws(RequestError) -> PushCommand {
    try scope.readPush(
      scope.decode(
        payload, roost__v1__push_request__descriptor_address(), as: Roost__V1__PushRequest.self))
  }

  func authorize(
    _ command: UnsafePointer<PushCommand>, as principal: Principal
  ) throws(RequestError) {
    try principal.require(.write, command.pointee.key)
  }

  func run(
    _ command: UnsafePointer<PushCommand>, _ reply: ReplyArena, later: Later<PushResult>
  ) throws(StoreError) -> Answer<PushResult> {
    try scope.engine.any.push(command.pointee, reply, later: later)
  }

  static func message(_ outcome: PushResult, in reply: ReplyArena) -> ReplyMessage {
    ReplyMessage(reply.answer(push: outcome), maxBytes: ReplyMessage.fixedBytes)
  }
}

final class PopHandler: StoreHandler {
  let scope: StoreScope
  init(_ scope: StoreScope) { self.scope = scope }

  func read(_ payload: UnsafeRawBufferPointer) throws(RequestError) -> PopCommand {
    try scope.readPop(
      scope.decode(
        payload, roost__v1__pop_request__descriptor_address(), as: Roost__V1__PopRequest.self))
  }

  func authorize(
    _ command: UnsafePointer<PopCommand>, as principal: Principal
  ) throws(RequestError) {
    try principal.require(.write, command.pointee.key)
  }

  func run(
    _ command: UnsafePointer<PopCommand>, _ reply: ReplyArena, later: Later<PopResult>
  ) throws(StoreError) -> Answer<PopResult> {
    try scope.engine.any.pop(command.pointee, reply, later: later)
  }

  static func message(_ outcome: PopResult, in reply: ReplyArena) -> ReplyMessage {
    ReplyMessage(
      reply.answer(pop: outcome),
      maxBytes: ReplyMessage.fixedBytes + outcome.items.maxEncodedBytes)
  }
}

final class ListRangeHandler: StoreHandler {
  let scope: StoreScope
  init(_ scope: StoreScope) { self.scope = scope }

  func read(_ payload: UnsafeRawBufferPointer) throws(RequestError) -> ListRangeCommand {
    let request = try scope.decode(
      payload, roost__v1__list_range_request__descriptor_address(),
      as: Roost__V1__ListRangeRequest.self)
    return ListRangeCommand(
      key: try scope.readKey(request.pointee.key), start: request.pointee.start,
      stop: request.pointee.stop)
  }

  func authorize(
    _ command: UnsafePointer<ListRangeCommand>, as principal: Principal
  ) throws(RequestError) {
    try principal.require(.read, command.pointee.key)
  }

  func run(
    _ command: UnsafePointer<ListRangeCommand>, _ reply: ReplyArena,
    later: Later<ListRangeResult>
  ) throws(StoreError) -> Answer<ListRangeResult> {
    try scope.engine.any.listRange(command.pointee, reply, later: later)
  }

  static func message(_ outcome: ListRangeResult, in reply: ReplyArena) -> ReplyMessage {
    reply.message(listRange: outcome)
  }
}
