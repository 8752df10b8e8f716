import Testing

@testable import RoostStore

@Suite("The arena that answers are made in") struct ContractArenaTests {
  @Test("Memory is aligned, apart, and stays as it was written until the reset")
  func allocation() {
    let arena = ReplyArena(budgetBytes: 1 << 20, blockBytes: 4_096)
    var random = SeededRandom(seed())
    for _ in 0..<20 {
      var blocks: [(memory: UnsafeMutableRawPointer, count: Int)] = []
      for number in 0..<200 {
        let count = random.int(0...random.pick([1, 40, 5_000]))
        let memory = arena.allocate(count)
        #expect(Int(bitPattern: memory) % 16 == 0)
        memset(memory, UInt8(number), count)
        blocks.append((memory, count))
      }
      for (number, block) in blocks.enumerated() {
        let bytes = UnsafeRawBufferPointer(start: block.memory, count: block.count)
        #expect(bytes.allSatisfy { $0 == UInt8(number) })
      }
      arena.reset()
    }
  }

  @Test("A copy is apart from what it copies; of nothing it is empty")
  func copies() {
    let arena = ReplyArena(budgetBytes: 0)
    var bytes: [UInt8] = [1, 2, 3]
    let copy = bytes.withUnsafeBytes { arena.copy($0) }
    bytes[0] = 9
    #expect(Array(copy) == [1, 2, 3])
    #expect(arena.copy(UnsafeRawBufferPointer(start: nil, count: 0)).isEmpty)
  }

  @Test("Charges end at the budget, to the byte, and begin anew after a reset")
  func charges() throws {
    let arena = ReplyArena(budgetBytes: 100)
    try arena.charge(60)
    #expect(arena.tryCharge(40))
    #expect(!arena.tryCharge(1))
    #expect(arena.chargedBytes == 100)
    #expect(throws: StoreError.replyTooLarge(bytes: 105, limit: 100)) { try arena.charge(5) }
    try arena.charge(0)
    arena.show(7)
    arena.reset()
    #expect(arena.chargedBytes == 0 && arena.shownRevision == 0)
    try arena.charge(100)
  }

  private func memset(_ memory: UnsafeMutableRawPointer, _ byte: UInt8, _ count: Int) {
    memory.initializeMemory(as: UInt8.self, repeating: byte, count: count)
  }
}
