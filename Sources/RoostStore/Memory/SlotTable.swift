import CLinux
import Synchronization

/// Finds records by hash and key: open addressing with linear probing over 8-byte slots.
/// Guarded by its shard's lock, but for the prefetches of event loops through `directory`.
///
/// 1. Each record is in exactly one slot: of `active`, or, while a resize is under way, of
///    `old` at or after `cursor`.
/// 2. A probe from a record's home slot meets its slot before an empty one. In `old` a probe
///    starts at the cursor where the home lies before it.
/// 3. `used` counts the active table's slots that are not empty, tombstones included;
///    `used <= maxUsed`, so that probes stay short.
/// 4. A resize moves at least `slotsPerStep` slots with each insertion and removal, hence ends
///    before the new table is full: growth starts at 13/16 of C slots and C/8 operations later
///    it is done, with at most 15/16 of C used of the new 2C. No step moves more.
/// 5. `directory` holds the active table's address and, in its low bits, its capacity's log2.
struct SlotTable: ~Copyable {
  static let slotsPerStep = 8
  /// Passed slots are given to the kernel in stretches of this many.
  private static let discardStride = 8192
  private static let tombstone: UInt64 = 1
  private static let tagMask: UInt64 = 0xFFFF << 48
  private static let addressMask: UInt64 = ~(0xFFFF << 48)

  /// Records in the table.
  private(set) var count = 0
  private var active: UnsafeMutablePointer<Slot>
  private var activeLog2: Int
  private var used = 0
  private var old: UnsafeMutablePointer<Slot>?
  private var oldLog2 = 0
  private var cursor = 0
  private var discarded = 0
  private var pages = SlotPages()
  let hasher: KeyHasher
  private let directory: UnsafeMutablePointer<Atomic<UInt>>

  /// - Parameter directory: outlives the table.
  init(hasher: KeyHasher, directory: UnsafeMutablePointer<Atomic<UInt>>) {
    self.hasher = hasher
    self.directory = directory
    activeLog2 = SlotPages.minCapacityLog2
    active = pages.take(capacityLog2: activeLog2)
    publish()
  }

  /// Gives the memory back; the records are the caller's to free.
  mutating func release() {
    pages.give(active, capacityLog2: activeLog2)
    if let old { pages.give(old, capacityLog2: oldLog2) }
    pages.release()
  }

  /// Bytes of the tables, less what was handed back to the kernel.
  var memoryBytes: Int { 8 << activeLog2 &+ (old == nil ? 0 : 8 << oldLog2 &- discarded &* 8) }
  var capacity: Int { 1 << activeLog2 }
  var isResizing: Bool { old != nil }
  /// Slots of the active table that are not empty, tombstones included.
  var usedSlots: Int { used }

  // MARK: Lookup

  /// Where a record is: valid until the table changes.
  struct Place {
    fileprivate let slot: UnsafeMutablePointer<Slot>
    fileprivate let isOld: Bool
    let record: Record
  }

  @inline(__always)
  func find(_ key: UnsafeRawBufferPointer, _ hash: UInt64) -> Place? {
    let mask = capacity &- 1
    let tag = hash & Self.tagMask
    var index = Int(truncatingIfNeeded: hash) & mask
    while true {
      let word = active[index].load(ordering: .relaxed)
      if word == 0 { break }
      if word & Self.tagMask == tag, let record = Self.record(word), record.hasKey(key) {
        return Place(slot: active + index, isOld: false, record: record)
      }
      index = (index &+ 1) & mask
    }
    guard let old else { return nil }
    // Given by values: a copy of the whole table would be made for a method's sake.
    return Self.findOld(old, oldLog2, from: cursor, hash) { $0.hasKey(key) }
  }

