import CProtobufC
import CRoostProtos
import RoostStore

// The store's outcomes as the API's messages: as answers of their own and as the results of a
// transaction's steps. Everything borrows from `reply`.

extension ReplyArena {
  @inline(__always)
  func message(get entry: EntryRef?) -> UnsafeMutablePointer<Roost__V1__GetResponse> {
    let message = make(roost__v1__get_response__init)
    if let entry {
      message.pointee.found = 1
      message.pointee.entry = entry.message(in: self)
    }
    return message
  }

  @inline(__always)
  func message(set result: SetResult) -> UnsafeMutablePointer<Roost__V1__SetResponse> {
    let message = make(roost__v1__set_response__init)
    message.pointee.revision = result.revision
    message.pointee.created = result.created ? 1 : 0
    if let previous = result.previous { message.pointee.previous = previous.message(in: self) }
    return message
  }

  func message(delete result: DeleteResult) -> UnsafeMutablePointer<Roost__V1__DeleteResponse> {
    let message = make(roost__v1__delete_response__init)
    message.pointee.deleted = result.deleted ? 1 : 0
    message.pointee.revision = result.revision
    if let previous = result.previous { message.pointee.previous = previous.message(in: self) }
    return message
  }

  func message(
    increment result: IncrementResult
  ) -> UnsafeMutablePointer<Roost__V1__IncrementResponse> {
    let message = make(roost__v1__increment_response__init)
    message.pointee.value = result.value
    message.pointee.revision = result.revision
    return message
  }

  func message(push result: PushResult) -> UnsafeMutablePointer<Roost__V1__PushResponse> {
    let message = make(roost__v1__push_response__init)
    message.pointee.length = result.length
    message.pointee.revision = result.revision
    return message
  }

  func message(pop result: PopResult) -> UnsafeMutablePointer<Roost__V1__PopResponse> {
    let message = make(roost__v1__pop_response__init)
    message.pointee.n_items = result.items.count
    message.pointee.items = result.items.unsafeBinaryData
    message.pointee.length = result.length
    message.pointee.revision = result.revision
    return message
  }

  func message(step result: OperationResult) -> UnsafeMutablePointer<Roost__V1__OperationResult> {
    let message = make(roost__v1__operation_result__init)
    switch result {
    case .get(let entry):
      message.pointee.kind_case = ROOST__V1__OPERATION_RESULT__KIND_GET
      message.pointee.get = self.message(get: entry)
    case .set(let result):
      message.pointee.kind_case = ROOST__V1__OPERATION_RESULT__KIND_SET
      message.pointee.set = self.message(set: result)
    case .delete(let result):
      message.pointee.kind_case = ROOST__V1__OPERATION_RESULT__KIND_DELETE
      message.pointee.delete_ = self.message(delete: result)
    case .increment(let result):
      message.pointee.kind_case = ROOST__V1__OPERATION_RESULT__KIND_INCREMENT
      message.pointee.increment = self.message(increment: result)
    case .push(let result):
      message.pointee.kind_case = ROOST__V1__OPERATION_RESULT__KIND_PUSH
      message.pointee.push = self.message(push: result)
    case .pop(let result):
      message.pointee.kind_case = ROOST__V1__OPERATION_RESULT__KIND_POP
      message.pointee.pop = self.message(pop: result)
    }
    return message
  }

  func message(transact result: TransactResult) -> ReplyMessage {
    let message = make(roost__v1__transact_response__init)
    message.pointee.succeeded = result.succeeded ? 1 : 0
    message.pointee.revision = result.revision
    message.pointee.replayed = isReplayed ? 1 : 0
    var maxBytes = ReplyMessage.fixedBytes
    let steps = makeArray(
      of: UnsafeMutablePointer<Roost__V1__OperationResult>?.self, count: result.results.count)
    for (index, step) in result.results.enumerated() {
      (steps + index).initialize(to: self.message(step: step))
      maxBytes += step.maxEncodedBytes
    }
    message.pointee.n_results = result.results.count
    message.pointee.results = steps
    return ReplyMessage(message, maxBytes: maxBytes)
  }

  func message(batch result: BatchGetResult) -> ReplyMessage {
    let message = make(roost__v1__batch_get_response__init)
    message.pointee.revision = result.revision
    var maxBytes = ReplyMessage.fixedBytes
    let results = makeArray(
      of: UnsafeMutablePointer<Roost__V1__GetResponse>?.self, count: result.entries.count)
    for (index, entry) in result.entries.enumerated() {
      (results + index).initialize(to: self.message(get: entry))
      maxBytes += ReplyMessage.fixedBytes + (entry?.maxEncodedBytes ?? 0)
    }
    message.pointee.n_results = result.entries.count
    message.pointee.results = results
    return ReplyMessage(message, maxBytes: maxBytes)
  }

  func message(listRange result: ListRangeResult) -> ReplyMessage {
    let message = make(roost__v1__list_range_response__init)
    message.pointee.found = result.found ? 1 : 0
    message.pointee.n_items = result.items.count
    message.pointee.items = result.items.unsafeBinaryData
    message.pointee.length = result.length
    message.pointee.revision = result.revision
    return ReplyMessage(
      message, maxBytes: ReplyMessage.fixedBytes + result.items.maxEncodedBytes)
  }
}

extension OperationResult {
  /// At least the encoded size, in bytes, with its headers.
  fileprivate var maxEncodedBytes: Int {
    let payloadBytes =
      switch self {
      case .get(let entry): entry?.maxEncodedBytes ?? 0
      case .set(let result): result.previous?.maxEncodedBytes ?? 0
      case .delete(let result): result.previous?.maxEncodedBytes ?? 0
      case .increment, .push: 0
      case .pop(let result): result.items.maxEncodedBytes
      }
    return ReplyMessage.fixedBytes + payloadBytes
  }
}
