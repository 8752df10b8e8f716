import Glibc

/// Walks over all entries in slices while writes go on: each shard in the order of its keys. What
/// is changed behind the walk's back is in the log from the walk's start on.
///
/// No slice holds a shard's lock for longer than copying `sliceBytes` takes, or one value.
struct SnapshotWalk: ~Copyable {
  private static let sliceBytes = 64 << 10
  private static let sliceKeys = 128
  /// A list from this size on is copied in parts.
  private static let largeListBytes = 512 << 10
  /// How often a large list may change while it is copied before it is copied in one go.
  private static let maxListTries = 4

  private let shards: ShardArray
  private let time: EngineTime
  private var slice = GrowingBuffer()
  private var lastKey: [UInt8] = []

  init(_ shards: ShardArray, _ time: EngineTime) {
    self.shards = shards
    self.time = time
  }

  /// Calls `body` with an image of each entry.
  mutating func run(
    _ body: (UnsafeRawBufferPointer) throws(LogError) -> Void
  ) throws(LogError) {
    for shard in 0..<shards.count {
      lastKey = []
      var isDone = false
      while !isDone {
        slice.removeAll()
        let large: Bool
        (isDone, large) = fillSlice(shard)
        try slice.forEachImage(body)
        if large { try copyLargeList(shard, body) }
      }
    }
  }

  /// Copies entries behind `lastKey`.
  /// - Returns: whether the shard is done; else whether the next entry is a large list, whose key
  ///   is `lastKey` then.
  private mutating func fillSlice(_ index: Int) -> (isDone: Bool, isLargeNext: Bool) {
    shards.lock(index)
    defer { shards.unlock(index) }
    var cursor = seek(index)
    let stepMillis = time.stepMillis
    for _ in 0..<Self.sliceKeys {
      guard let record = cursor.next() else { return (true, false) }
      lastKey = [UInt8](record.key)
      if record.isList, record.list.itemBytes > Self.largeListBytes { return (false, true) }
      record.writeImage(unsafe: slice.add(record.imageBytes), stepMillis: stepMillis)
      if slice.count >= Self.sliceBytes { break }
    }
    return (false, false)
  }

  private func seek(_ index: Int) -> TreeCursor<Record> {
    lastKey.withUnsafeBytes { last in
      shards[index].pointee.index.seek { !last.isEmpty && ByteOrder.compare($0.key, last) <= 0 }
    }
  }

  /// Copies the list of `lastKey`: in parts, unless it changes all the time.
  private mutating func copyLargeList(
    _ index: Int, _ body: (UnsafeRawBufferPointer) throws(LogError) -> Void
  ) throws(LogError) {
    for attempt in 1...Self.maxListTries {
      slice.removeAll()
      var revision: Int64?
      var itemIndex = 0
      var outcome = ListPart.more
      while outcome == .more {
        outcome = copyPart(
          index, &revision, &itemIndex, isWhole: attempt == Self.maxListTries)
      }
      if outcome == .gone { return }
      if outcome == .done { return try slice.forEachImage(body) }
    }
  }

  private enum ListPart { case more, done, gone, changed }

  private mutating func copyPart(
    _ index: Int, _ revision: inout Int64?, _ itemIndex: inout Int, isWhole: Bool
  ) -> ListPart {
    shards.lock(index)
    defer { shards.unlock(index) }
    let key = lastKey
    let found = key.withUnsafeBytes { bytes -> Record? in
      let hash = shards.hasher.hash(bytes.baseAddress!, bytes.count)
      return shards[index].pointee.table.find(bytes, hash)?.record
    }
    guard let record = found else { return .gone }
    if let revision, record.revision != revision { return .changed }
    let stepMillis = time.stepMillis
    guard record.isList, !isWhole else {
      record.writeImage(unsafe: slice.add(record.imageBytes), stepMillis: stepMillis)
      return .done
    }
    if revision == nil {
      revision = record.revision
      record.writeListHeader(
        unsafe: slice.add(record.listHeaderBytes), stepMillis: stepMillis)
    }
    var walk = record.list.walk(from: itemIndex)
    let end = slice.count + Self.sliceBytes
    while slice.count < end, let item = walk.next() {
      var target = slice.add(4 + item.count)
      ItemCoding.write(item, &target)
      itemIndex += 1
    }
    return itemIndex == record.list.count ? .done : .more
  }
}

/// Bytes one behind the other.
struct GrowingBuffer: ~Copyable {
  private var memory: UnsafeMutableRawPointer?
  private var capacity = 0
  private(set) var count = 0

  deinit { free(memory) }

  /// Room for more bytes, behind those that there are.
  mutating func add(_ bytes: Int) -> UnsafeMutableRawPointer {
    if count + bytes > capacity {
      capacity = max(2 * capacity, count + bytes, 4096)
      guard let grown = realloc(memory, capacity) else {
        fatalError("out of memory: \(capacity) bytes of a snapshot")
      }
      memory = grown
    }
    defer { count += bytes }
    return memory.unsafelyUnwrapped + count
  }

  /// What was added.
  var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: memory, count: count) }

  /// Forgets the bytes, and memory that only a large value needed.
  mutating func removeAll() {
    count = 0
    guard capacity > 1 << 20 else { return }
    free(memory)
    memory = nil
    capacity = 0
  }

  /// The images of entries that were added, one after the other.
  func forEachImage(
    _ body: (UnsafeRawBufferPointer) throws(LogError) -> Void
  ) throws(LogError) {
    var offset = 0
    while offset < count, let base = memory {
      let image = base + offset
      let keyBytes = Int(image.loadUnaligned(fromByteOffset: 22, as: UInt16.self))
      let valueBytes = Int(image.loadUnaligned(fromByteOffset: 44, as: UInt32.self))
      let bytes = LogFormat.imageHeaderBytes + keyBytes + valueBytes
      try body(UnsafeRawBufferPointer(start: image, count: bytes))
      offset += bytes
    }
  }
}
