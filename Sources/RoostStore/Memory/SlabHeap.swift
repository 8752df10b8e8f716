import CLinux
import Glibc

/// The memory of one shard's records, lists and index nodes: slots of equal size in slabs of
/// 64 KiB, a free list for each slab. Guarded by its shard's lock.
///
/// malloc would do, but for its worst case: it sorts what was freed while it allocates, up to
/// ten thousand chunks in one call, and it takes 8 bytes for each.
///
/// 1. A slab begins at a multiple of its size, so that a slot's address gives its slab.
/// 2. A slab with a free slot is in its class's list, one without is in none. An empty one goes
///    back to the pool, but for the last of its class's list.
/// 3. What is larger than `maxSlotBytes` comes from malloc.
/// 4. `bytes` is the size of the slots and of malloc's blocks in use: 0 when all are released.
struct SlabHeap: ~Copyable {
  /// Compiled with ROOST_PLAIN_HEAP, all comes from malloc, which sanitizers watch.
  #if ROOST_PLAIN_HEAP
    static let maxSlotBytes = 0
  #else
    static let maxSlotBytes = 8 << 10
  #endif
  private static let classCount = 153

  /// Bytes in use.
  private(set) var bytes = 0
  private let partial: UnsafeMutablePointer<Slab?>
  private let pool: SlabPool

  init(pool: SlabPool) {
    self.pool = pool
    partial = .allocate(capacity: Self.classCount)
    partial.initialize(repeating: nil, count: Self.classCount)
  }

  /// Ends the heap. Slabs with slots in use go with the pool only; blocks of malloc's are the
  /// caller's to release, before.
  mutating func release() {
    for sizeClass in 0..<Self.classCount {
      while let slab = partial[sizeClass], slab.isEmpty {
        unlink(slab)
        pool.give(slab.address)
      }
    }
    partial.deallocate()
  }

  // MARK: Size classes

  /// The size class of an allocation: steps of 8 bytes up to 1 KiB, then eight steps to the
  /// double. 0: malloc's.
  @inline(__always)
  static func sizeClass(_ bytes: Int) -> UInt8 {
    if bytes > maxSlotBytes { return 0 }
    if bytes <= 1024 { return UInt8(truncatingIfNeeded: max(bytes &+ 7, 8) >> 3) }
    let octave = 63 &- (bytes &- 1).leadingZeroBitCount &- 10
    let step = 128 << octave
    return UInt8(
      truncatingIfNeeded: 128 &+ 8 &* octave &+ (bytes &- 1024 << octave &+ step &- 1) / step)
  }

  /// What an allocation of a size class holds.
  @inline(__always)
  static func slotBytes(_ sizeClass: UInt8) -> Int {
    let index = Int(sizeClass)
    if index <= 128 { return index &* 8 }
    let step = index &- 129
    return (1024 &+ ((step & 7) &+ 1) &* 128) << (step >> 3)
  }

  /// What an allocation of `bytes` takes.
  @inline(__always)
  static func cost(_ bytes: Int) -> Int {
    let sizeClass = sizeClass(bytes)
    return sizeClass == 0 ? bytes : slotBytes(sizeClass)
  }

  // MARK: Allocate and release

  /// Memory that is aligned to 8 bytes. Traps where the machine has none.
  @inline(__always)
  mutating func allocate(_ bytes: Int) -> UnsafeMutableRawPointer {
    let sizeClass = Self.sizeClass(bytes)
    return sizeClass == 0 ? allocateLarge(bytes) : allocate(sizeClass: sizeClass)
  }

  /// Memory of a size class that is not 0.
  mutating func allocate(sizeClass: UInt8) -> UnsafeMutableRawPointer {
    let slab = partial[Int(sizeClass)] ?? addSlab(sizeClass)
    bytes &+= slab.slotBytes
    let slot = slab.takeSlot()
    if slab.isFull { unlink(slab) }
    return slot
  }

  @inline(never)
  mutating func allocateLarge(_ bytes: Int) -> UnsafeMutableRawPointer {
    guard let memory = malloc(bytes) else { fatalError("out of memory: \(bytes) bytes") }
    self.bytes &+= clinux_usable_size(memory)
    return memory
  }

  /// Takes back what `allocate` gave for so many bytes, or as many of the same class.
  @inline(__always)
  mutating func release(_ memory: UnsafeMutableRawPointer, bytes: Int) {
    if bytes > Self.maxSlotBytes { releaseLarge(memory) } else { releaseSlot(memory) }
  }

