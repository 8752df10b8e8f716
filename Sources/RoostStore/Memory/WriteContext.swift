/// What a write knows of its call, while the locks of what it touches are held.
struct WriteContext {
  /// Engine time, one reading for the whole call.
  let now: Int64
  /// What created and updated times become.
  let stamp: Int64
  /// Of a transaction: its changes can be undone, and get their revision at its end.
  let undo: UnsafeMutablePointer<UndoLog>?
  /// Of a transaction in a store with a log: collects its changes.
  var group: UnsafeMutablePointer<ChangeGroup>?
}

/// The writes that every command is made of. All take the shard's lock as held, keep its
/// invariants, and note in the undo log of a transaction how to take them back.
extension Shard {
  /// The revision of one change: the next, or a transaction's, which is not known yet.
  @inline(__always)
  private mutating func take(_ change: Change, _ context: WriteContext) -> Int64 {
    guard context.undo != nil else { return commit(change) }
    context.group?.pointee.add(change)
    if change.keepsRecord { change.record.revision = UndoLog.provisionalRevision }
    if case .create(let record) = change {
      record.createRevision = UndoLog.provisionalRevision
    }
    return UndoLog.provisionalRevision
  }

  /// Writes a key that is not there.
  mutating func create(
    _ key: KeyRef, _ value: ValueRef, deadline: Int64, _ context: WriteContext
  ) -> Record {
    let record = Record.allocate(
      key: key.bytes, payloadBytes: Record.payloadBytes(of: value), &heap)
    write(value, to: record)
    create(record, hash: key.hash, deadline: deadline, context)
    return record
  }

  /// Writes a key that is not there, with a list that is the record's from now on.
  mutating func create(
    _ key: KeyRef, list: ItemList, deadline: Int64, _ context: WriteContext
  ) -> Record {
    let record = Record.allocate(key: key.bytes, payloadBytes: 8, &heap)
    record.kind = .list
    record.list = list
    create(record, hash: key.hash, deadline: deadline, context)
    return record
  }

  @inline(__always)
  private mutating func create(
    _ record: Record, hash: UInt64, deadline: Int64, _ context: WriteContext
  ) {
    record.version = 1
    record.createdMillis = context.stamp
    record.updatedMillis = context.stamp
    record.deadline = deadline
    _ = take(.create(record), context)
    link(record, hash: hash)
    context.undo?.pointee.append(.created(record))
  }

  /// Writes a key that is there.
  mutating func overwrite(
    _ place: SlotTable.Place, _ value: ValueRef, deadline: Int64, _ context: WriteContext
  ) -> Record {
    let old = place.record
    let bytes = Record.payloadBytes(of: value)
    if context.undo == nil, !old.isList, value.kind != .list,
      old.holdsInPlace(payloadBytes: bytes)
    {
      old.writeScalar(value)
      change(old, deadline: deadline, context, as: .put(old))
      return old
    }
    let record = Record.allocate(key: old.key, payloadBytes: bytes, &heap)
    write(value, to: record)
    record.revision = old.revision
    record.createRevision = old.createRevision
    record.createdMillis = old.createdMillis
    record.version = old.version &+ 1
    record.updatedMillis = context.stamp
    record.deadline = deadline
    _ = take(.put(record), context)
    relink(place, to: record)
    if let undo = context.undo {
      undo.pointee.append(.replaced(old, by: record))
    } else {
      discard(old)
    }
    return record
  }

  /// Marks a record as changed whose payload was changed where it is. In a transaction its
  /// header must have been noted before.
  @inline(__always)
  mutating func change(
    _ record: Record, deadline: Int64, _ context: WriteContext, as change: Change
  ) {
    record.version = record.version &+ 1
    record.updatedMillis = context.stamp
    setDeadline(record, deadline)
    _ = take(change, context)
  }

  /// Deletes a key. Says with what revision.
  mutating func delete(_ place: SlotTable.Place, _ context: WriteContext) -> Int64 {
    let record = place.record
    let revision = take(.delete(record), context)
    unlink(place)
    if let undo = context.undo {
      undo.pointee.append(.removed(record))
    } else {
      discard(record)
    }
    return revision
  }

  private mutating func write(_ value: ValueRef, to record: Record) {
    if case .list(let items) = value {
      record.kind = .list
      record.list = ItemList.allocate(items, &heap)
    } else {
      record.writeScalar(value)
    }
  }

  /// The place of a key. One that has expired is expired first, with its own revision, and is
  /// not there then. A transaction has done so for all its keys before its first step.
  @inline(__always)
  mutating func findForWrite(_ key: KeyRef, _ context: WriteContext) -> SlotTable.Place? {
    guard let place = find(key) else { return nil }
    guard place.record.isExpired(at: context.now) else { return place }
    expire(place)
    return nil
  }
}
