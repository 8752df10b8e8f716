// Push, pop and list ranges.
extension MemoryEngine {
  public func push(
    _ command: PushCommand, _ reply: ReplyArena, later: Later<PushResult>
  ) throws(StoreError) -> Answer<PushResult> {
    try check(command.flags.durability)
    if let ticket = command.flags.ticket {
      return .now(
        try once(
          ticket, command.flags.durability, command.key, adding: command.itemBytes, reply
        ) { index, context throws(StoreError) in
          try push(command, in: index, context, reply)
        })
    }
    try admit(command.key, command.itemBytes)
    let index = lock(command.key)
    defer { unlockAfterWrite(index) }
    let result = try push(command, in: index, writeContext(), reply)
    note(written: result.revision, command.flags.durability, reply)
    return .now(result)
  }

  /// A push whose shard is locked, alone or as a transaction's step.
  func push(
    _ command: PushCommand, in index: Int, _ context: WriteContext, _ reply: ReplyArena
  ) throws(StoreError) -> PushResult {
    let shard = shards[index]
    let place = shard.pointee.findForWrite(command.key, context)
    show(place?.record, command.key, shard, reply)
    if place == nil, command.mustExist { throw .notFound }
    if let record = place?.record, !record.isList {
      throw .wrongType(found: record.kind, needed: .list)
    }
    let list = place?.record.list
    let trimmed = trimCount(command, list)
    try checkLimits(command, list, trimmed: trimmed)
    guard case .until(let deadline) = lifetime(command.expiration, place?.record, context) else {
      let revision = place.map { shard.pointee.delete($0, context) } ?? 0
      return PushResult(length: 0, revision: revision)
    }
    try reserve(growth(command, list), in: index)
    guard let place else {
      let list = ItemList.allocate(&shard.pointee.heap)
      append(command, to: list, shard)
      trim(list, trimmed, atFront: command.side == .back, shard)
      let record = shard.pointee.create(command.key, list: list, deadline: deadline, context)
      return PushResult(length: Int64(list.count), revision: record.revision)
    }
    let record = place.record
    context.undo?.pointee.noteHeader(record)
    append(command, to: record.list, shard)
    context.undo?.pointee.append(
      .pushed(record, count: command.items.count, atFront: command.side == .front))
    if let undo = context.undo, trimmed > 0 {
      let front = command.side == .back
      let detached = record.list.detach(trimmed, atFront: front, &shard.pointee.heap)
      undo.pointee.append(.detached(record, detached, atFront: front))
    } else {
      trim(record.list, trimmed, atFront: command.side == .back, shard)
    }
    let change = Change.push(record, command.items, side: command.side, trimmed: trimmed)
    shard.pointee.change(record, deadline: deadline, context, as: change)
    return PushResult(length: Int64(record.list.count), revision: record.revision)
  }

  private func append(
    _ command: PushCommand, to list: ItemList, _ shard: UnsafeMutablePointer<Shard>
  ) {
    var expected = 0
    for item in command.items { expected &+= ItemChunk.encodedBytes(item.count) }
    for item in command.items {
      list.push(
        item.bytes, atFront: command.side == .front, expectedBytes: expected,
        &shard.pointee.heap)
      expected &-= ItemChunk.encodedBytes(item.count)
    }
  }

  /// How many items a push cuts off at the other end.
  private func trimCount(_ command: PushCommand, _ list: ItemList?) -> Int {
    let count = (list?.count ?? 0) &+ command.items.count
    guard command.maxLength > 0, Int64(count) > command.maxLength else { return 0 }
    return count &- Int(command.maxLength)
  }

  /// Throws where the list would be over a limit once it is trimmed.
  private func checkLimits(
    _ command: PushCommand, _ list: ItemList?, trimmed: Int
  ) throws(StoreError) {
    var bytes = list?.itemBytes ?? 0
    for item in command.items { bytes &+= item.count }
    let count = list?.count ?? 0
    if bytes > maxListBytes, trimmed > 0 {
      // The trim takes the far end of the list first, then the items that were pushed first.
      bytes &-= list?.itemBytes(of: trimmed, atFront: command.side == .back) ?? 0
      for item in command.items.prefix(max(trimmed &- count, 0)) { bytes &-= item.count }
    }
    try checkListLimits(items: count &+ command.items.count &- trimmed, bytes: bytes)
  }

  private func growth(_ command: PushCommand, _ list: ItemList?) -> Int {
    guard maxMemoryBytes != nil else { return 0 }
    var bytes = list == nil ? Self.cost(command.key, payloadBytes: 8) &+ 80 : 0
    for item in command.items { bytes &+= ItemChunk.encodedBytes(item.count) }
    return bytes
  }

  /// Drops items from one end: a few at once, more with their chunks, which are freed later.
  private func trim(
    _ list: ItemList, _ count: Int, atFront: Bool, _ shard: UnsafeMutablePointer<Shard>
  ) {
    if count <= 8 {
      for _ in 0..<count { list.pop(atFront: atFront, &shard.pointee.heap) }
    } else {
      shard.pointee.discard(list.detach(count, atFront: atFront, &shard.pointee.heap))
    }
  }

