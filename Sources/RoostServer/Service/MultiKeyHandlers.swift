import CRoostProtos
import RoostStore
import TTRPC

// The calls on several named keys, and Count. Each class is made once per event loop.

final class BatchGetHandler: StoreHandler {
  struct Command {
    var keys: UnsafeBufferPointer<KeyRef>
    var keysOnly: Bool
  }

  let scope: StoreScope
  init(_ scope: StoreScope) { self.scope = scope }

  func read(_ payload: UnsafeRawBufferPointer) throws(RequestError) -> Command {
    let request = try scope.decode(
      payload, roost__v1__batch_get_request__descriptor_address(),
      as: Roost__V1__BatchGetRequest.self)
    let count = request.pointee.n_keys
    try scope.check(count, is: "the number of keys", in: 0...Int64(scope.limits.maxBatchKeys))
    let keys = try scope.allocate(KeyRef.self, count: count)
    for index in 0..<count {
      do throws(RequestError) {
        (keys + index).initialize(to: try scope.readKey(request.pointee.keys[index]))
      } catch {
        throw .element(field: "keys", index: index, error)
      }
    }
    return Command(
      keys: UnsafeBufferPointer(start: keys, count: count),
      keysOnly: request.pointee.keys_only != 0)
  }

  func prefetchSlots(_ command: UnsafePointer<Command>) {
    for key in command.pointee.keys { scope.engine.prefetchSlot(key.hash) }
  }

  func prefetchEntries(_ command: UnsafePointer<Command>) {
    for key in command.pointee.keys { scope.engine.prefetchEntry(key.hash) }
  }

  func authorize(_ command: UnsafePointer<Command>, as principal: Principal) throws(RequestError) {
    for key in command.pointee.keys { try principal.require(.read, key) }
  }

  func run(
    _ command: UnsafePointer<Command>, _ reply: ReplyArena, later: Later<BatchGetResult>
  ) throws(StoreError) -> Answer<BatchGetResult> {
    try scope.engine.any.batchGet(
      command.pointee.keys, keysOnly: command.pointee.keysOnly, reply, later: later)
  }

  static func message(_ outcome: BatchGetResult, in reply: ReplyArena) -> ReplyMessage {
    reply.message(batch: outcome)
  }
}

final class TransactHandler: StoreHandler {
  let scope: StoreScope
  init(_ scope: StoreScope) { self.scope = scope }

  func read(_ payload: UnsafeRawBufferPointer) throws(RequestError) -> TransactCommand {
    try scope.readTransaction(
      scope.decode(
        payload, roost__v1__transact_request__descriptor_address(),
        as: Roost__V1__TransactRequest.self))
  }

  func prefetchSlots(_ command: UnsafePointer<TransactCommand>) {
    for compare in command.pointee.compares { scope.engine.prefetchSlot(compare.key.hash) }
    for step in command.pointee.success { scope.engine.prefetchSlot(step.key.hash) }
  }

  func prefetchEntries(_ command: UnsafePointer<TransactCommand>) {
    for compare in command.pointee.compares { scope.engine.prefetchEntry(compare.key.hash) }
    for step in command.pointee.success { scope.engine.prefetchEntry(step.key.hash) }
  }

  /// Both branches are checked, so that the answer does not tell which one it would be.
  func authorize(
    _ command: UnsafePointer<TransactCommand>, as principal: Principal
  ) throws(RequestError) {
    for compare in command.pointee.compares { try principal.require(.read, compare.key) }
    for step in command.pointee.success { try principal.require(step) }
    for step in command.pointee.failure { try principal.require(step) }
  }

  func run(
    _ command: UnsafePointer<TransactCommand>, _ reply: ReplyArena, later: Later<TransactResult>
  ) throws(StoreError) -> Answer<TransactResult> {
    try scope.engine.any.transact(command.pointee, reply, later: later)
  }

  static func message(_ outcome: TransactResult, in reply: ReplyArena) -> ReplyMessage {
    reply.message(transact: outcome)
  }
}

extension OperationRef {
  fileprivate var key: KeyRef {
    switch self {
    case .get(let command): command.key
    case .set(let command): command.key
    case .delete(let command): command.key
    case .increment(let command): command.key
    case .push(let command): command.key
    case .pop(let command): command.key
    }
  }
}

extension Principal {
  fileprivate func require(_ step: OperationRef) throws(RequestError) {
    switch step {
    case .get(let command): try require(.read, command.key)
    case .set(let command): try requireWrite(command.key, command.condition, command.flags)
    case .delete(let command): try requireWrite(command.key, command.condition, command.flags)
    case .increment(let command): try require(.write, command.key)
    case .push(let command): try require(.write, command.key)
    case .pop(let command): try require(.write, command.key)
    }
  }
}

final class CountHandler: StoreHandler {
  let scope: StoreScope
  init(_ scope: StoreScope) { self.scope = scope }

  func read(_ payload: UnsafeRawBufferPointer) throws(RequestError) -> KeyRangeRef {
    let request = try scope.decode(
      payload, roost__v1__count_request__descriptor_address(), as: Roost__V1__CountRequest.self)
    return try scope.readRange(request.pointee.range)
  }

  func prefetchSlots(_ command: UnsafePointer<KeyRangeRef>) {}
  func prefetchEntries(_ command: UnsafePointer<KeyRangeRef>) {}

  func authorize(
    _ command: UnsafePointer<KeyRangeRef>, as principal: Principal
  ) throws(RequestError) {
    try principal.require(.read, command.pointee)
  }

  func run(
    _ command: UnsafePointer<KeyRangeRef>, _ reply: ReplyArena, later: Later<CountResult>
  ) throws(StoreError) -> Answer<CountResult> {
    try scope.engine.any.count(command.pointee, reply, later: later)
  }

  static func message(_ outcome: CountResult, in reply: ReplyArena) -> ReplyMessage {
    let message = reply.make(roost__v1__count_response__init)
    message.pointee.count = outcome.count
    message.pointee.revision = outcome.revision
    return ReplyMessage(message, maxBytes: ReplyMessage.fixedBytes)
  }
}
