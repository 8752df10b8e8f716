import CProtobufC
import ProtobufC
import Testing

@Suite("The arena")
struct ArenaTests {
  @Test("Allocations are 8-aligned, disjoint, and know their size", arguments: [0, 1, 7, 8, 4000])
  func layout(bytes: Int) throws {
    let arena = Arena(blockBytes: 1024)
    let first = try #require(arena.allocate(bytes))
    let second = try #require(arena.allocate(bytes))
    for allocation in [first, second] {
      #expect(Int(bitPattern: allocation) % 8 == 0)
      #expect(protobuf_c_arena_allocation_size(allocation) == bytes)
    }
    let distance = abs(second - first)
    #expect(distance >= bytes + 8)
    first.initializeMemory(as: UInt8.self, repeating: 1, count: bytes)
    second.initializeMemory(as: UInt8.self, repeating: 2, count: bytes)
    #expect(protobuf_c_arena_allocation_size(first) == bytes)
    #expect(UnsafeRawBufferPointer(start: first, count: bytes).allSatisfy { $0 == 1 })
  }

  @Test("A call is refused memory over its budget, and the next one has the whole budget again")
  func budget() {
    let arena = Arena(blockBytes: 256, budgetBytes: 1000)
    arena.beginCall()
    #expect(arena.allocate(600) != nil)
    #expect(arena.allocate(600) == nil)
    #expect(arena.exceededBudget)
    #expect(arena.allocate(300) != nil, "what still fits is given")
    arena.beginCall()
    #expect(!arena.exceededBudget)
    #expect(arena.allocate(900) != nil)
    #expect(arena.allocate(900) == nil)
  }

  @Test(
    "Small allocations never take more than the budget together, whatever the block size",
    arguments: [64, 100, 4096, 1 << 20])
  func budgetOfSmallAllocations(blockBytes: Int) {
    let arena = Arena(blockBytes: blockBytes, budgetBytes: 100_000)
    for _ in 0..<3 {
      arena.beginCall()
      let before = arena.usedBytes
      var count = 0
      while arena.allocate(24) != nil { count += 1 }
      #expect(arena.exceededBudget)
      #expect(arena.usedBytes - before <= 100_000)
      #expect(count == 100_000 / 32)
    }
  }

  @Test("A size near the top of the address space is refused, not wrapped around")
  func hugeSize() {
    let arena = Arena(blockBytes: 1024, budgetBytes: .max)
    #expect(arena.allocate(.max) == nil)
    #expect(arena.exceededBudget)
    #expect(throws: DecodeError.overBudget(bytes: .max)) {
      try arena.allocate(Int64.self, count: .max / 2)
    }
    #expect(arena.allocate(8) != nil)
  }

  @Test("What was handed out before stays as it was while blocks are added")
  func stability() throws {
    let arena = Arena(blockBytes: 128)
    var random = SeededRandom(seed: 1)
    var all: [(UnsafeMutableRawPointer, Int, UInt8)] = []
    for index in 0..<2000 {
      let count = Int.random(in: 0...300, using: &random)
      let memory = try #require(arena.allocate(count))
      memory.initializeMemory(as: UInt8.self, repeating: UInt8(index % 256), count: count)
      all.append((memory, count, UInt8(index % 256)))
    }
    for (memory, count, byte) in all {
      #expect(UnsafeRawBufferPointer(start: memory, count: count).allSatisfy { $0 == byte })
    }
  }

  @Test("A reset hands out the same memory again and counts from zero")
  func reset() {
    let arena = Arena(blockBytes: 1024)
    let first = arena.allocate(100)
    #expect(arena.usedBytes == 112)
    arena.reset()
    #expect(arena.usedBytes == 0)
    #expect(arena.allocate(100) == first)
  }

  @Test("The first block grows to what a tick needed, and no further than what may be retained")
  func retention() {
    let arena = Arena(blockBytes: 1024, retainedBytes: 16 << 10)
    #expect(arena.retainedBlockBytes == 1024)
    for _ in 0..<100 { _ = arena.allocate(100) }
    arena.reset()
    #expect(arena.retainedBlockBytes == 16 << 10)
    _ = arena.allocate(1 << 20)
    arena.reset()
    #expect(arena.retainedBlockBytes == 16 << 10)
  }
}
