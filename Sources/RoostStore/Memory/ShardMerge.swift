import CLinux

/// Walks over the keys of all shards in order, or in reverse order: a tournament of one cursor
/// for each shard. To be used while all shards are locked; `refresh` comes first whenever they
/// were not.
///
/// 1. `queue` is a binary heap of the shards that have a record left, the next one first.
/// 2. A head is as good as its shard's index: it is sought again where that has changed.
struct ShardMerge {
  private struct Head {
    var record: Record?
    var cursor: TreeCursor<Record>
    /// Of the index, when the head was sought.
    var changes: UInt64
  }

  /// How far ahead records are brought to the cache: a shard's turn comes once in sixteen.
  private static var prefetchDistance: Int { 1 }

  private let shards: ShardArray
  private let heads: UnsafeMutablePointer<Head>
  private let queue: UnsafeMutablePointer<Int>
  private var count = 0
  private let isReverse: Bool

  /// - Parameter memory: holds the heads.
  init(_ shards: ShardArray, reverse: Bool, memory: ReplyArena) {
    self.shards = shards
    isReverse = reverse
    heads = memory.allocate(shards.count &* MemoryLayout<Head>.stride)
      .bindMemory(to: Head.self, capacity: shards.count)
    queue = memory.allocate(shards.count &* 8).bindMemory(to: Int.self, capacity: shards.count)
    let nowhere = TreeCursor<Record>(leaf: nil, index: 0)
    for index in 0..<shards.count {
      (heads + index).initialize(to: Head(record: nil, cursor: nowhere, changes: .max))
    }
  }

  /// Goes on at a place, with what the shards hold now.
  /// - Parameter isBefore: accepts the records in front of the place.
  mutating func refresh(_ isBefore: (Record) -> Bool) {
    count = 0
    for index in 0..<shards.count {
      let changes = shards[index].pointee.index.changes
      if heads[index].changes != changes {
        heads[index].changes = changes
        heads[index].cursor = shards[index].pointee.index.seek(isBefore)
        step(index)
      }
      if heads[index].record != nil {
        (queue + count).initialize(to: index)
        count &+= 1
      }
    }
    for place in stride(from: count / 2 - 1, through: 0, by: -1) { sink(place) }
  }

  /// The next record.
  @inline(__always) var record: Record? { count > 0 ? heads[queue[0]].record : nil }

  /// Moves past it.
  mutating func advance() {
    step(queue[0])
    if heads[queue[0]].record == nil {
      count &-= 1
      if count == 0 { return }
      queue[0] = queue[count]
    }
    sink(0)
  }

  @inline(__always)
  private func step(_ index: Int) {
    let head = heads + index
    if isReverse {
      head.pointee.record = head.pointee.cursor.previous()
      prefetch(head.pointee.cursor.behind(Self.prefetchDistance))
    } else {
      head.pointee.record = head.pointee.cursor.next()
      prefetch(head.pointee.cursor.ahead(Self.prefetchDistance))
    }
  }

  @inline(__always)
  private func prefetch(_ record: Record?) {
    guard let record else { return }
    clinux_prefetch(record.address)
    clinux_prefetch(record.address + 64)
  }

  private func sink(_ start: Int) {
    var place = start
    while true {
      var least = place
      let left = 2 &* place &+ 1
      if left < count, comesFirst(left, least) { least = left }
      if left &+ 1 < count, comesFirst(left &+ 1, least) { least = left &+ 1 }
      if least == place { return }
      let moved = queue[place]
      queue[place] = queue[least]
      queue[least] = moved
      place = least
    }
  }

  @inline(__always)
  private func comesFirst(_ left: Int, _ right: Int) -> Bool {
    guard let first = heads[queue[left]].record, let second = heads[queue[right]].record else {
      preconditionFailure("a shard without a record is in the queue")
    }
    return isReverse ? Record.precedes(second, first) : Record.precedes(first, second)
  }
}
