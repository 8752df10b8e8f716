import Synchronization
import Testing

@testable import RoostStore

/// Whether slots come from slabs: not where it is compiled with ROOST_PLAIN_HEAP.
private var hasSlabs: Bool { SlabHeap.maxSlotBytes > 0 }

@Suite("The slab heap", .enabled(if: hasSlabs)) struct MemoryHeapTests {
  @Test("Each size fits its class, and wastes an eighth at most")
  func classes() {
    var last = 0
    for bytes in 1...SlabHeap.maxSlotBytes {
      let sizeClass = SlabHeap.sizeClass(bytes)
      let slot = SlabHeap.slotBytes(sizeClass)
      #expect(slot >= bytes && slot % 8 == 0 && sizeClass > 0)
      #expect(slot - bytes < max(8, bytes / 8 + 1), "\(bytes) in \(slot)")
      #expect(slot >= last)
      last = slot
    }
    #expect(SlabHeap.sizeClass(SlabHeap.maxSlotBytes + 1) == 0)
    #expect(SlabHeap.slotBytes(SlabHeap.sizeClass(168)) == 168)
  }

  @Test("Allocations never overlap, keep their bytes, and are counted to zero", arguments: 0..<4)
  func random(round: UInt64) {
    var random = SeededRandom(seed() &+ round)
    let pool = SlabPool()
    var heap = SlabHeap(pool: pool)
    var live: [(memory: UnsafeMutableRawPointer, bytes: Int, mark: UInt8)] = []
    var counted = 0
    for phase in 0..<8 {
      let allocations = phase % 2 == 0 ? 8 : 2
      for _ in 0..<4_000 {
        if live.isEmpty || random.int(1...10) <= allocations {
          let bytes = random.int(1...random.pick([40, 300, 2_000, 12_000]))
          let memory = heap.allocate(bytes)
          #expect(Int(bitPattern: memory) % 8 == 0)
          let mark = UInt8(truncatingIfNeeded: random.next())
          memory.initializeMemory(as: UInt8.self, repeating: mark, count: bytes)
          live.append((memory, bytes, mark))
          if bytes <= SlabHeap.maxSlotBytes { counted += SlabHeap.cost(bytes) }
        } else {
          let (memory, bytes, mark) = live.remove(at: random.int(0...live.count - 1))
          let held = UnsafeRawBufferPointer(start: memory, count: bytes)
          #expect(held.allSatisfy { $0 == mark })
          heap.release(memory, bytes: bytes)
          if bytes <= SlabHeap.maxSlotBytes { counted -= SlabHeap.cost(bytes) }
        }
      }
      #expect(heap.bytes >= counted)
    }
    for (memory, bytes, _) in live.shuffled(using: &random) { heap.release(memory, bytes: bytes) }
    #expect(heap.bytes == 0)
    heap.release()
  }

  @Test("Slabs that are emptied serve other sizes")
  func reuse() {
    let pool = SlabPool()
    var heap = SlabHeap(pool: pool)
    for bytes in [64, 168, 1_000, 5_000, 64] {
      let memory = (0..<(4 << 20) / bytes).map { _ in heap.allocate(bytes) }
      let slabs = Set(memory.map { Int(bitPattern: $0) / SlabPool.slabBytes })
      #expect(slabs.count <= (4 << 20) / SlabPool.slabBytes * 5 / 4)
      #expect(pool.mappedBytes <= 6 << 20, "each size uses the slabs of the one before")
      for slot in memory { heap.release(slot, bytes: bytes) }
    }
    #expect(heap.bytes == 0)
    heap.release()
  }

  @Test("A store that has grown is given huge pages, ahead of need, and keeps few slabs idle")
  func hugePages() {
    let pool = SlabPool()
    #expect(!pool.isLow)
    var slabs: [UnsafeMutableRawPointer] = []
    while !pool.isLow { slabs.append(pool.take()) }
    #expect(slabs.count >= 100 && pool.mappedBytes <= (slabs.count + 8) * SlabPool.slabBytes)
    for _ in 0..<10 {
      pool.refill()
      #expect(!pool.isLow)
      while !pool.isLow { slabs.append(pool.take()) }
    }
    #expect(Set(slabs).count == slabs.count)
    for slab in slabs {
      #expect(Int(bitPattern: slab) % SlabPool.slabBytes == 0)
      slab.initializeMemory(as: UInt8.self, repeating: 1, count: SlabPool.slabBytes)
    }
    let mapped = pool.mappedBytes
    for slab in slabs { pool.give(slab) }
    pool.refill()
    slabs = slabs.map { _ in pool.take() }
    #expect(pool.mappedBytes == mapped, "what was given back is used first")
  }

  @Test("The pool says when it becomes low, once")
  func low() {
    let pool = SlabPool()
    let calls = Atomic(0)
    pool.whenLow { calls.add(1, ordering: .relaxed) }
    for _ in 0..<200 { _ = pool.take() }
    #expect(calls.load(ordering: .relaxed) >= 1)
    pool.refill()
    let before = calls.load(ordering: .relaxed)
    while !pool.isLow { _ = pool.take() }
    #expect(calls.load(ordering: .relaxed) == before + 1)
  }
}
