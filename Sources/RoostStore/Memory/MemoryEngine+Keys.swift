// Get, set, delete, touch and increment.
extension MemoryEngine {
  public func get(
    _ command: GetCommand, _ reply: ReplyArena, later: Later<EntryRef?>
  ) throws(StoreError) -> Answer<EntryRef?> {
    let index = lock(command.key)
    let found = shards[index].pointee.find(command.key)?.record
    show(found, command.key, shards[index], reply)
    guard let record = found, isVisible(record) else {
      shards.unlock(index)
      return .now(nil)
    }
    let entry = reply.entry(
      record, keysOnly: command.keysOnly, stepMillis: time.stepMillis)
    let refusal = entry.valueOmitted ? reply.refusal(of: record) : nil
    shards.unlock(index)
    if let refusal { throw refusal }
    return .now(entry)
  }

  /// Reads the clock only where the key ends at all.
  @inline(__always)
  private func isVisible(_ record: Record) -> Bool {
    record.deadline == 0 || !record.isExpired(at: time.now)
  }

  public func set(
    _ command: SetCommand, _ reply: ReplyArena, later: Later<SetResult>
  ) throws(StoreError) -> Answer<SetResult> {
    try check(command.flags.durability)
    if let ticket = command.flags.ticket {
      return .now(
        try once(
          ticket, command.flags.durability, command.key, adding: command.value.byteCount, reply
        ) { index, context throws(StoreError) in
          try set(command, in: index, context, reply)
        })
    }
    try admit(command.key, command.value.byteCount)
    let index = lock(command.key)
    if isPlain(command), let revision = overwriteInPlace(command, shards[index]) {
      shards.unlock(index)
      note(written: revision, command.flags.durability, reply)
      return .now(SetResult(revision: revision, created: false, previous: nil))
    }
    defer { unlockAfterWrite(index) }
    let result = try set(command, in: index, writeContext(), reply)
    note(written: result.revision, command.flags.durability, reply)
    return .now(result)
  }

  /// A set that depends on nothing and leaves nothing but the value.
  @inline(__always)
  private func isPlain(_ command: SetCommand) -> Bool {
    guard case .none = command.condition, case .never = command.expiration else { return false }
    return !command.flags.returnPrevious
  }

  /// The most frequent write: the key is there, never ends, and the value fits in its place.
  @inline(__always)
  private func overwriteInPlace(
    _ command: SetCommand, _ shard: UnsafeMutablePointer<Shard>
  ) -> Int64? {
    guard let record = shard.pointee.find(command.key)?.record, record.deadline == 0,
      !record.isList, command.value.kind != .list,
      record.holdsInPlace(payloadBytes: Record.payloadBytes(of: command.value))
    else { return nil }
    record.writeScalar(command.value)
    record.version = record.version &+ 1
    record.updatedMillis = time.stamp
    return shard.pointee.commit(.put(record))
  }

  func writeContext() -> WriteContext {
    WriteContext(now: time.now, stamp: time.stamp, undo: nil)
  }

  /// A set whose shard is locked, alone or as a transaction's step.
  func set(
    _ command: SetCommand, in index: Int, _ context: WriteContext, _ reply: ReplyArena
  ) throws(StoreError) -> SetResult {
    let shard = shards[index]
    let place = shard.pointee.findForWrite(command.key, context)
    show(place?.record, command.key, shard, reply)
    try check(command.condition, place?.record)
    try checkListLimits(command.value)
    let lifetime = lifetime(command.expiration, place?.record, context)
    let bytes = Record.payloadBytes(of: command.value)
    if case .until = lifetime { try reserve(growth(command, bytes, place?.record), in: index) }
    var previous: EntryRef?
    if command.flags.returnPrevious, let record = place?.record {
      previous = try reply.previous(record, stepMillis: time.stepMillis)
    }
    guard case .until(let deadline) = lifetime else {
      let revision = place.map { shard.pointee.delete($0, context) } ?? 0
      return SetResult(revision: revision, created: false, previous: previous)
    }
    guard let place else {
      let record = shard.pointee.create(command.key, command.value, deadline: deadline, context)
      return SetResult(revision: record.revision, created: true, previous: nil)
    }
    let record = shard.pointee.overwrite(place, command.value, deadline: deadline, context)
    return SetResult(revision: record.revision, created: false, previous: previous)
  }

  /// How many bytes a set will add.
  private func growth(_ command: SetCommand, _ payloadBytes: Int, _ record: Record?) -> Int {
    guard maxMemoryBytes != nil else { return 0 }
    var bytes = Self.cost(command.key, payloadBytes: payloadBytes)
    if case .list(let items) = command.value {
      for item in items { bytes &+= ItemChunk.encodedBytes(item.count) }
    }
    guard let record else { return bytes }
    bytes &-= Self.cost(command.key, payloadBytes: record.payloadBytes)
    return record.isList ? bytes &- record.list.itemBytes : bytes
  }

