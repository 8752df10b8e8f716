import RoostStore
import Testing

@Suite("Engine contract: lifetimes") struct ContractExpirationTests {
  @Test(
    "A key is there up to its last millisecond and gone in the next, for every read",
    arguments: EngineUnderTest.all, [1, 2, 999, 1_000, 3_600_000, 315_576_000_000] as [Int64])
  func boundary(engine: EngineUnderTest, ttl: Int64) throws {
    let store = engine.start()
    try store.set("key", ["a"], expires: .after(ttl))
    #expect(try store.get("key")?.expiresAtMillis == store.now + ttl)
    store.clock.advance(millis: ttl - 1)
    #expect(try store.get("key") != nil)
    #expect(try store.count() == 1)
    #expect(try store.scanKeys(ScanCall()) == ["key"])
    store.clock.advance(millis: 1)
    #expect(try store.get("key") == nil)
    #expect(try store.batchGet(["key"]).entries == [nil])
    #expect(try store.count() == 0)
    #expect(try store.count(StoreRange(prefix: "k")) == 0)
    #expect(try store.scanKeys(ScanCall()).isEmpty)
    #expect(try store.scanKeys(ScanCall(reverse: true)).isEmpty)
    #expect(try store.listRange("key").found == false)
    #expect(try store.transact(then: [.get("key")]).results == [.get(nil)])
    #expect(try !store.transact(if: [.key("key", .exists(true))], then: []).succeeded)
    #expect(try store.deleteRange(.all, dryRun: true).deleted == 0)
  }

  @Test("A write meets an expired key as an absent one", arguments: EngineUnderTest.all)
  func writesMeetAbsence(engine: EngineUnderTest) throws {
    func expired(_ value: StoreValue) throws -> TestStore {
      let store = engine.start()
      try store.set("key", value, expires: .after(10))
      store.clock.advance(millis: 10)
      return store
    }
    #expect(try expired(1).set("key", 2).created)
    #expect(try expired(1).set("key", 2, if: .exists(false)).created)
    #expect(try expired(1).delete("key").deleted == false)
    #expect(try expired(5).increment("key", by: 2, initial: 10).value == 12)
    #expect(try expired(1).increment("key", by: 2).value == 2)
    #expect(try expired("text").increment("key").value == 1)
    #expect(try expired(1).touch("key", expires: .never).found == false)
    #expect(try expired(["a"]).push("key", ["b"]).length == 1)
    #expect(try expired("text").push("key", ["b"]).length == 1)
    #expect(try expired(["a"]).pop("key").items.isEmpty)
    #expect(try expired(1).deleteRange(.all).deleted == 0)
    for store in [try expired(["a"]), try expired(1)] {
      #expect(throws: StoreError.notFound) { try store.push("key", ["b"], mustExist: true) }
      #expect(throws: StoreError.notFound) { try store.set("key", 1, if: .exists(true)) }
      #expect(try store.set("key", 3, expires: .keep).created)
      #expect(try store.get("key")?.expiresAtMillis == 0)
      #expect(try store.get("key")?.version == 1)
    }
  }

  @Test("A set without an expiration takes the old one away", arguments: EngineUnderTest.all)
  func setClears(engine: EngineUnderTest) throws {
    let store = engine.start()
    try store.set("key", 1, expires: .after(10))
    try store.set("key", 2)
    #expect(try store.get("key")?.expiresAtMillis == 0)
    store.clock.advance(millis: 10)
    store.sweep()
    #expect(try store.value("key") == 2)
  }

