import Glibc

/// A list value: a deque of chunks. Push and pop at both ends are O(1), and never copy more than
/// one chunk, or the addresses of the chunks; the item at a place is found in O(log n). A bare
/// pointer; the record that holds it owns it.
///
/// 1. Layout of the header, 8-byte words: address of the directory; its capacity, a power of
///    two; the place of the first chunk in it; number of chunks; number of items; bytes of
///    the items; the first item's sequence number; the next list to be freed; a bound for
///    the bytes that the items' lengths add to a message.
/// 2. The directory is a ring of chunk addresses. No chunk in it is empty.
/// 3. Item `i` has the sequence number `front + i`; chunks know that of their first item, so
///    the directory can be searched for a place.
struct ItemList: Equatable {
  private static let headerBytes = 72
  private static let minDirectory = 2

  let address: UnsafeMutableRawPointer

  @inline(__always) init(_ address: UnsafeMutableRawPointer) { self.address = address }

  /// An empty list.
  static func allocate(_ heap: inout SlabHeap) -> ItemList {
    let list = ItemList(heap.allocate(headerBytes))
    memset(list.address, 0, headerBytes)
    return list
  }

  /// A list of these items.
  static func allocate(
    _ items: UnsafeBufferPointer<ByteSlice>, _ heap: inout SlabHeap
  ) -> ItemList {
    let list = allocate(&heap)
    var left = 0
    for item in items { left &+= ItemChunk.encodedBytes(item.count) }
    for item in items {
      list.push(item.bytes, atFront: false, expectedBytes: left, &heap)
      left &-= ItemChunk.encodedBytes(item.count)
    }
    return list
  }

  // MARK: Fields

  private var directory: UnsafeMutablePointer<ItemChunk> {
    @inline(__always) get {
      UnsafeMutableRawPointer(bitPattern: word(0)).unsafelyUnwrapped
        .assumingMemoryBound(to: ItemChunk.self)
    }
    nonmutating set { setWord(0, Int(bitPattern: newValue)) }
  }

  private var directoryCapacity: Int {
    @inline(__always) get { word(1) }
    nonmutating set { setWord(1, newValue) }
  }

  private var head: Int {
    @inline(__always) get { word(2) }
    nonmutating set { setWord(2, newValue) }
  }

  private(set) var chunkCount: Int {
    @inline(__always) get { word(3) }
    nonmutating set { setWord(3, newValue) }
  }

  private(set) var count: Int {
    @inline(__always) get { word(4) }
    nonmutating set { setWord(4, newValue) }
  }

  /// Bytes of the items themselves.
  private(set) var itemBytes: Int {
    @inline(__always) get { word(5) }
    nonmutating set { setWord(5, newValue) }
  }

  private var front: Int64 {
    @inline(__always) get { Int64(word(6)) }
    nonmutating set { setWord(6, Int(newValue)) }
  }

  /// The next list that waits to be freed.
  var following: ItemList? {
    get { UnsafeMutableRawPointer(bitPattern: word(7)).map(ItemList.init) }
    nonmutating set { setWord(7, Int(bitPattern: newValue?.address)) }
  }

  /// What the items take in an encoded answer, or a few bytes more for those over 127 bytes.
  @inline(__always) var encodedBytes: Int { itemBytes &+ word(8) }

  private func addOverhead(_ bytes: Int) { setWord(8, word(8) &+ bytes) }

  @inline(__always) private func word(_ index: Int) -> Int {
    address.load(fromByteOffset: index &* 8, as: Int.self)
  }

  @inline(__always) private func setWord(_ index: Int, _ value: Int) {
    address.storeBytes(of: value, toByteOffset: index &* 8, as: Int.self)
  }

  @inline(__always) private func chunk(_ index: Int) -> ItemChunk {
    directory[(head &+ index) & (directoryCapacity &- 1)]
  }

  // MARK: Push and pop

  /// Adds an item.
  /// - Parameter expectedBytes: what is still to come, this item included, as far as known:
  ///   a first chunk is made to fit.
  func push(
    _ item: UnsafeRawBufferPointer, atFront: Bool, expectedBytes: Int = 0,
    _ heap: inout SlabHeap
  ) {
    let needed = ItemChunk.encodedBytes(item.count)
    let chunk = room(needed, atFront: atFront, expectedBytes: expectedBytes, &heap)
    chunk.push(item, atFront: atFront)
    if atFront { front &-= 1 }
    count &+= 1
    itemBytes &+= item.count
    addOverhead(ReplyCost.item(item.count) &- item.count)
  }

