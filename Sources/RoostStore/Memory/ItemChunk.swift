import Glibc

/// A stretch of a list's items, back to back in one allocation: a bare pointer.
///
/// 1. Layout, little-endian: first item's sequence number i64; capacity u32; start u32 and end
///    u32, offsets of the items' bytes; item count u32; bytes of the items themselves u32;
///    unused u32; `capacity` bytes.
/// 2. An item is its length, its bytes, and its length again, so that it can be read from both
///    ends. A length up to 127 takes one byte; a longer one takes four with the highest bit
///    set in the outermost byte: big-endian before the bytes, little-endian after them.
struct ItemChunk: Equatable {
  static let headerBytes = 32
  /// With the header, a chunk of 4 KiB.
  static let usualCapacity = 4096 - headerBytes
  static let minCapacity = 56

  let address: UnsafeMutableRawPointer

  @inline(__always) init(_ address: UnsafeMutableRawPointer) { self.address = address }

  /// An empty chunk that holds `capacity` bytes or a little more, to be filled from its start
  /// or from its end.
  static func allocate(capacity: Int, fromEnd: Bool, _ heap: inout SlabHeap) -> ItemChunk {
    let total = SlabHeap.cost(headerBytes &+ max(capacity, minCapacity))
    let chunk = ItemChunk(heap.allocate(total))
    chunk.capacity = total &- headerBytes
    chunk.start = fromEnd ? chunk.capacity : 0
    chunk.end = chunk.start
    chunk.count = 0
    chunk.itemBytes = 0
    return chunk
  }

  func release(_ heap: inout SlabHeap) {
    heap.release(address, bytes: Self.headerBytes &+ capacity)
  }

  // MARK: Fields

  /// The sequence number of the first item. Numbers never change while an item is in its list.
  var sequence: Int64 {
    @inline(__always) get { address.load(as: Int64.self) }
    @inline(__always) nonmutating set { address.storeBytes(of: newValue, as: Int64.self) }
  }

  private(set) var capacity: Int {
    @inline(__always) get { field(8) }
    @inline(__always) nonmutating set { setField(8, newValue) }
  }

  private(set) var start: Int {
    @inline(__always) get { field(12) }
    @inline(__always) nonmutating set { setField(12, newValue) }
  }

  private(set) var end: Int {
    @inline(__always) get { field(16) }
    @inline(__always) nonmutating set { setField(16, newValue) }
  }

  private(set) var count: Int {
    @inline(__always) get { field(20) }
    @inline(__always) nonmutating set { setField(20, newValue) }
  }

  private(set) var itemBytes: Int {
    @inline(__always) get { field(24) }
    @inline(__always) nonmutating set { setField(24, newValue) }
  }

  @inline(__always) private func field(_ offset: Int) -> Int {
    Int(address.load(fromByteOffset: offset, as: UInt32.self))
  }

  @inline(__always) private func setField(_ offset: Int, _ value: Int) {
    address.storeBytes(
      of: UInt32(truncatingIfNeeded: value), toByteOffset: offset, as: UInt32.self)
  }

  // MARK: Space

  @inline(__always) var usedBytes: Int { end &- start }

  @inline(__always) func hasRoom(_ bytes: Int, atFront: Bool) -> Bool {
    atFront ? start >= bytes : capacity &- end >= bytes
  }

  /// Moves the items to the other end of the chunk.
  func slide(toEnd: Bool) {
    let used = usedBytes
    let target = toEnd ? capacity &- used : 0
    memmove(bytes + target, bytes + start, used)
    start = target
    end = target &+ used
  }

  /// Takes over the items of a smaller chunk, which is empty of use then.
  func adopt(_ other: ItemChunk, toEnd: Bool) {
    let used = other.usedBytes
    let target = toEnd ? capacity &- used : 0
    memcpy(bytes + target, other.bytes + other.start, used)
    start = target
    end = target &+ used
    count = other.count
    itemBytes = other.itemBytes
    sequence = other.sequence
  }

