import RoostStore
import Testing

@Suite("Engine contract: lists") struct ContractListTests {
  @Test("Items go in one after the other, at either end", arguments: EngineUnderTest.all)
  func push(engine: EngineUnderTest) throws {
    let store = engine.start()
    #expect(try store.push("list", ["c", "d"]).length == 2)
    #expect(try store.push("list", ["b", "a"], at: .front).length == 4)
    #expect(try store.push("list", ["e"], at: .back).length == 5)
    #expect(try store.items("list") == ["a", "b", "c", "d", "e"])
    #expect(try store.value("list") == ["a", "b", "c", "d", "e"])
  }

  @Test("Items come out in the order in which they are popped", arguments: EngineUnderTest.all)
  func pop(engine: EngineUnderTest) throws {
    let store = engine.start()
    let revision = try store.push("list", ["a", "b", "c", "d", "e", "f"]).revision
    #expect(try store.pop("list") == PopAnswer(items: ["f"], length: 5, revision: revision + 1))
    #expect(try store.pop("list", from: .front).items == ["a"])
    #expect(try store.pop("list", from: .back, count: 2).items == ["e", "d"])
    #expect(try store.pop("list", from: .front, count: 9).items == ["b", "c"])
  }

  @Test(
    "A list that becomes empty is deleted, and a new one begins anew",
    arguments: EngineUnderTest.all)
  func empty(engine: EngineUnderTest) throws {
    let store = engine.start()
    for side in [ListSide.front, .back] {
      try store.push("list", ["a", "b"], expires: .after(100))
      #expect(try store.pop("list", from: side, count: 2).length == 0)
      #expect(try store.get("list") == nil)
      #expect(try store.listRange("list").found == false)
      #expect(try store.count() == 0)
      let revision = try store.push("list", ["c"]).revision
      let entry = try #require(try store.get("list"))
      #expect(entry.version == 1 && entry.createRevision == revision && entry.expiresAtMillis == 0)
      try store.delete("list")
    }
  }

  @Test("A list may be asked to exist before a push", arguments: EngineUnderTest.all)
  func mustExist(engine: EngineUnderTest) throws {
    let store = engine.start()
    try store.expectRefusal(.notFound) { try store.push("list", ["a"], mustExist: true) }
    try store.push("list", ["a"])
    #expect(try store.push("list", ["b"], mustExist: true).length == 2)
  }

  @Test("A push trims from the other end", arguments: EngineUnderTest.all)
  func trim(engine: EngineUnderTest) throws {
    let store = engine.start()
    #expect(try store.push("list", ["a", "b", "c", "d"], maxLength: 3).length == 3)
    #expect(try store.items("list") == ["b", "c", "d"])
    #expect(try store.push("list", ["x", "y"], at: .front, maxLength: 4).length == 4)
    #expect(try store.items("list") == ["y", "x", "b", "c"])
    #expect(try store.push("list", ["z"], maxLength: 100).length == 5)
    #expect(try store.push("list", ["1", "2", "3"], at: .front, maxLength: 1).length == 1)
    #expect(try store.items("list") == ["3"])
    #expect(try store.push("list", ["4"], maxLength: .max).length == 2)
  }

  @Test(
    "A list operation on another value is refused", arguments: EngineUnderTest.all, KeyState.present
  )
  func wrongType(engine: EngineUnderTest, state: KeyState) throws {
    guard state != .list else { return }
    let store = engine.start()
    let found = try #require(try state.prepare("key", in: store)?.value).kind
    let error = StoreError.wrongType(found: found, needed: .list)
    try store.expectRefusal(error) { try store.push("key", ["a"]) }
    try store.expectRefusal(error) { try store.push("key", ["a"], mustExist: true) }
    try store.expectRefusal(error) { try store.pop("key") }
    try store.expectRefusal(error) { try store.listRange("key") }
    try store.expectRefusal(.stepFailed(index: 0, error)) {
      try store.transact(then: [.pop("key")])
    }
  }

  @Test(
    "A range is inclusive at both ends and counts from either end of the list",
    arguments: EngineUnderTest.all)
  func ranges(engine: EngineUnderTest) throws {
    let store = engine.start()
    let items: [Bytes] = ["a", "b", "c", "d", "e"]
    try store.push("list", items)
    for start in [.min, .min + 1, -7, -6, -5, -4, -1, 0, 1, 4, 5, 6, .max] as [Int64] {
      for stop in [.min, .min + 1, -7, -6, -5, -4, -1, 0, 1, 4, 5, 6, .max] as [Int64] {
        let low = max(start < 0 ? max(start, -5) + 5 : start, 0)
        let high = stop < 0 ? max(stop, -6) + 5 : min(stop, 4)
        let expected = low <= high ? Array(items[Int(low)...Int(high)]) : []
        let answer = try store.listRange("list", start, stop)
        #expect(answer.items == expected, "\(start)...\(stop)")
        #expect(answer.found && answer.length == 5)
      }
    }
  }