  /// The chunk at one end, with room for an item there.
  private func room(
    _ needed: Int, atFront: Bool, expectedBytes: Int, _ heap: inout SlabHeap
  ) -> ItemChunk {
    var capacity = max(needed, min(expectedBytes, ItemChunk.usualCapacity))
    if chunkCount > 0 {
      let chunk = self.chunk(atFront ? 0 : chunkCount &- 1)
      if chunk.hasRoom(needed, atFront: atFront) { return chunk }
      let used = chunk.usedBytes
      if used <= chunk.capacity / 2, used &+ needed <= chunk.capacity {
        chunk.slide(toEnd: atFront)
        return chunk
      }
      if used &+ needed <= ItemChunk.usualCapacity {
        let larger = ItemChunk.allocate(
          capacity: min(ItemChunk.usualCapacity, max(2 &* chunk.capacity, used &+ needed)),
          fromEnd: atFront, &heap)
        larger.adopt(chunk, toEnd: atFront)
        let index = atFront ? 0 : chunkCount &- 1
        directory[(head &+ index) & (directoryCapacity &- 1)] = larger
        chunk.release(&heap)
        return larger
      }
      capacity = max(needed, ItemChunk.usualCapacity)
    }
    let chunk = ItemChunk.allocate(capacity: capacity, fromEnd: atFront, &heap)
    chunk.sequence = atFront ? front : front &+ Int64(count)
    addChunk(chunk, atFront: atFront, &heap)
    return chunk
  }

  /// The first or last item, borrowed until the list changes. There must be one.
  @inline(__always) func peek(atFront: Bool) -> UnsafeRawBufferPointer {
    if atFront {
      let chunk = self.chunk(0)
      var offset = chunk.start
      return chunk.item(from: &offset)
    }
    let chunk = self.chunk(chunkCount &- 1)
    var offset = chunk.end
    return chunk.item(upTo: &offset)
  }

  /// Removes the first or last item. There must be one.
  func pop(atFront: Bool, _ heap: inout SlabHeap) {
    let chunk = self.chunk(atFront ? 0 : chunkCount &- 1)
    let bytes = chunk.pop(atFront: atFront).count
    if atFront { front &+= 1 }
    count &-= 1
    itemBytes &-= bytes
    addOverhead(bytes &- ReplyCost.item(bytes))
    if chunk.count == 0 {
      removeChunk(atFront: atFront)
      chunk.release(&heap)
    }
  }

  private func addChunk(_ chunk: ItemChunk, atFront: Bool, _ heap: inout SlabHeap) {
    if chunkCount == directoryCapacity { growDirectory(&heap) }
    if atFront { head = (head &- 1) & (directoryCapacity &- 1) }
    chunkCount &+= 1
    directory[(head &+ (atFront ? 0 : chunkCount &- 1)) & (directoryCapacity &- 1)] = chunk
  }

  private func removeChunk(atFront: Bool) {
    if atFront { head = (head &+ 1) & (directoryCapacity &- 1) }
    chunkCount &-= 1
  }

  private func growDirectory(_ heap: inout SlabHeap) {
    let capacity = max(Self.minDirectory, directoryCapacity &* 2)
    let larger = heap.allocate(capacity &* 8)
      .bindMemory(to: ItemChunk.self, capacity: capacity)
    for index in 0..<chunkCount { (larger + index).initialize(to: chunk(index)) }
    if directoryCapacity > 0 { heap.release(directory, bytes: directoryCapacity &* 8) }
    directory = larger
    directoryCapacity = capacity
    head = 0
  }

  // MARK: Read

  /// Walks over items from one place on. Valid until the list changes.
  struct Walk {
    private let list: ItemList
    private var chunkIndex: Int
    private var chunk: ItemChunk?
    private var offset: Int

    /// - Parameter index: at most the list's count.
    fileprivate init(_ list: ItemList, from index: Int) {
      self.list = list
      guard index < list.count else {
        (chunkIndex, chunk, offset) = (list.chunkCount, nil, 0)
        return
      }
      let number = list.front &+ Int64(index)
      var low = 0
      var high = list.chunkCount
      while high &- low > 1 {
        let middle = (low &+ high) >> 1
        if list.chunk(middle).sequence <= number { low = middle } else { high = middle }
      }
      chunkIndex = low
      let found = list.chunk(low)
      chunk = found
      offset = found.offset(of: number)
    }