  public func pop(
    _ command: PopCommand, _ reply: ReplyArena, later: Later<PopResult>
  ) throws(StoreError) -> Answer<PopResult> {
    try check(command.flags.durability)
    if let ticket = command.flags.ticket {
      return .now(
        try once(ticket, command.flags.durability, command.key, adding: nil, reply) {
          index, context throws(StoreError) in
          try pop(command, in: index, context, reply)
        })
    }
    try admitDeletion()
    let index = lock(command.key)
    defer { unlockAfterWrite(index) }
    let result = try pop(command, in: index, writeContext(), reply)
    note(written: result.revision, command.flags.durability, reply)
    return .now(result)
  }

  /// A pop whose shard is locked, alone or as a transaction's step.
  func pop(
    _ command: PopCommand, in index: Int, _ context: WriteContext, _ reply: ReplyArena
  ) throws(StoreError) -> PopResult {
    let shard = shards[index]
    let none = UnsafeBufferPointer<ByteSlice>(start: nil, count: 0)
    let found = shard.pointee.findForWrite(command.key, context)
    show(found?.record, command.key, shard, reply)
    guard let place = found else {
      return PopResult(items: none, length: 0, revision: 0)
    }
    let record = place.record
    guard record.isList else { throw .wrongType(found: record.kind, needed: .list) }
    let list = record.list
    let count = min(max(command.count, 0), list.count)
    guard count > 0 else {
      return PopResult(items: none, length: Int64(list.count), revision: 0)
    }
    let items = try peek(list, count, atFront: command.side == .front, reply)
    context.undo?.pointee.noteHeader(record)
    for _ in 0..<count { list.pop(atFront: command.side == .front, &shard.pointee.heap) }
    context.undo?.pointee.append(
      .popped(record, items, atFront: command.side == .front))
    if list.count == 0 {
      let revision = shard.pointee.delete(place, context)
      return PopResult(items: items, length: 0, revision: revision)
    }
    let change = Change.pop(record, count: count, side: command.side)
    shard.pointee.change(record, deadline: record.deadline, context, as: change)
    return PopResult(items: items, length: Int64(list.count), revision: record.revision)
  }

  /// Copies the items that a pop will take, in the order in which it takes them; throws where
  /// they do not fit the answer.
  private func peek(
    _ list: ItemList, _ count: Int, atFront: Bool, _ reply: ReplyArena
  ) throws(StoreError) -> UnsafeBufferPointer<ByteSlice> {
    let start = atFront ? 0 : list.count &- count
    let (itemBytes, encodedBytes) = sizes(list, from: start, count: count)
    try reply.charge(encodedBytes &+ ReplyCost.result)
    let items = reply.copyItems(of: list, from: start, count: count, itemBytes: itemBytes)
    guard !atFront else { return items }
    var reversed = UnsafeMutableBufferPointer(mutating: items)
    reversed.reverse()
    return items
  }

  private func sizes(
    _ list: ItemList, from start: Int, count: Int
  ) -> (itemBytes: Int, encodedBytes: Int) {
    if count == list.count { return (list.itemBytes, list.encodedBytes) }
    var (itemBytes, encodedBytes) = (0, 0)
    var walk = list.walk(from: start)
    for _ in 0..<count {
      guard let item = walk.next() else { break }
      itemBytes &+= item.count
      encodedBytes &+= ReplyCost.item(item.count)
    }
    return (itemBytes, encodedBytes)
  }

  public func listRange(
    _ command: ListRangeCommand, _ reply: ReplyArena, later: Later<ListRangeResult>
  ) throws(StoreError) -> Answer<ListRangeResult> {
    let index = lock(command.key)
    defer { shards.unlock(index) }
    let none = UnsafeBufferPointer<ByteSlice>(start: nil, count: 0)
    let shard = shards[index]
    let found = shard.pointee.find(command.key)?.record
    show(found, command.key, shard, reply)
    guard let record = found, !record.isExpired(at: time.now) else {
      return .now(ListRangeResult(found: false, items: none, length: 0, revision: 0))
    }
    guard record.isList else { throw .wrongType(found: record.kind, needed: .list) }
    let list = record.list
    let range = Self.places(command, count: list.count)
    if range.count > ReplyArena.maxItems {
      throw .replyTooLarge(bytes: list.encodedBytes, limit: reply.budgetBytes)
    }
    let (itemBytes, encodedBytes) = sizes(list, from: range.lowerBound, count: range.count)
    try reply.charge(encodedBytes &+ ReplyCost.result)
    let items = reply.copyItems(
      of: list, from: range.lowerBound, count: range.count, itemBytes: itemBytes)
    return .now(
      ListRangeResult(
        found: true, items: items, length: Int64(list.count), revision: record.revision))
  }

  /// The places that a range means in a list of `count` items: cut to it, empty where it is
  /// outside or backwards.
  private static func places(_ command: ListRangeCommand, count: Int) -> Range<Int> {
    let length = Int64(count)
    let start = max(command.start < 0 ? command.start &+ length : command.start, 0)
    let stop = min(command.stop < 0 ? command.stop &+ length : command.stop, length &- 1)
    guard start <= stop else { return 0..<0 }
    return Int(start)..<Int(stop) + 1
  }
}