  @Test("Items keep their bytes: empty, NUL, not UTF-8, long", arguments: EngineUnderTest.all)
  func itemBytes(engine: EngineUnderTest) throws {
    let store = engine.start()
    let items: [Bytes] = [[], [0], [0xff, 0xfe], Bytes(repeating: 3, count: 1 << 20), "", "x"]
    try store.push("list", items)
    try store.push("list", items.reversed(), at: .front)
    #expect(try store.items("list") == items + items)
    #expect(try store.pop("list", from: .front, count: 6).items == items)
    #expect(try store.pop("list", count: 6).items == items.reversed())
  }

  @Test("A list longer or larger than allowed is refused whole", arguments: EngineUnderTest.all)
  func limits(engine: EngineUnderTest) throws {
    var options = EngineUnderTest.Options()
    options.maxListItems = 5
    options.maxListBytes = 100
    let store = engine.start(options)
    try store.push("list", ["a", "b", "c", "d"])
    for side in [ListSide.front, .back] {
      try store.expectRefusal(.listTooLong(items: 6, limit: 5)) {
        try store.push("list", ["e", "f"], at: side)
      }
    }
    #expect(try store.push("list", ["e"]).length == 5)
    #expect(try store.push("list", ["f", "g"], maxLength: 5).length == 5)
    #expect(try store.items("list") == ["c", "d", "e", "f", "g"])
    try store.expectRefusal(.listTooLong(items: 6, limit: 5)) {
      try store.push("new", ["1", "2", "3", "4", "5", "6"])
    }
    try store.expectRefusal(.listTooLong(items: 6, limit: 5)) {
      try store.set("new", ["1", "2", "3", "4", "5", "6"])
    }
    let error = #expect(throws: StoreError.self) {
      try store.push("large", [Bytes(repeating: 1, count: 60), Bytes(repeating: 1, count: 60)])
    }
    guard case .listTooLarge(_, limit: 100) = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(try store.get("large") == nil)
  }

  @Test(
    "A long list grows and shrinks at both ends like an array", arguments: EngineUnderTest.all,
    [seed()])
  func longList(engine: EngineUnderTest, seed: UInt64) throws {
    let store = engine.start()
    var random = SeededRandom(seed)
    var expected: [Bytes] = []
    var next = 0
    for step in 0..<2_000 {
      let side: ListSide = random.oneIn(2) ? .front : .back
      if random.oneIn(step < 1_000 ? 3 : 2) {
        let count = random.int(1...(random.oneIn(50) ? 1_000 : 20))
        let answer = try store.pop("list", from: side, count: count)
        let popped =
          side == .front
          ? Array(expected.prefix(count)) : Array(expected.suffix(count).reversed())
        if side == .front {
          expected.removeFirst(popped.count)
        } else {
          expected.removeLast(popped.count)
        }
        #expect(answer.items == popped, "step \(step), seed \(seed)")
        #expect(answer.length == Int64(expected.count))
      } else {
        let items = (0..<random.int(1...(random.oneIn(50) ? 1_000 : 20))).map { _ -> Bytes in
          next += 1
          return Bytes(repeating: UInt8(next & 0xff), count: random.int(0...12)) + "\(next)"
        }
        let trim = random.oneIn(10) ? random.int(1...500) : 0
        expected = side == .front ? items.reversed() + expected : expected + items
        if trim > 0, expected.count > trim {
          expected = Array(side == .front ? expected.prefix(trim) : expected.suffix(trim))
        }
        let answer = try store.push("list", items, at: side, maxLength: Int64(trim))
        #expect(answer.length == Int64(expected.count))
      }
      if step % 100 == 0 || step > 1_990 { #expect(try store.items("list") == expected) }
      if !expected.isEmpty {
        let index = random.int(0...expected.count - 1)
        #expect(try store.listRange("list", Int64(index), Int64(index)).items == [expected[index]])
      }
    }
  }

  @Test(
    "Two hundred thousand items go through a list at both ends without delay",
    arguments: EngineUnderTest.all)
  func constantTimeEnds(engine: EngineUnderTest) throws {
    let store = engine.start()
    let thousand = (0..<1_000).map { Bytes("item \($0)") }
    for side in [ListSide.back, .front] {
      for _ in 0..<100 { try store.push("list", thousand, at: side) }
    }
    let elapsed = try cpuTime {
      for _ in 0..<2_000 {
        try store.push("list", ["x"], at: .front)
        try store.push("list", ["y"], at: .back)
        #expect(try store.pop("list", from: .front).items == ["x"])
        #expect(try store.pop("list", from: .back).items == ["y"])
      }
    }
    #expect(elapsed < .seconds(5), "an operation at an end must not walk the list")
    #expect(try store.listRange("list", 0, 0).length == 200_000)
    #expect(try store.listRange("list", 150_500, 150_500).items == ["item 500"])
  }
}
