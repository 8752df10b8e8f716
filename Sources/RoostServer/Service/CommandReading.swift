import CRoostProtos
import RoostStore

// How whole requests become the store's commands: as calls of their own and as the steps of a
// transaction.
extension StoreScope {
  @inline(__always)
  func readGet(_ request: UnsafePointer<Roost__V1__GetRequest>) throws(RequestError) -> GetCommand {
    var command = GetCommand(key: try readKey(request.pointee.key))
    command.keysOnly = request.pointee.keys_only != 0
    return command
  }

  @inline(__always)
  func readSet(_ request: UnsafePointer<Roost__V1__SetRequest>) throws(RequestError) -> SetCommand {
    var command = SetCommand(
      key: try readKey(request.pointee.key), value: try readValue(request.pointee.value))
    command.expiration = try readExpiration(request.pointee.expiration, absent: .never)
    command.condition = try readCondition(request.pointee.condition)
    command.flags = try readOptions(request.pointee.options)
    return command
  }

  func readDelete(
    _ request: UnsafePointer<Roost__V1__DeleteRequest>
  ) throws(RequestError) -> DeleteCommand {
    var command = DeleteCommand(key: try readKey(request.pointee.key))
    command.condition = try readCondition(request.pointee.condition)
    command.flags = try readOptions(request.pointee.options)
    return command
  }

  func readIncrement(
    _ request: UnsafePointer<Roost__V1__IncrementRequest>
  ) throws(RequestError) -> IncrementCommand {
    var command = IncrementCommand(
      key: try readKey(request.pointee.key), delta: request.pointee.delta)
    command.initial = request.pointee.initial
    command.expiration = try readExpiration(request.pointee.expiration, absent: .keep)
    command.flags = try readOptions(request.pointee.options)
    return command
  }

  func readTouch(
    _ request: UnsafePointer<Roost__V1__TouchRequest>
  ) throws(RequestError) -> TouchCommand {
    var command = TouchCommand(key: try readKey(request.pointee.key))
    command.expiration = try readExpiration(request.pointee.expiration, absent: .never)
    command.flags = try readOptions(request.pointee.options)
    return command
  }

  func readPush(
    _ request: UnsafePointer<Roost__V1__PushRequest>
  ) throws(RequestError) -> PushCommand {
    let key = try readKey(request.pointee.key)
    let count = request.pointee.n_items
    try check(count, is: "the number of items", in: 1...Int64(limits.maxListItemsPerCall))
    try check(request.pointee.max_length, is: "max_length", in: 0...Int64.max)
    var command = PushCommand(key: key, items: try readItems(request.pointee.items, count: count))
    command.side = try readListEnd(request.pointee.end)
    command.expiration = try readExpiration(request.pointee.expiration, absent: .keep)
    command.mustExist = request.pointee.must_exist != 0
    command.maxLength = request.pointee.max_length
    command.flags = try readOptions(request.pointee.options)
    return command
  }

  func readPop(_ request: UnsafePointer<Roost__V1__PopRequest>) throws(RequestError) -> PopCommand {
    var command = PopCommand(key: try readKey(request.pointee.key))
    command.side = try readListEnd(request.pointee.end)
    try check(request.pointee.count, is: "count", in: 0...Int64(limits.maxListItemsPerCall))
    command.count = max(1, Int(request.pointee.count))
    command.flags = try readOptions(request.pointee.options)
    return command
  }

  @inline(__always)
  func check(
    _ count: some BinaryInteger, is field: StaticString, in allowed: ClosedRange<Int64>
  ) throws(RequestError) {
    let count = Int64(count)
    if !allowed.contains(count) { throw .count(of: field, count, allowed: allowed) }
  }
}

extension StoreScope {
  func readTransaction(
    _ request: UnsafePointer<Roost__V1__TransactRequest>
  ) throws(RequestError) -> TransactCommand {
    let allowed = 0...Int64(limits.maxTransactionSteps)
    try check(request.pointee.n_compares, is: "the number of compares", in: allowed)
    try check(request.pointee.n_success, is: "the number of success steps", in: allowed)
    try check(request.pointee.n_failure, is: "the number of failure steps", in: allowed)
    var command = TransactCommand(
      compares: try readElements(
        request.pointee.compares, request.pointee.n_compares, "compares", readCompare),
      success: try readElements(
        request.pointee.success, request.pointee.n_success, "success", readOperation),
      failure: try readElements(
        request.pointee.failure, request.pointee.n_failure, "failure", readOperation))
    let flags = try readOptions(request.pointee.options)
    command.durability = flags.durability
    command.ticket = flags.ticket
    return command
  }

  /// An array in the arena with what `read` makes of each element.
  private func readElements<Element, Read>(
    _ elements: UnsafeMutablePointer<UnsafeMutablePointer<Element>?>?, _ count: Int,
    _ field: StaticString, _ read: (UnsafePointer<Element>) throws(RequestError) -> Read
  ) throws(RequestError) -> UnsafeBufferPointer<Read> {
    guard let elements, count > 0 else { return UnsafeBufferPointer(start: nil, count: 0) }
    let target = try allocate(Read.self, count: count)
    for index in 0..<count {
      guard let element = elements[index] else { throw .malformed }
      do throws(RequestError) {
        (target + index).initialize(to: try read(element))
      } catch {
        throw .element(field: field, index: index, error)
      }
    }
    return UnsafeBufferPointer(start: target, count: count)
  }

  private func readCompare(
    _ compare: UnsafePointer<Roost__V1__Compare>
  ) throws(RequestError) -> CompareRef {
    guard let condition = compare.pointee.condition else { throw .missingCondition }
    return CompareRef(
      key: try readKey(compare.pointee.key), condition: try readPresentCondition(condition))
  }

  private func readOperation(
    _ operation: UnsafePointer<Roost__V1__Operation>
  ) throws(RequestError) -> OperationRef {
    switch operation.pointee.kind_case {
    case ROOST__V1__OPERATION__KIND_GET: return .get(try readGet(operation.pointee.get))
    case ROOST__V1__OPERATION__KIND_SET:
      try refuseOptions(operation.pointee.set.pointee.options)
      return .set(try readSet(operation.pointee.set))
    case ROOST__V1__OPERATION__KIND_DELETE:
      try refuseOptions(operation.pointee.delete_.pointee.options)
      return .delete(try readDelete(operation.pointee.delete_))
    case ROOST__V1__OPERATION__KIND_INCREMENT:
      try refuseOptions(operation.pointee.increment.pointee.options)
      return .increment(try readIncrement(operation.pointee.increment))
    case ROOST__V1__OPERATION__KIND_PUSH:
      try refuseOptions(operation.pointee.push.pointee.options)
      return .push(try readPush(operation.pointee.push))
    case ROOST__V1__OPERATION__KIND_POP:
      try refuseOptions(operation.pointee.pop.pointee.options)
      return .pop(try readPop(operation.pointee.pop))
    default: throw .unknownOperationKind
    }
  }

  private func refuseOptions(
    _ options: UnsafeMutablePointer<Roost__V1__WriteOptions>?
  ) throws(RequestError) {
    if options != nil { throw .stepOptions }
  }
}
