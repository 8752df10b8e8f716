import RoostStore
import Testing

@Suite("Engine contract: what is counted") struct ContractMemoryTests {
  @Test("Keys are counted exactly", arguments: EngineUnderTest.all)
  func keyCount(engine: EngineUnderTest) throws {
    let store = engine.start()
    let keys = numberedKeys(3_000)
    for (number, key) in keys.enumerated() {
      try store.set(key, 1)
      #expect(store.engine.status().keyCount == Int64(number + 1))
    }
    for key in keys { try store.set(key, 2) }
    #expect(store.engine.status().keyCount == 3_000)
    for (number, key) in keys.enumerated() {
      try store.delete(key)
      try store.delete(key)
      #expect(store.engine.status().keyCount == Int64(2_999 - number))
    }
  }

  @Test(
    "Memory grows with what is stored and is given back by every way of deleting",
    arguments: EngineUnderTest.all, 0..<6)
  func memoryReturns(engine: EngineUnderTest, way: Int) throws {
    let store = engine.start()
    let keys = numberedKeys(2_000)
    func fill() throws {
      for (number, key) in keys.enumerated() {
        switch number % 4 {
        case 0: try store.set(key, .bytes(Bytes(repeating: 1, count: 200)), expires: .after(1_000))
        case 1:
          try store.push(key, ["a", "b", Bytes(repeating: 2, count: 300)], expires: .after(1_000))
        case 2: try store.increment(key, expires: .after(1_000))
        default: try store.set(key, "text", expires: .after(1_000))
        }
      }
    }
    func clear() throws {
      switch way {
      case 0: for key in keys { try store.delete(key) }
      case 1: for key in keys.shuffled() { try store.delete(key) }
      case 2: try store.deleteRange(.all)
      case 3: for key in keys { try store.touch(key, expires: .at(1)) }
      case 4: for key in keys { try store.transact(then: [.delete(key)]) }
      default: store.clock.advance(millis: 1_000)
      }
      store.sweep()
    }
    let empty = store.engine.status().memoryBytes
    try fill()
    let full = store.engine.status().memoryBytes
    #expect(full - empty > 500 * 200 + 500 * 300 + 2_000 * 10)
    try clear()
    let first = store.engine.status().memoryBytes
    #expect(store.engine.status().keyCount == 0)
    #expect(first - empty < (full - empty) / 10)
    for _ in 0..<5 {
      try fill()
      try clear()
    }
    // What stays (an emptied table's smallest size) does not grow from round to round.
    #expect(store.engine.status().memoryBytes <= first)
  }

  @Test("Overwriting and trimming give back what they replace", arguments: EngineUnderTest.all)
  func overwriting(engine: EngineUnderTest) throws {
    let store = engine.start()
    try store.set("key", 1)
    try store.push("list", ["first"])
    let small = store.engine.status().memoryBytes
    for count in [10, 100_000, 5, 1_000_000, 0] {
      try store.set("key", .bytes(Bytes(repeating: 1, count: count)))
      try store.push("list", [Bytes(repeating: 1, count: count)])
    }
    #expect(store.engine.status().memoryBytes > small + 1_000_000)
    try store.set("key", 1)
    try store.push("list", ["first"], maxLength: 1)
    #expect(store.engine.status().memoryBytes < small + 4_096)
  }

  @Test(
    "A full store refuses what would grow it and takes what shrinks it",
    arguments: EngineUnderTest.all)
  func exhausted(engine: EngineUnderTest) throws {
    let store = engine.start(\.maxMemoryBytes, 2 << 20)
    let block = StoreValue.bytes(Bytes(repeating: 1, count: 50_000))
    let keys = numberedKeys(200)
    var stored = 0
    #expect(throws: StoreError.memoryExhausted) {
      for key in keys {
        try store.set(key, block)
        stored += 1
      }
    }
    #expect(stored > 20 && stored < 42)
    #expect(store.engine.status().memoryBytes <= 2 << 20)
    let list = [Bytes](repeating: Bytes(repeating: 1, count: 50_000), count: 3)
    try store.expectRefusal(.memoryExhausted) { try store.push("list", list) }
    try store.expectRefusal(.stepFailed(index: 0, .memoryExhausted)) {
      try store.transact(then: [.set("new", block)])
    }
    #expect(try store.get(keys[0]) != nil)
    #expect(try store.delete(keys[0]).deleted)
    #expect(try store.delete(keys[1]).deleted)
    #expect(try store.set("new", block).created)
    try store.deleteRange(.all)
    #expect(try store.set(keys[0], block).created)
  }
}
