/// How records are copied into answers. The record's shard is locked.
extension ReplyArena {
  /// More items than these are not put into one answer: copying them would hold the lock, and
  /// the event loop, for more than a millisecond.
  public static var maxItems: Int { 100_000 }

  /// A record's metadata, and its value where it is asked for and fits.
  @inline(__always)
  func entry(_ record: Record, keysOnly: Bool, stepMillis: Int64) -> EntryRef {
    var entry = metadata(record, stepMillis: stepMillis)
    if keysOnly {
      _ = tryCharge(ReplyCost.entry)
    } else if hasRoom(for: record), tryCharge(cost(of: record)) {
      entry.value = value(of: record)
    } else {
      entry.valueOmitted = true
      _ = tryCharge(ReplyCost.entry)
    }
    return entry
  }

  /// Why a record whose value was omitted is no answer by itself.
  @inline(never)
  func refusal(of record: Record) -> StoreError {
    record.isList
      ? .valueTooLarge(
        bytes: record.list.encodedBytes, items: record.list.count, limit: budgetBytes)
      : .valueTooLarge(bytes: record.payloadBytes, items: nil, limit: budgetBytes)
  }

  /// A record as it was before a write, which must not happen where this does not fit.
  func previous(_ record: Record, stepMillis: Int64) throws(StoreError) -> EntryRef {
    let cost = cost(of: record)
    guard hasRoom(for: record) else {
      throw .replyTooLarge(bytes: chargedBytes + cost, limit: budgetBytes)
    }
    try charge(cost)
    var entry = metadata(record, stepMillis: stepMillis)
    entry.value = value(of: record)
    return entry
  }

  @inline(__always)
  private func metadata(_ record: Record, stepMillis: Int64) -> EntryRef {
    var entry = EntryRef()
    entry.revision = record.revision
    entry.createRevision = record.createRevision
    entry.version = record.version
    entry.createdAtMillis = record.createdMillis
    entry.updatedAtMillis = record.updatedMillis
    let deadline = record.deadline
    if deadline != 0 { entry.expiresAtMillis = deadline &+ stepMillis }
    return entry
  }

  /// What an entry with this record's value takes, without its key.
  @inline(__always)
  func cost(of record: Record) -> Int {
    ReplyCost.entry &+ (record.isList ? record.list.encodedBytes : record.payloadBytes &+ 3)
  }

  @inline(__always)
  private func hasRoom(for record: Record) -> Bool {
    !record.isList || record.list.count <= Self.maxItems
  }

  /// A copy of the record's value.
  @inline(__always)
  func value(of record: Record) -> ValueRef {
    switch record.scalarOrNil {
    case .some(.bytes(let bytes)): .bytes(copy(bytes))
    case .some(.text(let bytes)): .text(copy(bytes))
    case .some(let number): number
    case nil: .list(copyItems(of: record.list))
    }
  }

  private func copyItems(of list: ItemList) -> UnsafeBufferPointer<ByteSlice> {
    copyItems(of: list, from: 0, count: list.count, itemBytes: list.itemBytes)
  }

  /// Copies items of a list, front first.
  /// - Parameter itemBytes: what these items take together.
  func copyItems(
    of list: ItemList, from start: Int, count: Int, itemBytes: Int
  ) -> UnsafeBufferPointer<ByteSlice> {
    let slices = allocate(count &* MemoryLayout<ByteSlice>.stride)
      .bindMemory(to: ByteSlice.self, capacity: count)
    var target = allocate(itemBytes)
    let end = target + itemBytes
    var walk = list.walk(from: start)
    for index in 0..<count {
      guard let item = walk.next(), item.count <= end - target else {
        preconditionFailure("a list is longer than it says")
      }
      if let base = item.baseAddress { target.copyMemory(from: base, byteCount: item.count) }
      (slices + index).initialize(
        to: ByteSlice(UnsafeRawBufferPointer(start: target, count: item.count)))
      target += item.count
    }
    return UnsafeBufferPointer(start: slices, count: count)
  }
}
