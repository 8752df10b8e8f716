import RoostStore
import Testing

@Suite("Engine contract: values and their history") struct ContractValueTests {
  static let values: [StoreValue] = [
    .bytes([]), .bytes([0]), .bytes([0xff, 0, 0xfe]), "", "text", "\0", "h\u{e9}llo",
    .int(.min), .int(-1), 0, .int(.max), 0.0, -0.0, .double(.infinity), .double(.nan),
    .double(.leastNonzeroMagnitude), true, false, [], ["one"], ["", "\0", "three"],
    .bytes(Bytes(repeating: 7, count: 3 << 20)), .text(Bytes(repeating: 65, count: 1 << 20)),
    .list((0..<1_000).map { "item \($0)" }),
  ]

  @Test("Every kind of value comes back as it was set", arguments: EngineUnderTest.all, values)
  func roundTrip(engine: EngineUnderTest, value: StoreValue) throws {
    let store = engine.start()
    try store.set("key", value)
    #expect(try store.value("key") == value)
    #expect(try store.batchGet(["key"]).entries.map { $0?.value } == [value])
    #expect(try store.scan(ScanCall(maxPageBytes: 8 << 20)).entries.map(\.value) == [value])
    #expect(try store.transact(then: [.get("key")]).results.count == 1)
  }

  @Test(
    "A value of any kind replaces one of any other", arguments: EngineUnderTest.all, values)
  func replaces(engine: EngineUnderTest, value: StoreValue) throws {
    let store = engine.start()
    for other in Self.values {
      try store.set("key", value)
      try store.set("key", other)
      #expect(try store.value("key") == other)
    }
    #expect(try store.count() == 1)
  }

  @Test(
    "A list that is set empty is there, until something makes it empty",
    arguments: EngineUnderTest.all)
  func emptyList(engine: EngineUnderTest) throws {
    let store = engine.start()
    let revision = try store.set("key", []).revision
    #expect(try store.value("key") == [])
    #expect(
      try store.listRange("key")
        == ListRangeAnswer(found: true, items: [], length: 0, revision: revision))
    #expect(try store.pop("key") == PopAnswer(items: [], length: 0, revision: 0))
    #expect(try store.count() == 1)
    #expect(try store.push("key", ["a"], mustExist: true).length == 1)
    #expect(try store.pop("key").items == ["a"])
    #expect(try store.get("key") == nil)
  }

  @Test("Keys of any length and any bytes are apart", arguments: EngineUnderTest.all)
  func keys(engine: EngineUnderTest) throws {
    let store = engine.start()
    var keys: [Bytes] = [[0], [0, 0], [0xff], [0xff, 0xff], "a", "A", "a\0", "a\0b"]
    for count in [1, 7, 8, 9, 15, 16, 17, 63, 64, 65, 255, 256, 257, 4095, 4096] {
      keys.append(Bytes(repeating: 0x6b, count: count))
      keys.append(Bytes(repeating: 0x6b, count: count - 1) + [0])
    }
    let distinct = Set(keys)
    for key in distinct { try store.set(key, .bytes(key)) }
    for key in distinct { #expect(try store.value(key) == .bytes(key)) }
    #expect(try store.scanKeys(ScanCall(maxPageBytes: 1 << 30)) == distinct.sorted())
    for key in distinct { #expect(try store.delete(key).deleted) }
    #expect(try store.count() == 0)
  }

  @Test("An absent key is an answer, not an error", arguments: EngineUnderTest.all)
  func absent(engine: EngineUnderTest) throws {
    let store = engine.start()
    #expect(try store.get("key") == nil)
    #expect(try store.get("key", keysOnly: true) == nil)
    #expect(try store.batchGet(["key", "key"]).entries == [nil, nil])
    #expect(try store.delete("key") == DeleteAnswer(deleted: false, revision: 0))
    #expect(try store.pop("key") == PopAnswer(items: [], length: 0, revision: 0))
    #expect(try store.touch("key", expires: .never).found == false)
    let range = try store.listRange("key")
    #expect(!range.found && range.items.isEmpty && range.length == 0)
  }

  @Test("An entry keeps its history: revisions, version and times", arguments: EngineUnderTest.all)
  func history(engine: EngineUnderTest) throws {
    let store = engine.start()
    let created = store.now
    let first = try store.set("key", "1")
    store.clock.advance(millis: 5)
    let second = try store.set("key", 2, expires: .after(1_000))
    store.clock.advance(millis: 5)
    let third = try store.increment("key")
    var expected = StoredEntry(
      value: 3, revision: third.revision, createRevision: first.revision, version: 3,
      createdAtMillis: created, updatedAtMillis: created + 10, expiresAtMillis: created + 1_005)
    #expect(first.created && !second.created)
    #expect(first.revision < second.revision && second.revision < third.revision)
    #expect(try store.get("key") == expected)
    expected.value = nil
    #expect(try store.get("key", keysOnly: true) == expected)

    try store.delete("key")
    store.clock.advance(millis: 5)
    let again = try store.set("key", "again")
    #expect(again.created)
    #expect(
      try store.get("key")
        == StoredEntry(
          value: "again", revision: again.revision, createRevision: again.revision, version: 1,
          createdAtMillis: created + 15, updatedAtMillis: created + 15))
  }

  @Test("A write that asks for it gets the previous entry", arguments: EngineUnderTest.all)
  func previous(engine: EngineUnderTest) throws {
    let store = engine.start()
    #expect(try store.set("key", "1", returnPrevious: true).previous == nil)
    var before = try store.get("key")
    #expect(try store.set("key", ["a", "b"], returnPrevious: true).previous == before)
    #expect(try store.set("key", ["c"]).previous == nil)
    before = try store.get("key")
    #expect(try store.delete("key", returnPrevious: true).previous == before)
    #expect(try store.delete("key", returnPrevious: true).previous == nil)
    try store.set("key", "2", expires: .after(10))
    store.clock.advance(millis: 10)
    #expect(try store.set("key", "3", returnPrevious: true).previous == nil)
    #expect(try store.delete("key").previous == nil)
  }

  @Test(
    "A batch read answers in the request's order, with repetitions", arguments: EngineUnderTest.all)
  func batch(engine: EngineUnderTest) throws {
    let store = engine.start()
    let keys = numberedKeys(500)
    for (number, key) in keys.enumerated() { try store.set(key, .int(Int64(number))) }
    let asked = keys.reversed() + ["absent"] + keys
    let answer = try store.batchGet(asked)
    let values: [StoreValue?] = (0..<500).map { .int($0) }
    #expect(answer.entries.map { $0?.value } == values.reversed() + [nil] + values)
    #expect(answer.entries.allSatisfy { $0?.key.isEmpty ?? true })
    #expect(answer.revision == store.revision)
    #expect(try store.batchGet(keys, keysOnly: true).entries.allSatisfy { $0?.value == nil })
    #expect(try store.batchGet([]).entries.isEmpty)
  }

  @Test("A durability that the engine cannot give is refused", arguments: [EngineUnderTest.memory])
  func durability(engine: EngineUnderTest) throws {
    let store = engine.start()
    try store.set("key", 1, durability: .memory)
    for durability in [WriteDurability.logged, .synced] {
      try store.expectRefusal(.durabilityUnavailable(durability)) {
        try store.set("key", 2, durability: durability)
      }
    }
  }
}
