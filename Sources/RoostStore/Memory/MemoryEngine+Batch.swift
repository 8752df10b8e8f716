// What sees more than one key at one instant.
extension MemoryEngine {
  public func batchGet(
    _ keys: UnsafeBufferPointer<KeyRef>, keysOnly: Bool, _ reply: ReplyArena,
    later: Later<BatchGetResult>
  ) throws(StoreError) -> Answer<BatchGetResult> {
    var set = ShardSet()
    for key in keys {
      set.insert(shards.index(key.hash))
      prefetchSlot(key.hash)
    }
    let entries = reply.allocate(keys.count &* MemoryLayout<EntryRef?>.stride)
      .bindMemory(to: EntryRef?.self, capacity: keys.count)
    shards.lock(set)
    defer { shards.unlock(set) }
    showAll(reply)
    let now = time.now
    let stepMillis = time.stepMillis
    for place in 0..<keys.count {
      if place &+ Self.prefetchDistance < keys.count {
        prefetchEntry(keys[place &+ Self.prefetchDistance].hash)
      }
      let key = keys[place]
      let record = shards[shards.index(key.hash)].pointee.visible(key, now: now)
      let entry = record.map { reply.entry($0, keysOnly: keysOnly, stepMillis: stepMillis) }
      (entries + place).initialize(to: entry)
    }
    return .now(
      BatchGetResult(
        entries: UnsafeBufferPointer(start: entries, count: keys.count),
        revision: shards.currentRevision))
  }

  private static var prefetchDistance: Int { 6 }

  public func transact(
    _ command: TransactCommand, _ reply: ReplyArena, later: Later<TransactResult>
  ) throws(StoreError) -> Answer<TransactResult> {
    try check(command.durability)
    guard let ticket = command.ticket else { return .now(try transact(command, nil, reply)) }
    return .now(
      try once(ticket, command.durability, reply) { held throws(StoreError) in
        try transact(command, held, reply)
      })
  }

  private func transact(
    _ command: TransactCommand, _ held: HeldTicket?, _ reply: ReplyArena
  ) throws(StoreError) -> TransactResult {
    try admit(command)
    let set = shardSet(command)
    shards.lock(set)
    defer { unlockAfterWrite(set) }
    let steps = max(command.success.count, command.failure.count)
    return try withUndo(steps: steps, reply) { context, log throws(StoreError) in
      try transact(command, held, context, log, reply)
    }
  }

  /// Lends what a group of changes needs that happen together or not at all.
  func withUndo<Result>(
    steps: Int, _ reply: ReplyArena,
    _ body: (WriteContext, UnsafeMutablePointer<UndoLog>) throws(StoreError) -> Result
  ) throws(StoreError) -> Result {
    var log = UndoLog(steps: steps, memory: reply)
    var group = ChangeGroup(stepMillis: time.stepMillis)
    let isLogged = changeLog != nil
    return try withUnsafeMutablePointer(to: &log) { log throws(StoreError) in
      try withUnsafeMutablePointer(to: &group) { group throws(StoreError) in
        let context = WriteContext(
          now: time.now, stamp: time.stamp, undo: log, group: isLogged ? group : nil)
        return try body(context, log)
      }
    }
  }

  /// Makes the changes of a group final, at one revision.
  func commit(
    _ context: WriteContext, _ log: UnsafeMutablePointer<UndoLog>,
    answer: UnsafeRawBufferPointer? = nil
  ) -> Int64 {
    let shard = shards[log.pointee.shard]
    let revision: Int64
    if let group = context.group {
      revision = shard.pointee.commit(group.pointee, answer: answer)
    } else {
      revision = shard.pointee.commit(ChangeGroup(stepMillis: 0), answer: nil)
    }
    log.pointee.commit(revision: revision, shards)
    return revision
  }

  /// Whether the log has room for a transaction, or it writes nothing.
  private func admit(_ command: TransactCommand) throws(StoreError) {
    guard changeLog != nil else { return }
    for branch in [command.success, command.failure] {
      var bytes = 0
      for step in branch { bytes &+= step.loggedBytes }
      if bytes > 0, let first = branch.first { try admit(first.key, bytes) }
      if bytes == 0, branch.contains(where: \.isDeletion) { try admitDeletion() }
    }
  }