  // MARK: Items

  @inline(__always) static func lengthBytes(_ itemBytes: Int) -> Int { itemBytes < 128 ? 1 : 4 }

  /// What an item takes in a chunk.
  @inline(__always) static func encodedBytes(_ itemBytes: Int) -> Int {
    itemBytes &+ 2 &* lengthBytes(itemBytes)
  }

  /// Adds an item for which there is room.
  @inline(__always) func push(_ item: UnsafeRawBufferPointer, atFront: Bool) {
    let encoded = Self.encodedBytes(item.count)
    if atFront {
      start = start &- encoded
      sequence &-= 1
      write(item, at: start)
    } else {
      write(item, at: end)
      end = end &+ encoded
    }
    count &+= 1
    itemBytes &+= item.count
  }

  @inline(__always) private func write(_ item: UnsafeRawBufferPointer, at offset: Int) {
    let target = bytes + offset
    let lengthBytes = Self.lengthBytes(item.count)
    if let base = item.baseAddress { memcpy(target + lengthBytes, base, item.count) }
    let after = target + lengthBytes + item.count
    if lengthBytes == 1 {
      target.storeBytes(of: UInt8(truncatingIfNeeded: item.count), as: UInt8.self)
      after.storeBytes(of: UInt8(truncatingIfNeeded: item.count), as: UInt8.self)
    } else {
      let length = UInt32(truncatingIfNeeded: item.count) | 1 << 31
      target.storeBytes(of: length.bigEndian, as: UInt32.self)
      after.storeBytes(of: length.littleEndian, as: UInt32.self)
    }
  }

  /// The item whose bytes begin at `offset`, which moves behind it. There must be one.
  @inline(__always) func item(from offset: inout Int) -> UnsafeRawBufferPointer {
    let source = bytes + offset
    let short = source.load(as: UInt8.self)
    let lengthBytes = short < 128 ? 1 : 4
    let length =
      short < 128
      ? Int(short) : Int(UInt32(bigEndian: source.loadUnaligned(as: UInt32.self)) & ~(1 << 31))
    offset &+= length &+ 2 &* lengthBytes
    return UnsafeRawBufferPointer(start: source + lengthBytes, count: length)
  }

  /// The item whose bytes end at `offset`, which moves in front of it. There must be one.
  @inline(__always) func item(upTo offset: inout Int) -> UnsafeRawBufferPointer {
    let source = bytes + offset
    let short = source.load(fromByteOffset: -1, as: UInt8.self)
    let lengthBytes = short < 128 ? 1 : 4
    let length =
      short < 128
      ? Int(short)
      : Int(
        UInt32(littleEndian: source.loadUnaligned(fromByteOffset: -4, as: UInt32.self))
          & ~(1 << 31))
    offset &-= length &+ 2 &* lengthBytes
    return UnsafeRawBufferPointer(start: source - lengthBytes - length, count: length)
  }

  /// Where the item with this sequence number begins. It must be in the chunk.
  func offset(of number: Int64) -> Int {
    let index = Int(number &- sequence)
    if index <= count / 2 {
      var offset = start
      for _ in 0..<index { _ = item(from: &offset) }
      return offset
    }
    var offset = end
    for _ in index..<count { _ = item(upTo: &offset) }
    return offset
  }

  /// Removes the first or the last item. There must be one; its bytes stay readable until the
  /// next change.
  @inline(__always) func pop(atFront: Bool) -> UnsafeRawBufferPointer {
    let item: UnsafeRawBufferPointer
    if atFront {
      var offset = start
      item = self.item(from: &offset)
      start = offset
      sequence &+= 1
    } else {
      var offset = end
      item = self.item(upTo: &offset)
      end = offset
    }
    count &-= 1
    itemBytes &-= item.count
    return item
  }

  @inline(__always) private var bytes: UnsafeMutableRawPointer {
    address + Self.headerBytes
  }
}
