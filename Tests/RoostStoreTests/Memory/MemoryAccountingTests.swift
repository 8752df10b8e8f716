import RoostStore
import Testing

@Suite("The memory engine's accounting") struct MemoryAccountingTests {
  private static let engine = EngineUnderTest.memory

  @Test("Whatever is done at random, an emptied store takes what an empty one does")
  func returnsToZero() throws {
    var random = SeededRandom(seed())
    let store = Self.engine.start()
    let keys = numberedKeys(400)
    let empty = store.engine.status().memoryBytes
    for _ in 0..<3 {
      for _ in 0..<6_000 { try step(store, random.pick(keys), &random) }
      store.clock.advance(millis: 1_000)
      try store.deleteRange(.all)
      store.sweep()
      #expect(store.engine.status().keyCount == 0)
      #expect(store.engine.status().memoryBytes == empty)
    }
  }

  private func step(_ store: TestStore, _ key: Bytes, _ random: inout SeededRandom) throws {
    let bytes = Bytes(repeating: 1, count: random.int(0...random.pick([10, 200, 9_000])))
    let lifetimes: [StoreExpiration] = [
      .never, .never, .keep, .after(Int64(random.int(1...900))),
    ]
    let expiration = random.pick(lifetimes)
    let side = random.pick([ListSide.back, .front])
    switch random.int(0...9) {
    case 0, 1: try store.set(key, .bytes(bytes), expires: expiration)
    case 2: try store.set(key, .list([bytes, "b", bytes]), expires: expiration)
    case 3: try store.delete(key)
    case 4: _ = try? store.increment(key, expires: expiration)
    case 5, 6:
      let items = [Bytes](repeating: bytes, count: random.int(1...40))
      let maxLength = Int64(random.pick([0, 5, 50]))
      _ = try? store.push(key, items, at: side, expires: expiration, maxLength: maxLength)
    case 7: _ = try? store.pop(key, from: side, count: random.int(1...60))
    case 8: store.clock.advance(millis: Int64(random.int(0...30)))
    default:
      // Half of these fail at their last step and take everything back.
      let steps: [StoreOperation] = [
        .push(key, [bytes, "x"], at: side, maxLength: 3), .pop(key, from: side, count: 2),
        .set(key, .bytes(bytes)), .set(key + "new", 1), .delete(key),
        .set(key + "new", 2, if: .exists(random.oneIn(2))),
      ]
      _ = try? store.transact(then: steps)
      try store.delete(key + "new")
    }
  }

  @Test("A transaction that fails leaves lists, lifetimes and memory to the byte", arguments: 0..<4)
  func undo(round: UInt64) throws {
    var random = SeededRandom(seed() &+ round)
    let store = Self.engine.start(\.shardCount, 4)
    let keys = numberedKeys(12)
    for _ in 0..<150 {
      for key in keys where random.oneIn(4) {
        let items = (0..<random.int(1...300)).map { Bytes("item \($0)") }
        try store.set(
          key, .list(items), expires: random.pick([StoreExpiration.never, .after(1_000)]))
      }
      let steps = (0..<random.int(1...20)).map { _ -> StoreOperation in
        let key = random.pick(keys)
        let side = random.pick([ListSide.back, .front])
        switch random.int(0...5) {
        case 0: return .set(key, .list(["a", "b"]), expires: .after(50))
        case 1: return .delete(key)
        case 2: return .pop(key, from: side, count: random.int(1...400))
        default:
          let items = (0..<random.int(1...50)).map { Bytes("pushed \($0)") }
          return .push(key, items, at: side, maxLength: Int64(random.pick([0, 1, 40, 200])))
        }
      }
      let before = try store.snapshot()
      let revision = store.revision
      let create = StoreOperation.set("absent", 1, if: .exists(false))
      #expect(throws: StoreError.stepFailed(index: steps.count + 1, .alreadyExists)) {
        try store.transact(then: steps + [create, create])
      }
      #expect(try store.snapshot() == before)
      #expect(store.revision == revision)
    }
    try store.deleteRange(.all)
    store.sweep()
    #expect(
      store.engine.status().memoryBytes
        == Self.engine.start(\.shardCount, 4).engine.status().memoryBytes)
  }

  @Test("A long list that is deleted is freed in steps, and completely")
  func lazyFree() throws {
    let store = Self.engine.start()
    let empty = store.engine.status().memoryBytes
    let items = [Bytes](repeating: Bytes(repeating: 1, count: 1_000), count: 1_000)
    for _ in 0..<10 { try store.push("list", items) }
    let full = store.engine.status().memoryBytes
    try store.delete("list")
    #expect(store.engine.status().memoryBytes > full - 1_000_000)
    store.sweep()
    #expect(store.engine.status().memoryBytes == empty)
  }

  @Test("A step of the wall clock neither ends nor prolongs a lifetime, and shows in times")
  func clockStep() throws {
    let store = Self.engine.start()
    let start = store.now
    try store.set("after", 1, expires: .after(10_000))
    try store.set("at", 1, expires: .at(start + 10_000))
    store.clock.stepWall(millis: 3_600_000)
    store.sweep()
    #expect(try store.get("after")?.expiresAtMillis == start + 3_610_000)
    try store.set("later", 1, expires: .at(store.now + 500))
    #expect(try store.get("later")?.expiresAtMillis == store.now + 500)
    store.clock.advance(millis: 499)
    #expect(try store.get("later") != nil)
    store.clock.advance(millis: 1)
    #expect(try store.get("later") == nil)
    store.clock.stepWall(millis: -7_200_000)
    store.clock.advance(millis: 9_499)
    #expect(try store.get("after") != nil)
    #expect(try store.get("at") != nil)
    store.clock.advance(millis: 1)
    #expect(try store.get("after") == nil)
    #expect(try store.get("at") == nil)
  }

  @Test("A mass expiry is invisible at once and counted out before it is swept")
  func massExpiry() throws {
    let store = Self.engine.start()
    for key in numberedKeys(5_000, prefix: "a:") { try store.set(key, 1, expires: .after(10)) }
    for key in numberedKeys(50, prefix: "b:") { try store.set(key, 1) }
    store.clock.advance(millis: 10)
    let revision = store.revision
    #expect(store.engine.status().keyCount == 50)
    #expect(try store.count(.all) == 50)
    #expect(store.revision == revision, "a count of everything sweeps nothing")
    #expect(try store.count(StoreRange(prefix: "a:")) == 0)
    #expect(store.revision == revision + 5_000)
    #expect(try store.deleteRange(.all, maxKeys: 50).deleted == 50)
  }
}