    @inline(__always) mutating func next() -> UnsafeRawBufferPointer? {
      guard let chunk else { return nil }
      let item = chunk.item(from: &offset)
      if offset == chunk.end {
        chunkIndex &+= 1
        if chunkIndex < list.chunkCount {
          let following = list.chunk(chunkIndex)
          self.chunk = following
          offset = following.start
        } else {
          self.chunk = nil
        }
      }
      return item
    }
  }

  /// Starts at item `index`, or at the end.
  func walk(from index: Int) -> Walk { Walk(self, from: index) }

  /// Whether the list has exactly these items.
  func equals(_ items: UnsafeBufferPointer<ByteSlice>) -> Bool {
    guard count == items.count else { return false }
    var walk = walk(from: 0)
    for other in items {
      guard let item = walk.next(), item.count == other.count else { return false }
      if ByteOrder.compare(item, other.bytes) != 0 { return false }
    }
    return true
  }

  /// Bytes of the first or last `items` items.
  func itemBytes(of items: Int, atFront: Bool) -> Int {
    var left = min(items, count)
    var bytes = 0
    for index in 0..<chunkCount where left > 0 {
      let chunk = self.chunk(atFront ? index : chunkCount &- 1 &- index)
      if chunk.count <= left {
        left &-= chunk.count
        bytes &+= chunk.itemBytes
        continue
      }
      var offset = atFront ? chunk.start : chunk.end
      while left > 0 {
        bytes &+= (atFront ? chunk.item(from: &offset) : chunk.item(upTo: &offset)).count
        left &-= 1
      }
    }
    return bytes
  }

  // MARK: Parts

  /// Takes the first or last `items` items out into a list of their own: whole chunks change
  /// hands, and the items of one chunk at most are copied.
  func detach(_ items: Int, atFront: Bool, _ heap: inout SlabHeap) -> ItemList {
    let other = ItemList.allocate(&heap)
    other.front = atFront ? front : front &+ Int64(count)
    var left = min(items, count)
    while left > 0 {
      let chunk = self.chunk(atFront ? 0 : chunkCount &- 1)
      guard chunk.count <= left else { break }
      left &-= chunk.count
      move(chunk, to: other, fromFront: atFront, toFront: !atFront, &heap)
    }
    while left > 0 {
      other.push(peek(atFront: atFront), atFront: !atFront, &heap)
      pop(atFront: atFront, &heap)
      left &-= 1
    }
    return other
  }

  /// Undoes `detach` while the list is as `detach` left it. The other list is empty then, and
  /// to be released.
  func attach(_ other: ItemList, atFront: Bool, _ heap: inout SlabHeap) {
    while other.chunkCount > 0 {
      let chunk = other.chunk(atFront ? other.chunkCount &- 1 : 0)
      if count == 0 { front = atFront ? chunk.sequence &+ Int64(chunk.count) : chunk.sequence }
      other.move(chunk, to: self, fromFront: !atFront, toFront: atFront, &heap)
    }
  }

  /// Moves the chunk at one end to an end of another list, with which its numbers agree.
  private func move(
    _ chunk: ItemChunk, to other: ItemList, fromFront: Bool, toFront: Bool,
    _ heap: inout SlabHeap
  ) {
    let overhead = chunkOverhead(chunk)
    removeChunk(atFront: fromFront)
    if fromFront { front &+= Int64(chunk.count) }
    count &-= chunk.count
    itemBytes &-= chunk.itemBytes
    addOverhead(0 &- overhead)
    other.addChunk(chunk, atFront: toFront, &heap)
    if toFront { other.front &-= Int64(chunk.count) }
    other.count &+= chunk.count
    other.itemBytes &+= chunk.itemBytes
    other.addOverhead(overhead)
  }

  /// What the lengths of a chunk's items add to a message, as `push` counted it.
  private func chunkOverhead(_ chunk: ItemChunk) -> Int {
    let lengths = chunk.usedBytes &- chunk.itemBytes
    let long = (lengths &- 2 &* chunk.count) / 6
    return ReplyCost.shortItem &* (chunk.count &- long) &+ ReplyCost.longItem &* long
  }

  /// Frees up to `maxChunks` chunks, and the list itself with the last: then it says `true`,
  /// and the list is gone.
  func release(maxChunks: Int, _ heap: inout SlabHeap) -> Bool {
    for _ in 0..<min(maxChunks, chunkCount) {
      chunk(chunkCount &- 1).release(&heap)
      chunkCount &-= 1
    }
    guard chunkCount == 0 else { return false }
    if directoryCapacity > 0 { heap.release(directory, bytes: directoryCapacity &* 8) }
    heap.release(address, bytes: Self.headerBytes)
    return true
  }
}