  /// As `find`, for a record that is known to be there.
  func place(of record: Record) -> Place {
    let hash = hash(record)
    let mask = capacity &- 1
    var index = Int(truncatingIfNeeded: hash) & mask
    while true {
      let word = active[index].load(ordering: .relaxed)
      if word == 0 { break }
      if Self.record(word) == record {
        return Place(slot: active + index, isOld: false, record: record)
      }
      index = (index &+ 1) & mask
    }
    if let old, let place = Self.findOld(old, oldLog2, from: cursor, hash, { $0 == record }) {
      return place
    }
    preconditionFailure("the record is not in its table")
  }

  @inline(never)
  private static func findOld(
    _ old: UnsafeMutablePointer<Slot>, _ log2: Int, from cursor: Int, _ hash: UInt64,
    _ matches: (Record) -> Bool
  ) -> Place? {
    let capacity = 1 << log2
    let tag = hash & tagMask
    let first = max(Int(truncatingIfNeeded: hash) & (capacity &- 1), cursor)
    var index = first
    repeat {
      let word = old[index].load(ordering: .relaxed)
      if word == 0 { return nil }
      if word & tagMask == tag, let record = record(word), matches(record) {
        return Place(slot: old + index, isOld: true, record: record)
      }
      index &+= 1
      if index == capacity { index = cursor }
    } while index != first
    return nil
  }

  // MARK: Change

  /// Adds a record whose key is not in the table.
  mutating func insert(_ record: Record, _ hash: UInt64) {
    if used >= maxUsed { makeRoom() }
    insertActive(record, hash)
    count &+= 1
    if old != nil { advance(slots: Self.slotsPerStep) }
  }

  /// Puts another record with the same key into the slot.
  @inline(__always)
  func replace(_ place: Place, with record: Record) {
    let tag = place.slot.pointee.load(ordering: .relaxed) & Self.tagMask
    place.slot.pointee.store(tag | Self.word(record), ordering: .relaxed)
  }

  mutating func remove(_ place: Place) {
    count &-= 1
    if place.isOld {
      place.slot.pointee.store(Self.tombstone, ordering: .relaxed)
    } else {
      removeActive(place.slot - active)
    }
    if old != nil { advance(slots: Self.slotsPerStep) } else { shrinkIfSparse() }
  }

  private mutating func shrinkIfSparse() {
    if activeLog2 > SlotPages.minCapacityLog2, count < capacity / 10 {
      startResize(capacityLog2: activeLog2 &- 1)
    }
  }

  /// Goes on with a resize that is under way: up to `slots` slots.
  mutating func advance(slots: Int) {
    guard let old else { return }
    let capacity = 1 << oldLog2
    let end = min(cursor &+ slots, capacity)
    prefetchRecords(old, from: end, to: min(end &+ slots, capacity))
    while cursor < end {
      if let record = Self.record(old[cursor].load(ordering: .relaxed)) {
        insertActive(record, hash(record))
      }
      cursor &+= 1
    }
    if cursor &- discarded >= Self.discardStride || cursor == capacity {
      let passed = cursor & ~(SlotPages.slotsPerPage &- 1)
      SlotPages.discard(old, from: discarded, to: passed)
      discarded = passed
    }
    if cursor == capacity {
      pages.give(old, capacityLog2: oldLog2)
      self.old = nil
      shrinkIfSparse()
    }
  }

  private var maxUsed: Int { capacity &- capacity / 8 &- capacity / 16 }

  private mutating func insertActive(_ record: Record, _ hash: UInt64) {
    let mask = capacity &- 1
    var index = Int(truncatingIfNeeded: hash) & mask
    var word = active[index].load(ordering: .relaxed)
    while word > Self.tombstone {
      index = (index &+ 1) & mask
      word = active[index].load(ordering: .relaxed)
    }
    if word == 0 { used &+= 1 }
    active[index].store(hash & Self.tagMask | Self.word(record), ordering: .relaxed)
  }

  /// Leaves a tombstone only where a probe must go on past it, and clears those before it too
  /// where it need not.
  private mutating func removeActive(_ removed: Int) {
    let mask = capacity &- 1
    guard active[(removed &+ 1) & mask].load(ordering: .relaxed) == 0 else {
      active[removed].store(Self.tombstone, ordering: .relaxed)
      return
    }
    var index = removed
    repeat {
      active[index].store(0, ordering: .relaxed)
      used &-= 1
      index = (index &- 1) & mask
    } while active[index].load(ordering: .relaxed) == Self.tombstone
  }