  /// Takes back a slot.
  mutating func releaseSlot(_ slot: UnsafeMutableRawPointer) {
    let slab = Slab.of(slot)
    bytes &-= slab.slotBytes
    if slab.isFull { link(slab) }
    slab.giveSlot(slot)
    guard slab.isEmpty, slab.next != nil || slab.previous != nil else { return }
    unlink(slab)
    pool.give(slab.address)
  }

  /// Takes back a block of malloc's.
  @inline(never)
  mutating func releaseLarge(_ memory: UnsafeMutableRawPointer) {
    let size = clinux_usable_size(memory)
    bytes &-= size
    free(memory)
    pool.noteLargeRelease(bytes: size)
  }

  // MARK: Slabs

  private func link(_ slab: Slab) {
    let head = partial[slab.sizeClass]
    slab.previous = nil
    slab.next = head
    head?.previous = slab
    partial[slab.sizeClass] = slab
  }

  private func unlink(_ slab: Slab) {
    if let previous = slab.previous {
      previous.next = slab.next
    } else {
      partial[slab.sizeClass] = slab.next
    }
    slab.next?.previous = slab.previous
  }

  @inline(never)
  private mutating func addSlab(_ sizeClass: UInt8) -> Slab {
    let slab = Slab(pool.take())
    slab.start(sizeClass: Int(sizeClass), slotBytes: Self.slotBytes(sizeClass))
    link(slab)
    return slab
  }
}

/// A slab: a header of 64 bytes, then slots. Layout, in bytes from its start: next and previous
/// slab of its class with free slots; at 16 the offset of the first released slot, 0: none; at
/// 20 that of the first slot that was never used; at 24 the number of slots in use; at 28 a
/// slot's size; at 32 the class; all u32. A released slot begins with the offset of the next.
private struct Slab: Equatable {
  private static let headerBytes = 64

  let address: UnsafeMutableRawPointer

  @inline(__always) init(_ address: UnsafeMutableRawPointer) { self.address = address }

  @inline(__always) static func of(_ slot: UnsafeMutableRawPointer) -> Slab {
    let offset = Int(bitPattern: slot) & (SlabPool.slabBytes &- 1)
    return Slab(slot - offset)
  }

  func start(sizeClass: Int, slotBytes: Int) {
    next = nil
    previous = nil
    setField(16, 0)
    setField(20, Self.headerBytes)
    setField(24, 0)
    setField(28, slotBytes)
    setField(32, sizeClass)
  }

  @inline(__always) var slotBytes: Int { field(28) }
  @inline(__always) var sizeClass: Int { field(32) }
  @inline(__always) var isEmpty: Bool { field(24) == 0 }
  @inline(__always) var isFull: Bool {
    field(16) == 0 && field(20) &+ slotBytes > SlabPool.slabBytes
  }

  var next: Slab? {
    @inline(__always) get { link(0) }
    nonmutating set { setLink(0, newValue) }
  }

  var previous: Slab? {
    @inline(__always) get { link(8) }
    nonmutating set { setLink(8, newValue) }
  }

  /// Of a slab that is not full.
  @inline(__always) func takeSlot() -> UnsafeMutableRawPointer {
    setField(24, field(24) &+ 1)
    let released = field(16)
    if released != 0 {
      let slot = address + released
      setField(16, Int(slot.load(as: UInt32.self)))
      return slot
    }
    let fresh = field(20)
    setField(20, fresh &+ slotBytes)
    return address + fresh
  }

  @inline(__always) func giveSlot(_ slot: UnsafeMutableRawPointer) {
    slot.storeBytes(of: UInt32(truncatingIfNeeded: field(16)), as: UInt32.self)
    setField(16, slot - address)
    setField(24, field(24) &- 1)
  }

  @inline(__always) private func field(_ offset: Int) -> Int {
    Int(address.load(fromByteOffset: offset, as: UInt32.self))
  }

  @inline(__always) private func setField(_ offset: Int, _ value: Int) {
    address.storeBytes(
      of: UInt32(truncatingIfNeeded: value), toByteOffset: offset, as: UInt32.self)
  }

  @inline(__always) private func link(_ offset: Int) -> Slab? {
    guard let slab = address.load(fromByteOffset: offset, as: UnsafeMutableRawPointer?.self)
    else { return nil }
    return Slab(slab)
  }

  @inline(__always) private func setLink(_ offset: Int, _ slab: Slab?) {
    address.storeBytes(
      of: slab?.address, toByteOffset: offset, as: UnsafeMutableRawPointer?.self)
  }
}