  public func delete(
    _ command: DeleteCommand, _ reply: ReplyArena, later: Later<DeleteResult>
  ) throws(StoreError) -> Answer<DeleteResult> {
    try check(command.flags.durability)
    if let ticket = command.flags.ticket {
      return .now(
        try once(ticket, command.flags.durability, command.key, adding: nil, reply) {
          index, context throws(StoreError) in
          try delete(command, in: index, context, reply)
        })
    }
    try admitDeletion()
    let index = lock(command.key)
    defer { unlockAfterWrite(index) }
    let result = try delete(command, in: index, writeContext(), reply)
    note(written: result.revision, command.flags.durability, reply)
    return .now(result)
  }

  /// A delete whose shard is locked, alone or as a transaction's step.
  func delete(
    _ command: DeleteCommand, in index: Int, _ context: WriteContext, _ reply: ReplyArena
  ) throws(StoreError) -> DeleteResult {
    let shard = shards[index]
    let place = shard.pointee.findForWrite(command.key, context)
    show(place?.record, command.key, shard, reply)
    try check(command.condition, place?.record)
    guard let place else { return DeleteResult(deleted: false, revision: 0, previous: nil) }
    var previous: EntryRef?
    if command.flags.returnPrevious {
      previous = try reply.previous(place.record, stepMillis: time.stepMillis)
    }
    let revision = shard.pointee.delete(place, context)
    return DeleteResult(deleted: true, revision: revision, previous: previous)
  }

  public func touch(
    _ command: TouchCommand, _ reply: ReplyArena, later: Later<TouchResult>
  ) throws(StoreError) -> Answer<TouchResult> {
    try check(command.flags.durability)
    if let ticket = command.flags.ticket {
      return .now(
        try once(ticket, command.flags.durability, command.key, adding: 0, reply) {
          touch(command, in: $0, $1, reply)
        })
    }
    try admit(command.key, 0)
    let index = lock(command.key)
    defer { unlockAfterWrite(index) }
    return .now(touch(command, in: index, writeContext(), reply))
  }

  /// A touch whose shard is locked.
  func touch(
    _ command: TouchCommand, in index: Int, _ context: WriteContext, _ reply: ReplyArena
  ) -> TouchResult {
    let shard = shards[index]
    let place = shard.pointee.findForWrite(command.key, context)
    show(place?.record, command.key, shard, reply)
    guard let place else { return TouchResult(found: false, expiresAtMillis: 0, revision: 0) }
    let record = place.record
    switch lifetime(command.expiration, record, context) {
    case .ended(let millis):
      let revision = shard.pointee.delete(place, context)
      if context.undo == nil { note(written: revision, command.flags.durability, reply) }
      return TouchResult(found: true, expiresAtMillis: millis, revision: revision)
    case .until(let deadline):
      if case .keep = command.expiration {
      } else {
        context.undo?.pointee.noteHeader(record)
        shard.pointee.change(record, deadline: deadline, context, as: .touch(record))
        if context.undo == nil { note(written: record.revision, command.flags.durability, reply) }
      }
      return TouchResult(
        found: true, expiresAtMillis: deadline == 0 ? 0 : deadline &+ time.stepMillis,
        revision: record.revision)
    }
  }

  public func increment(
    _ command: IncrementCommand, _ reply: ReplyArena, later: Later<IncrementResult>
  ) throws(StoreError) -> Answer<IncrementResult> {
    try check(command.flags.durability)
    if let ticket = command.flags.ticket {
      return .now(
        try once(ticket, command.flags.durability, command.key, adding: 8, reply) {
          index, context throws(StoreError) in
          try increment(command, in: index, context, reply)
        })
    }
    try admit(command.key, 8)
    let index = lock(command.key)
    defer { unlockAfterWrite(index) }
    let result = try increment(command, in: index, writeContext(), reply)
    note(written: result.revision, command.flags.durability, reply)
    return .now(result)
  }

  /// An increment whose shard is locked, alone or as a transaction's step.
  func increment(
    _ command: IncrementCommand, in index: Int, _ context: WriteContext, _ reply: ReplyArena
  ) throws(StoreError) -> IncrementResult {
    let shard = shards[index]
    let place = shard.pointee.findForWrite(command.key, context)
    show(place?.record, command.key, shard, reply)
    var current = command.initial
    if let record = place?.record {
      guard record.kind == .int else { throw .wrongType(found: record.kind, needed: .int) }
      current = record.int
    }
    let (value, overflow) = current.addingReportingOverflow(command.delta)
    if overflow { throw .counterOverflow }
    guard case .until(let deadline) = lifetime(command.expiration, place?.record, context) else {
      let revision = place.map { shard.pointee.delete($0, context) } ?? 0
      return IncrementResult(value: value, revision: revision)
    }
    guard let place else {
      try reserve(Self.cost(command.key, payloadBytes: 8), in: index)
      let record = shard.pointee.create(command.key, .int(value), deadline: deadline, context)
      return IncrementResult(value: value, revision: record.revision)
    }
    let record = shard.pointee.overwrite(place, .int(value), deadline: deadline, context)
    return IncrementResult(value: value, revision: record.revision)
  }
}