  /// A transaction whose shards are all locked.
  private func transact(
    _ command: TransactCommand, _ held: HeldTicket?, _ context: WriteContext,
    _ log: UnsafeMutablePointer<UndoLog>, _ reply: ReplyArena
  ) throws(StoreError) -> TransactResult {
    defer { showAll(reply) }
    let succeeded = holds(command.compares, context)
    let steps = succeeded ? command.success : command.failure
    expireWritten(steps, context)
    let results = reply.allocate(steps.count &* MemoryLayout<OperationResult>.stride)
      .bindMemory(to: OperationResult.self, capacity: steps.count)
    for index in 0..<steps.count {
      do throws(StoreError) {
        let result = try perform(steps[index], context, log, reply)
        (results + index).initialize(to: result)
      } catch {
        log.pointee.rollBack(shards)
        throw .stepFailed(index: index, committed(error))
      }
    }
    let hasChanged = log.pointee.count > 0
    let result = TransactResult(
      succeeded: succeeded, results: UnsafeBufferPointer(start: results, count: steps.count),
      revision: hasChanged ? UndoLog.provisionalRevision : shards.currentRevision)
    guard hasChanged else { return result }
    return try finish(result, held, context, log, command.durability, reply)
  }

  private func shardSet(_ command: TransactCommand) -> ShardSet {
    var set = ShardSet()
    for compare in command.compares { set.insert(shards.index(compare.key.hash)) }
    for step in command.success { set.insert(shards.index(step.key.hash)) }
    for step in command.failure { set.insert(shards.index(step.key.hash)) }
    return set
  }

  private func unlockAfterWrite(_ set: ShardSet) {
    if maxMemoryBytes != nil {
      for index in 0..<shards.count where set.contains(index) { shards.publishMemory(index) }
    }
    shards.unlock(set)
  }

  private func holds(
    _ compares: UnsafeBufferPointer<CompareRef>, _ context: WriteContext
  ) -> Bool {
    for compare in compares {
      let shard = shards[shards.index(compare.key.hash)]
      let record = shard.pointee.visible(compare.key, now: context.now)
      do throws(StoreError) {
        try check(compare.condition, record)
      } catch {
        return false
      }
    }
    return true
  }

  /// Expires the keys that steps write, where they are due: before the first step, so that
  /// those events come before the transaction's, and stay where it fails.
  private func expireWritten(
    _ steps: UnsafeBufferPointer<OperationRef>, _ context: WriteContext
  ) {
    for step in steps {
      if case .get = step { continue }
      _ = shards[shards.index(step.key.hash)].pointee.findForWrite(step.key, context)
    }
  }

  private func perform(
    _ step: OperationRef, _ context: WriteContext, _ log: UnsafeMutablePointer<UndoLog>,
    _ reply: ReplyArena
  ) throws(StoreError) -> OperationResult {
    let index = shards.index(step.key.hash)
    log.pointee.shard = index
    try reply.charge(ReplyCost.result)
    switch step {
    case .get(let command):
      let record = shards[index].pointee.visible(command.key, now: context.now)
      let stepMillis = time.stepMillis
      return .get(
        record.map { reply.entry($0, keysOnly: command.keysOnly, stepMillis: stepMillis) })
    case .set(let command): return .set(try set(command, in: index, context, reply))
    case .delete(let command): return .delete(try delete(command, in: index, context, reply))
    case .increment(let command):
      return .increment(try increment(command, in: index, context, reply))
    case .push(let command): return .push(try push(command, in: index, context, reply))
    case .pop(let command): return .pop(try pop(command, in: index, context, reply))
    }
  }

  /// A step's error, without the revision that this very transaction will not get.
  private func committed(_ error: StoreError) -> StoreError {
    switch error {
    case .revisionMismatch(current: UndoLog.provisionalRevision): .revisionMismatch(current: 0)
    case .valueMismatch(current: UndoLog.provisionalRevision): .valueMismatch(current: 0)
    default: error
    }
  }
}

extension OperationRef {
  fileprivate var isDeletion: Bool {
    switch self {
    case .delete, .pop: true
    case .get, .set, .increment, .push: false
    }
  }

  /// About what the step's change takes in a log; 0 where it changes nothing or only deletes.
  fileprivate var loggedBytes: Int {
    switch self {
    case .get, .delete, .pop: 0
    case .set(let command): 256 + command.key.bytes.count + command.value.byteCount
    case .increment(let command): 256 + command.key.bytes.count
    case .push(let command): 256 + command.key.bytes.count + command.itemBytes
    }
  }
}
