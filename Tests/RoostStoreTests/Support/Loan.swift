import RoostStore

/// Lends a test's owned values to an engine for one call. What was lent is overwritten when the
/// loan ends, so an engine that keeps a pointer into a request shows it.
final class Loan {
  private var blocks: [UnsafeMutableRawBufferPointer] = []

  deinit {
    for block in blocks {
      block.initializeMemory(as: UInt8.self, repeating: 0xdd)
      block.deallocate()
    }
  }

  func bytes(_ bytes: Bytes) -> UnsafeRawBufferPointer {
    let block = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 1)
    block.copyBytes(from: bytes.array)
    blocks.append(block)
    return UnsafeRawBufferPointer(block)
  }

  /// Of elements without references: they are not destroyed.
  func array<Element: BitwiseCopyable>(_ elements: [Element]) -> UnsafeBufferPointer<Element> {
    let block = UnsafeMutableRawBufferPointer.allocate(
      byteCount: elements.count * MemoryLayout<Element>.stride,
      alignment: MemoryLayout<Element>.alignment)
    blocks.append(block)
    let typed = block.bindMemory(to: Element.self)
    _ = typed.initialize(from: elements)
    return UnsafeBufferPointer(rebasing: typed[..<elements.count])
  }

  func slices(_ items: [Bytes]) -> UnsafeBufferPointer<ByteSlice> {
    array(items.map { ByteSlice(bytes($0)) })
  }

  func value(_ value: StoreValue) -> ValueRef {
    switch value {
    case .bytes(let bytes): .bytes(self.bytes(bytes))
    case .text(let text): .text(bytes(text))
    case .int(let int): .int(int)
    case .double(let double): .double(double)
    case .bool(let bool): .bool(bool)
    case .list(let items): .list(slices(items))
    }
  }

  func condition(_ condition: StoreCondition) -> ConditionRef {
    switch condition {
    case .none: .none
    case .exists(let exists): .exists(exists)
    case .revision(let revision): .revision(revision)
    case .value(let value): .value(self.value(value))
    }
  }

  func expiration(_ expiration: StoreExpiration) -> ExpirationRef {
    switch expiration {
    case .never: .never
    case .keep: .keep
    case .after(let millis): .afterMillis(millis)
    case .at(let millis): .atMillis(millis)
    }
  }

  func range(_ range: StoreRange) -> KeyRangeRef {
    var lent = KeyRangeRef()
    lent.prefix = bytes(range.prefix)
    lent.start = bytes(range.start)
    lent.end = bytes(range.end)
    return lent
  }
}

/// A loan that knows its engine's hash, and so can lend whole commands.
struct CommandLoan {
  let engine: any StorageEngine
  var ticket: StoreTicket?
  let loan = Loan()

  func lentTicket() -> UnsafePointer<AnswerTicket>? {
    guard let ticket else { return nil }
    var lent = AnswerTicket(key: loan.bytes(ticket.key))
    lent.owner = loan.bytes(ticket.owner)
    lent.fingerprint = AnswerFingerprint(ticket.request.array)
    return loan.array([lent]).baseAddress
  }

  /// Hashes and prefetches as an event loop does when it prepares a call.
  func key(_ key: Bytes) -> KeyRef {
    let lent = loan.bytes(key)
    let hash = engine.hash(lent)
    engine.prefetchSlot(hash)
    engine.prefetchEntry(hash)
    return KeyRef(lent, hash: hash)
  }

  func get(_ key: Bytes, keysOnly: Bool) -> GetCommand {
    var command = GetCommand(key: self.key(key))
    command.keysOnly = keysOnly
    return command
  }

  func set(_ call: SetCall) -> SetCommand {
    var command = SetCommand(key: key(call.key), value: loan.value(call.value))
    command.expiration = loan.expiration(call.expiration)
    command.condition = loan.condition(call.condition)
    command.flags.returnPrevious = call.returnPrevious
    command.flags.durability = call.durability
    command.flags.ticket = lentTicket()
    return command
  }

  func delete(_ call: DeleteCall) -> DeleteCommand {
    var command = DeleteCommand(key: key(call.key))
    command.condition = loan.condition(call.condition)
    command.flags.returnPrevious = call.returnPrevious
    command.flags.ticket = lentTicket()
    return command
  }

  func increment(_ call: IncrementCall) -> IncrementCommand {
    var command = IncrementCommand(key: key(call.key), delta: call.delta)
    command.initial = call.initial
    command.expiration = loan.expiration(call.expiration)
    command.flags.ticket = lentTicket()
    return command
  }

  func touch(_ key: Bytes, _ expiration: StoreExpiration) -> TouchCommand {
    var command = TouchCommand(key: self.key(key))
    command.expiration = loan.expiration(expiration)
    command.flags.ticket = lentTicket()
    return command
  }

  func push(_ call: PushCall) -> PushCommand {
    var command = PushCommand(key: key(call.key), items: loan.slices(call.items))
    command.side = call.side
    command.expiration = loan.expiration(call.expiration)
    command.mustExist = call.mustExist
    command.maxLength = call.maxLength
    command.flags.ticket = lentTicket()
    return command
  }

  func pop(_ call: PopCall) -> PopCommand {
    var command = PopCommand(key: key(call.key))
    command.side = call.side
    command.count = call.count
    command.flags.ticket = lentTicket()
    return command
  }

  func operation(_ operation: StoreOperation) -> OperationRef {
    switch operation {
    case .get(let key, let keysOnly): .get(get(key, keysOnly: keysOnly))
    case .set(let call): .set(set(call))
    case .delete(let call): .delete(delete(call))
    case .increment(let call): .increment(increment(call))
    case .push(let call): .push(push(call))
    case .pop(let call): .pop(pop(call))
    }
  }

  func ticketed(_ call: TransactCall) -> TransactCommand {
    var command = transact(call)
    command.ticket = lentTicket()
    return command
  }

  func transact(_ call: TransactCall) -> TransactCommand {
    TransactCommand(
      compares: loan.array(
        call.compares.map {
          CompareRef(key: key($0.key), condition: loan.condition($0.condition))
        }),
      success: loan.array(call.success.map(operation)),
      failure: loan.array(call.failure.map(operation)))
  }

  func scan(_ call: ScanCall) throws(StoreError) -> ScanCommand {
    var command = ScanCommand(range: loan.range(call.range))
    if let pattern = call.pattern { command.pattern = try pattern.compile() }
    command.keysOnly = call.keysOnly
    command.reverse = call.reverse
    command.pageSize = call.pageSize
    command.maxExamined = call.maxExamined
    command.maxPageBytes = call.maxPageBytes
    command.resumeAfter = call.resumeAfter.map { loan.bytes($0) }
    return command
  }
}
