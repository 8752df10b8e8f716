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
    let set = shardSet(command)
    shards.lock(set)
    defer { unlockAfterWrite(set) }
    var log = UndoLog(
      steps: max(command.success.count, command.failure.count), memory: reply)
    return .now(
      try withUnsafeMutablePointer(to: &log) { log throws(StoreError) in
        let context = WriteContext(now: time.now, stamp: time.stamp, undo: log)
        return try transact(command, context, log, reply)
      })
  }

  /// A transaction whose shards are all locked.
  private func transact(
    _ command: TransactCommand, _ context: WriteContext, _ log: UnsafeMutablePointer<UndoLog>,
    _ reply: ReplyArena
  ) throws(StoreError) -> TransactResult {
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
    var revision = shards.currentRevision
    if log.pointee.count > 0 {
      revision = shards[log.pointee.shard].pointee.nextRevision()
      log.pointee.commit(revision: revision, shards)
      for index in 0..<steps.count { (results + index).pointee.settle(revision) }
    }
    return TransactResult(
      succeeded: succeeded,
      results: UnsafeBufferPointer(start: results, count: steps.count), revision: revision)
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
    case .increment(let command): return .increment(try increment(command, in: index, context))
    case .push(let command): return .push(try push(command, in: index, context))
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

extension OperationResult {
  /// Puts a transaction's revision where it was not known yet.
  fileprivate mutating func settle(_ revision: Int64) {
    switch self {
    case .get(var entry):
      entry?.settle(revision)
      self = .get(entry)
    case .set(var result):
      settle(&result.revision, revision)
      result.previous?.settle(revision)
      self = .set(result)
    case .delete(var result):
      settle(&result.revision, revision)
      result.previous?.settle(revision)
      self = .delete(result)
    case .increment(var result):
      settle(&result.revision, revision)
      self = .increment(result)
    case .push(var result):
      settle(&result.revision, revision)
      self = .push(result)
    case .pop(var result):
      settle(&result.revision, revision)
      self = .pop(result)
    }
  }

  private func settle(_ field: inout Int64, _ revision: Int64) {
    if field == UndoLog.provisionalRevision { field = revision }
  }
}

extension EntryRef {
  fileprivate mutating func settle(_ revision: Int64) {
    if self.revision == UndoLog.provisionalRevision { self.revision = revision }
    if createRevision == UndoLog.provisionalRevision { createRevision = revision }
  }
}
