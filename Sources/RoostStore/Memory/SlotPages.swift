import Glibc
import Synchronization

/// One slot of a table: 16 bits of the key's hash above 48 bits of its record's address.
/// 0: empty; 1: a tombstone. Stored atomically, since event loops read slots without a lock to
/// prefetch.
typealias Slot = Atomic<UInt64>

/// The memory of one shard's tables. Owned by the shard, guarded by its lock.
///
/// 1. Once mapped, an address stays readable until `release`, so that a reader without a lock
///    meets a stale slot or zero, never a fault. What a smaller or larger table left behind is
///    handed to the kernel (it reads as zero then, and takes no memory) and kept for the next
///    table of its size.
/// 2. At most two tables of one size are ever mapped, so the address space is bounded by four
///    times the largest table.
struct SlotPages: ~Copyable {
  /// A table of 512 slots fills one page.
  static let minCapacityLog2 = 9
  static let maxCapacityLog2 = 40
  static let slotsPerPage = 512

  /// Two for each size; the kernel's zeroed memory, or `nil`.
  private let spares: UnsafeMutablePointer<UnsafeMutablePointer<Slot>?>
  private let spareCount: Int

  init() {
    spareCount = (Self.maxCapacityLog2 &+ 1) &* 2
    spares = .allocate(capacity: spareCount)
    spares.initialize(repeating: nil, count: spareCount)
  }

  /// An empty table of `1 << capacityLog2` slots.
  mutating func take(capacityLog2: Int) -> UnsafeMutablePointer<Slot> {
    precondition(capacityLog2 >= Self.minCapacityLog2 && capacityLog2 <= Self.maxCapacityLog2)
    for place in [capacityLog2 &* 2, capacityLog2 &* 2 &+ 1] {
      if let spare = spares[place] {
        spares[place] = nil
        return spare
      }
    }
    let bytes = 8 << capacityLog2
    let memory = mmap(nil, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
    guard let memory, memory != MAP_FAILED else {
      fatalError("out of memory: a table of \(bytes) bytes")
    }
    return memory.bindMemory(to: Slot.self, capacity: 1 << capacityLog2)
  }

  /// Hands the slots `from ..< to`, whole pages, to the kernel: nobody needs them any more.
  static func discard(_ slots: UnsafeMutablePointer<Slot>, from: Int, to: Int) {
    precondition(from % slotsPerPage == 0 && to % slotsPerPage == 0)
    if from < to { madvise(slots + from, (to &- from) &* 8, MADV_DONTNEED) }
  }

  /// Takes back a table whose pages have all been discarded.
  mutating func give(_ slots: UnsafeMutablePointer<Slot>, capacityLog2: Int) {
    let first = capacityLog2 &* 2
    if spares[first] == nil {
      spares[first] = slots
    } else {
      precondition(spares[first &+ 1] == nil, "a third table of one size")
      spares[first &+ 1] = slots
    }
  }

  /// Unmaps what is spare. The tables in use must have been given back.
  mutating func release() {
    for place in 0..<spareCount {
      if let slots = spares[place] { munmap(slots, 8 << (place / 2)) }
    }
    spares.deallocate()
  }
}