  @Test(
    "A write that keeps the expiration leaves it to the millisecond", arguments: EngineUnderTest.all
  )
  func keeps(engine: EngineUnderTest) throws {
    let store = engine.start()
    let end = store.now + 100
    try store.set("set", 1, expires: .at(end))
    try store.set("int", 1, expires: .at(end))
    try store.push("list", ["a", "b"], expires: .at(end))
    store.clock.advance(millis: 30)
    try store.set("set", "longer than it was", expires: .keep)
    try store.increment("int")
    try store.push("list", ["c"])
    try store.pop("list")
    let kept = try #require(try store.get("set"))
    #expect(
      try store.touch("set", expires: .keep)
        == TouchAnswer(found: true, expiresAtMillis: end, revision: kept.revision))
    #expect(try store.get("set") == kept, "a touch that keeps is no change")
    for key in ["set", "int", "list"] as [Bytes] {
      #expect(try store.get(key)?.expiresAtMillis == end)
    }
    store.clock.advance(millis: 69)
    #expect(try store.count() == 3)
    store.clock.advance(millis: 1)
    #expect(try store.count() == 0)
  }

  @Test("Increment and push can set the end of a key, new or old", arguments: EngineUnderTest.all)
  func writesSetTheEnd(engine: EngineUnderTest) throws {
    let store = engine.start()
    for _ in 0..<2 {
      try store.increment("int", expires: .after(50))
      try store.push("list", ["a"], expires: .after(50))
      #expect(try store.get("int")?.expiresAtMillis == store.now + 50)
      #expect(try store.get("list")?.expiresAtMillis == store.now + 50)
      store.clock.advance(millis: 20)
    }
    try store.increment("int", expires: .never)
    try store.push("list", ["b"], expires: .never)
    #expect(try store.get("int")?.expiresAtMillis == 0)
    #expect(try store.get("list")?.expiresAtMillis == 0)
  }

  @Test("Touch changes the end and nothing of the value", arguments: EngineUnderTest.all)
  func touch(engine: EngineUnderTest) throws {
    let store = engine.start()
    try store.set("key", ["a", "b"])
    let before = try #require(try store.get("key"))
    store.clock.advance(millis: 3)
    let touched = try store.touch("key", expires: .after(100))
    #expect(touched.found && touched.expiresAtMillis == store.now + 100)
    #expect(touched.revision > before.revision)
    let after = try #require(try store.get("key"))
    #expect(after.value == before.value && after.createRevision == before.createRevision)
    #expect(after.revision == touched.revision && after.version == before.version + 1)
    #expect(after.createdAtMillis == before.createdAtMillis)
    #expect(after.updatedAtMillis == store.now)

    let end = store.now + 5
    #expect(try store.touch("key", expires: .at(end)).expiresAtMillis == end)
    #expect(try store.touch("key", expires: .never).expiresAtMillis == 0)
    store.clock.advance(millis: 1_000)
    #expect(try store.get("key") != nil)
  }

  @Test("A time in the past deletes at once", arguments: EngineUnderTest.all, KeyState.allCases)
  func past(engine: EngineUnderTest, state: KeyState) throws {
    for offset in [0, -1, -1_000_000_000] as [Int64] {
      let set = engine.start()
      let existed = try state.prepare("key", in: set) != nil
      set.sweep()
      let before = set.revision
      let answer = try set.set("key", "new", expires: .at(set.now + offset))
      #expect(answer == SetAnswer(revision: existed ? before + 1 : 0, created: false))
      #expect(set.revision == before + (existed ? 1 : 0))
      #expect(try set.get("key") == nil)
      #expect(try set.count() == 0)

      let touch = engine.start()
      let entry = try state.prepare("key", in: touch)
      #expect(try touch.touch("key", expires: .at(touch.now + offset)).found == (entry != nil))
      #expect(try touch.get("key") == nil)
      #expect(try touch.scanKeys(ScanCall()).isEmpty)
    }
  }

  @Test(
    "A time in the past deletes at once in an increment and in a push too",
    arguments: EngineUnderTest.all)
  func pastInOtherWrites(engine: EngineUnderTest) throws {
    let store = engine.start()
    #expect(try store.increment("int", by: 5, expires: .at(store.now)).value == 5)
    #expect(try store.get("int") == nil)
    try store.push("list", ["a"], expires: .at(1))
    #expect(try store.get("list") == nil)
    try store.increment("int")
    try store.push("list", ["a"])
    try store.increment("int", expires: .at(1))
    try store.push("list", ["a"], expires: .at(store.now - 1))
    #expect(try store.snapshot().isEmpty)
    store.sweep()
    #expect(store.engine.status().keyCount == 0)
  }

  @Test("A step of the wall clock expires nothing early or late", arguments: EngineUnderTest.all)
  func wallClockSteps(engine: EngineUnderTest) throws {
    for step in [86_400_000, -86_400_000] as [Int64] {
      let store = engine.start()
      try store.set("ttl", 1, expires: .after(1_000))
      try store.set("at", 1, expires: .at(store.now + 1_000))
      store.clock.stepWall(millis: step)
      store.sweep()
      #expect(try store.count() == 2)
      store.clock.advance(millis: 999)
      #expect(try store.count() == 2)
      store.clock.advance(millis: 1)
      #expect(try store.count() == 0)
    }
  }

  @Test(
    "After a step of the wall clock, ends are told by the new time", arguments: EngineUnderTest.all)
  func endsAfterAStep(engine: EngineUnderTest) throws {
    for step in [86_400_000, -86_400_000] as [Int64] {
      let store = engine.start()
      try store.set("old", 1, expires: .after(1_000))
      store.clock.stepWall(millis: step)
      store.sweep()
      #expect(try store.get("old")?.expiresAtMillis == store.now + 1_000)
      let end = store.now + 500
      try store.set("new", 1, expires: .at(end))
      #expect(try store.get("new")?.expiresAtMillis == end)
      #expect(try store.get("new")?.createdAtMillis == store.now)
      try store.set("old", 2, expires: .keep)
      store.clock.advance(millis: 499)
      #expect(try store.snapshot().map(\.key) == ["new", "old"])
      store.clock.advance(millis: 1)
      #expect(try store.snapshot().map(\.key) == ["old"])
      store.clock.advance(millis: 500)
      #expect(try store.snapshot().isEmpty)
    }
  }

  @Test(
    "The sweeper frees what expired; each key's end takes one revision",
    arguments: EngineUnderTest.all)
  func sweeperTakesRevisions(engine: EngineUnderTest) throws {
    let store = engine.start()
    for (number, key) in numberedKeys(300).enumerated() {
      try store.set(key, 1, expires: number % 3 == 0 ? .never : .after(Int64(number)))
    }
    let before = store.revision
    store.clock.advance(millis: 150)
    store.sweep()
    #expect(store.revision == before + 100)
    #expect(store.engine.status().keyCount == 200)
    store.clock.advance(millis: 150)
    store.sweep()
    store.sweep()
    #expect(store.revision == before + 200)
    #expect(store.engine.status().keyCount == 100)
    #expect(try store.count() == 100)
  }

  @Test("A write that meets an expired key first records its end", arguments: EngineUnderTest.all)
  func writeRecordsTheEnd(engine: EngineUnderTest) throws {
    let store = engine.start()
    let first = try store.set("key", 1, expires: .after(10)).revision
    store.clock.advance(millis: 10)
    #expect(try store.set("key", 2).revision == first + 2)
    store.sweep()
    #expect(store.revision == first + 2)
  }

  @Test(
    "A key that was touched later outlives its first end in the sweeper",
    arguments: EngineUnderTest.all)
  func sweeperSeesTheNewEnd(engine: EngineUnderTest) throws {
    let store = engine.start()
    try store.set("key", 1, expires: .after(10))
    for _ in 0..<20 {
      store.clock.advance(millis: 9)
      store.sweep()
      #expect(try store.touch("key", expires: .after(10)).found)
    }
    try store.set("key", 2, expires: .after(5))
    store.clock.advance(millis: 5)
    store.sweep()
    #expect(store.engine.status().keyCount == 0)
  }

  @Test(
    "The engine's own sweeper frees keys that have just expired, and those long overdue",
    arguments: EngineUnderTest.all, [50, 60_000])
  func backgroundSweeper(engine: EngineUnderTest, millis: Int64) async throws {
    let store = engine.start(\.sweepsInBackground, true)
    let keys = numberedKeys(1_000)
    for key in keys {
      try store.set(key, .bytes(Bytes(repeating: 1, count: 100)), expires: .after(50))
    }
    let full = store.engine.status()
    #expect(full.keyCount == 1_000)
    store.clock.advance(millis: millis)
    let end = ContinuousClock.now + .seconds(20)  // on a busy machine
    while store.revision < full.revision + 1_000, ContinuousClock.now < end {
      try await Task.sleep(for: .milliseconds(20))
    }
    #expect(store.revision == full.revision + 1_000)
    #expect(store.engine.status().keyCount == 0)
    #expect(store.engine.status().memoryBytes < full.memoryBytes)
  }
}
