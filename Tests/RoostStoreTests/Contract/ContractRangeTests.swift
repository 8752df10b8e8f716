import RoostStore
import Testing

@Suite("Engine contract: count and delete over a range") struct ContractRangeTests {
  /// Keys around every border that a prefix or a range can have.
  static let keys: [Bytes] = [
    [0], [0, 0], "a", "a\0", "a\u{1}", "aa", "ab", "ab\0", "abc", "ac", "b", "ba",
    [0x61, 0xff], [0x61, 0xff, 0xff], [0x61, 0xff, 0xff, 0], [0xfe], [0xff], [0xff, 0],
    [0xff, 0xfe], [0xff, 0xff], [0xff, 0xff, 0xff],
  ]
  static let ranges: [StoreRange] =
    [.all]
    + (keys + ["zz", "ab\u{1}", [0xff, 0xff, 0xff, 0xff]]).map { StoreRange(prefix: $0) }
    + [
      StoreRange(start: "a"), StoreRange(start: "aa", end: "b"), StoreRange(end: "ab"),
      StoreRange(start: "ab", end: "ab"), StoreRange(start: "b", end: "a"),
      StoreRange(start: "a", end: "a\0"), StoreRange(start: [0x61, 0xff], end: [0xff, 0xff]),
      StoreRange(start: [0xff, 0xff]), StoreRange(start: "zzz"), StoreRange(end: [0]),
      StoreRange(start: "c", end: "d"), StoreRange(start: [0xff, 0xff, 0xff, 0xff]),
    ]

  static func fill(_ store: TestStore) throws {
    for key in keys { try store.set(key, .bytes(key)) }
  }

  @Test("Count and scan agree with the range's definition", arguments: EngineUnderTest.all, ranges)
  func countsAndScans(engine: EngineUnderTest, range: StoreRange) throws {
    let store = engine.start()
    try Self.fill(store)
    let expected = Self.keys.filter(range.contains).sorted()
    #expect(try store.count(range) == Int64(expected.count))
    for pageSize in [1, 2, 3, 100] {
      #expect(try store.scanKeys(ScanCall(range: range, pageSize: pageSize)) == expected)
      #expect(
        try store.scanKeys(ScanCall(range: range, reverse: true, pageSize: pageSize))
          == expected.reversed())
    }
  }

  @Test("A range is deleted exactly, in one revision", arguments: EngineUnderTest.all, ranges)
  func deletes(engine: EngineUnderTest, range: StoreRange) throws {
    let store = engine.start()
    try Self.fill(store)
    let gone = Int64(Self.keys.filter(range.contains).count)
    let before = store.revision
    #expect(
      try store.deleteRange(range, dryRun: true) == DeleteRangeAnswer(deleted: gone, revision: 0))
    #expect(try store.count() == Int64(Self.keys.count))
    let answer = try store.deleteRange(range)
    #expect(answer == DeleteRangeAnswer(deleted: gone, revision: gone == 0 ? 0 : before + 1))
    #expect(
      try store.scanKeys(ScanCall()) == Self.keys.filter { !range.contains($0) }.sorted())
  }

  @Test(
    "Over its limit a delete range does nothing, at it everything", arguments: EngineUnderTest.all)
  func limit(engine: EngineUnderTest) throws {
    let store = engine.start()
    for key in numberedKeys(50) { try store.set(key, 1) }
    try store.set("other", 1)
    let range = StoreRange(prefix: "key:")
    try store.expectRefusal(.rangeTooLarge(keys: 50, limit: 49)) {
      try store.deleteRange(range, maxKeys: 49)
    }
    #expect(try store.deleteRange(range, maxKeys: 50).deleted == 50)
    #expect(try store.scanKeys(ScanCall()) == ["other"])
  }

  @Test("Expired keys do not count, neither towards the limit", arguments: EngineUnderTest.all)
  func expired(engine: EngineUnderTest) throws {
    let store = engine.start()
    for (number, key) in numberedKeys(100).enumerated() {
      try store.set(key, 1, expires: number % 2 == 0 ? .after(10) : .never)
    }
    store.clock.advance(millis: 10)
    #expect(try store.count() == 50)
    #expect(try store.deleteRange(.all, dryRun: true, maxKeys: 50).deleted == 50)
    #expect(try store.deleteRange(.all, maxKeys: 50).deleted == 50)
    #expect(try store.count() == 0)
    store.sweep()
    #expect(store.engine.status().keyCount == 0)
  }

  @Test("Counting a large range costs less than walking it", arguments: EngineUnderTest.all)
  func countIsCheap(engine: EngineUnderTest) throws {
    let store = engine.start()
    for key in numberedKeys(20_000) { try store.set(key, 1) }
    let walk = try cpuTime {
      _ = try store.scanPages(ScanCall(keysOnly: true, pageSize: 10_000, maxPageBytes: 1 << 30))
    }
    let counts = try (0..<10).map { _ in
      try cpuTime { () throws in
        #expect(try store.count(StoreRange(prefix: "key:")) == 20_000)
        #expect(try store.count(StoreRange(start: "key:005000", end: "key:015000")) == 10_000)
      }
    }
    #expect(counts.min()! < walk / 4)
  }
}
