import RoostStore

/// One call's work on a copy of the reference's entries: where it throws, the copy is dropped.
struct ReferenceStep {
  var entries: [Bytes: StoredEntry]
  let now: Int64
  /// What the call's mutations are numbered with. 0 where the engine refused the call: an error
  /// never names the revision that a failed transaction would have taken.
  let revision: Int64
  let maxListItems: Int
  private(set) var hasChanged = false

  init(entries: [Bytes: StoredEntry], now: Int64, revision: Int64, maxListItems: Int) {
    self.entries = entries
    self.now = now
    self.revision = revision
    self.maxListItems = maxListItems
  }

  mutating func run(_ call: StoreCall) throws(StoreError) -> StoreAnswer {
    switch call {
    case .get(let key, let keysOnly): return .get(get(key, keysOnly))
    case .batchGet(let keys, let keysOnly):
      return .batchGet(BatchGetAnswer(entries: keys.map { get($0, keysOnly) }, revision: 0))
    case .set(let call): return .set(try set(call))
    case .delete(let call): return .delete(try delete(call))
    case .deleteRange(let range, let dryRun, let maxKeys):
      return .deleteRange(try deleteRange(range, dryRun, maxKeys))
    case .increment(let call): return .increment(try increment(call))
    case .touch(let key, let expiration): return .touch(touch(key, expiration))
    case .push(let call): return .push(try push(call))
    case .pop(let call): return .pop(try pop(call))
    case .listRange(let key, let start, let stop):
      return .listRange(try listRange(key, start, stop))
    case .transact(let call): return .transact(try transact(call))
    case .count(let range):
      return .count(
        CountAnswer(count: Int64(entries.keys.count(where: range.contains)), revision: 0))
    case .scan: preconditionFailure("scans are judged by their pages")
    }
  }

  private func get(_ key: Bytes, _ keysOnly: Bool) -> StoredEntry? {
    var entry = entries[key]
    if keysOnly { entry?.value = nil }
    return entry
  }

  // MARK: Writes

  private mutating func set(_ call: SetCall) throws(StoreError) -> SetAnswer {
    let old = entries[call.key]
    try check(call.condition, old)
    if case .list(let items) = call.value, items.count > maxListItems {
      throw .listTooLong(items: items.count, limit: maxListItems)
    }
    let isThere = write(call.key, call.value, call.expiration)
    return SetAnswer(
      revision: old != nil || isThere ? revision : 0, created: old == nil && isThere,
      previous: call.returnPrevious ? old : nil)
  }

  private mutating func delete(_ call: DeleteCall) throws(StoreError) -> DeleteAnswer {
    let old = entries[call.key]
    try check(call.condition, old)
    guard let old else { return DeleteAnswer(deleted: false, revision: 0) }
    remove(call.key)
    return DeleteAnswer(
      deleted: true, revision: revision, previous: call.returnPrevious ? old : nil)
  }

  private mutating func deleteRange(
    _ range: StoreRange, _ dryRun: Bool, _ maxKeys: Int
  ) throws(StoreError) -> DeleteRangeAnswer {
    let keys = entries.keys.filter(range.contains)
    if dryRun { return DeleteRangeAnswer(deleted: Int64(keys.count), revision: 0) }
    if keys.count > maxKeys { throw .rangeTooLarge(keys: Int64(keys.count), limit: maxKeys) }
    for key in keys { remove(key) }
    return DeleteRangeAnswer(deleted: Int64(keys.count), revision: keys.isEmpty ? 0 : revision)
  }

  private mutating func increment(_ call: IncrementCall) throws(StoreError) -> IncrementAnswer {
    let current: Int64
    switch entries[call.key]?.value {
    case nil: current = call.initial
    case .int(let int): current = int
    case .some(let other): throw .wrongType(found: other.kind, needed: .int)
    }
    let (sum, overflows) = current.addingReportingOverflow(call.delta)
    if overflows { throw .counterOverflow }
    let wasThere = entries[call.key] != nil
    let isThere = write(call.key, .int(sum), call.expiration)
    return IncrementAnswer(value: sum, revision: wasThere || isThere ? revision : 0)
  }

  private mutating func touch(_ key: Bytes, _ expiration: StoreExpiration) -> TouchAnswer {
    guard let entry = entries[key], let value = entry.value else {
      return TouchAnswer(found: false, expiresAtMillis: 0, revision: 0)
    }
    if expiration == .keep {
      return TouchAnswer(
        found: true, expiresAtMillis: entry.expiresAtMillis, revision: entry.revision)
    }
    let end = self.end(expiration, entry)
    write(key, value, expiration)
    return TouchAnswer(found: true, expiresAtMillis: end, revision: revision)
  }

  private mutating func push(_ call: PushCall) throws(StoreError) -> PushAnswer {
    let old = try list(call.key)
    if old == nil && call.mustExist { throw .notFound }
    return try push(call, onto: old ?? [])
  }