  /// The active table is full: of records, and then it doubles, or of tombstones.
  @inline(never)
  private mutating func makeRoom() {
    while old != nil { advance(slots: 1024) }
    if used >= maxUsed {
      startResize(capacityLog2: count > maxUsed / 2 ? activeLog2 &+ 1 : activeLog2)
    }
  }

  private mutating func startResize(capacityLog2: Int) {
    old = active
    oldLog2 = activeLog2
    cursor = 0
    discarded = 0
    active = pages.take(capacityLog2: capacityLog2)
    activeLog2 = capacityLog2
    used = 0
    publish()
  }

  private func publish() {
    directory.pointee.store(
      UInt(bitPattern: active) | UInt(activeLog2), ordering: .relaxed)
  }

  private func prefetchRecords(_ slots: UnsafeMutablePointer<Slot>, from: Int, to: Int) {
    for index in from..<max(from, to) {
      let word = slots[index].load(ordering: .relaxed)
      if word > Self.tombstone {
        clinux_prefetch(UnsafeRawPointer(bitPattern: UInt(word & Self.addressMask)))
      }
    }
  }

  private func hash(_ record: Record) -> UInt64 {
    hasher.hash(record.address + Record.headerBytes, record.keyCount)
  }

  @inline(__always) private static func record(_ word: UInt64) -> Record? {
    guard word > tombstone else { return nil }
    return Record(
      UnsafeMutableRawPointer(bitPattern: UInt(word & addressMask)).unsafelyUnwrapped)
  }

  @inline(__always) private static func word(_ record: Record) -> UInt64 {
    UInt64(UInt(bitPattern: record.address))
  }

  /// Brings records of the table closer, and then their slots.
  func prefetchSlots(_ records: UnsafePointer<Record>, _ count: Int) {
    for place in 0..<count { clinux_prefetch(records[place].address) }
    for place in 0..<count { Self.prefetchSlot(directory, hash(records[place])) }
  }

  // MARK: Prefetch, without a lock

  /// Brings the slot closer where a probe for `hash` starts.
  @inline(__always)
  static func prefetchSlot(_ directory: UnsafeMutablePointer<Atomic<UInt>>, _ hash: UInt64) {
    let (slots, _, index) = home(directory, hash)
    clinux_prefetch(slots + index)
  }

  /// Brings the first record closer whose slot has the tag of `hash`. It reads slots that
  /// others change meanwhile: what it meets may be stale or freed, and is only prefetched.
  @inline(__always)
  static func prefetchRecord(_ directory: UnsafeMutablePointer<Atomic<UInt>>, _ hash: UInt64) {
    let (slots, mask, home) = home(directory, hash)
    let tag = hash & tagMask
    var index = home
    for _ in 0..<8 {
      let word = slots[index].load(ordering: .relaxed)
      if word == 0 { return }
      if word & tagMask == tag, word > tombstone {
        let address = UnsafeRawPointer(bitPattern: UInt(word & addressMask)).unsafelyUnwrapped
        clinux_prefetch(address)
        clinux_prefetch(address + 64)
        clinux_prefetch(address + 128)
        return
      }
      index = (index &+ 1) & mask
    }
  }

  @inline(__always)
  private static func home(
    _ directory: UnsafeMutablePointer<Atomic<UInt>>, _ hash: UInt64
  ) -> (slots: UnsafeMutablePointer<Slot>, mask: Int, index: Int) {
    let word = directory.pointee.load(ordering: .relaxed)
    let mask = 1 << Int(word & 63) &- 1
    let slots = UnsafeMutablePointer<Slot>(bitPattern: word & ~63).unsafelyUnwrapped
    return (slots, mask, Int(truncatingIfNeeded: hash) & mask)
  }
}