  private mutating func push(
    _ call: PushCall, onto old: [Bytes]
  ) throws(StoreError) -> PushAnswer {
    var items = call.side == .back ? old + call.items : call.items.reversed() + old
    if call.maxLength > 0 {
      let length = Int(clamping: call.maxLength)
      items = Array(call.side == .back ? items.suffix(length) : items.prefix(length))
    }
    if items.count > maxListItems {
      throw .listTooLong(items: items.count, limit: maxListItems)
    }
    let wasThere = entries[call.key] != nil
    let isThere = write(call.key, .list(items), call.expiration)
    return PushAnswer(
      length: isThere ? Int64(items.count) : 0, revision: wasThere || isThere ? revision : 0)
  }

  private mutating func pop(_ call: PopCall) throws(StoreError) -> PopAnswer {
    guard var items = try list(call.key), !items.isEmpty else {
      return PopAnswer(items: [], length: 0, revision: 0)
    }
    let count = min(call.count, items.count)
    let popped: [Bytes]
    if call.side == .back {
      popped = items.suffix(count).reversed()
      items.removeLast(count)
    } else {
      popped = Array(items.prefix(count))
      items.removeFirst(count)
    }
    if items.isEmpty { remove(call.key) } else { write(call.key, .list(items), .keep) }
    return PopAnswer(items: popped, length: Int64(items.count), revision: revision)
  }

  private mutating func transact(_ call: TransactCall) throws(StoreError) -> TransactAnswer {
    let holds = call.compares.allSatisfy { compare in
      (try? check(compare.condition, entries[compare.key])) != nil
    }
    var results: [OperationAnswer] = []
    for (index, step) in (holds ? call.success : call.failure).enumerated() {
      do throws(StoreError) {
        results.append(try run(step))
      } catch {
        throw .stepFailed(index: index, error)
      }
    }
    return TransactAnswer(succeeded: holds, results: results, revision: revision)
  }

  private mutating func run(_ step: StoreOperation) throws(StoreError) -> OperationAnswer {
    switch step {
    case .get(let key, let keysOnly): .get(get(key, keysOnly))
    case .set(let call): .set(try set(call))
    case .delete(let call): .delete(try delete(call))
    case .increment(let call): .increment(try increment(call))
    case .push(let call): .push(try push(call))
    case .pop(let call): .pop(try pop(call))
    }
  }

  // MARK: Parts

  private func check(
    _ condition: StoreCondition, _ entry: StoredEntry?
  ) throws(StoreError) {
    switch condition {
    case .none: break
    case .exists(true): if entry == nil { throw .notFound }
    case .exists(false): if entry != nil { throw .alreadyExists }
    case .revision(let wanted):
      guard let entry else { throw .notFound }
      if entry.revision != wanted { throw .revisionMismatch(current: entry.revision) }
    case .value(let wanted):
      guard let entry else { throw .notFound }
      if entry.value != wanted { throw .valueMismatch(current: entry.revision) }
    }
  }

  private func list(_ key: Bytes) throws(StoreError) -> [Bytes]? {
    switch entries[key]?.value {
    case nil: return nil
    case .list(let items): return items
    case .some(let other): throw .wrongType(found: other.kind, needed: .list)
    }
  }

  private func listRange(
    _ key: Bytes, _ start: Int64, _ stop: Int64
  ) throws(StoreError) -> ListRangeAnswer {
    guard let items = try list(key) else {
      return ListRangeAnswer(found: false, items: [], length: 0, revision: 0)
    }
    let count = Int64(items.count)
    let low = start < 0 ? max(0, count + max(start, -count)) : start
    let high = stop < 0 ? count + max(stop, -count - 1) : min(stop, count - 1)
    return ListRangeAnswer(
      found: true, items: low <= high ? Array(items[Int(low)...Int(high)]) : [], length: count,
      revision: entries[key]!.revision)
  }

  /// When a key ends that is written now; 0: never.
  private func end(_ expiration: StoreExpiration, _ old: StoredEntry?) -> Int64 {
    switch expiration {
    case .never: 0
    case .keep: old?.expiresAtMillis ?? 0
    case .after(let millis): now + millis
    case .at(let millis): millis
    }
  }

  /// Says whether the key is there afterwards: a time in the past deletes at once.
  @discardableResult
  private mutating func write(
    _ key: Bytes, _ value: StoreValue, _ expiration: StoreExpiration
  ) -> Bool {
    let old = entries[key]
    let entry = StoredEntry(
      value: value, revision: revision, createRevision: old?.createRevision ?? revision,
      version: (old?.version ?? 0) + 1, createdAtMillis: old?.createdAtMillis ?? now,
      updatedAtMillis: now, expiresAtMillis: end(expiration, old))
    // As a time 0 is the past; only in an entry it means never.
    let isOver = if case .at(let millis) = expiration { millis <= now } else { entry.isOver(now) }
    if !isOver || old != nil { hasChanged = true }
    entries[key] = isOver ? nil : entry
    return !isOver
  }

  private mutating func remove(_ key: Bytes) {
    hasChanged = true
    entries[key] = nil
  }
}
