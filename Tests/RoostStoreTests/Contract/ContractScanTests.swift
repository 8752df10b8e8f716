import RoostStore
import Testing

@Suite("Engine contract: scans") struct ContractScanTests {
  @Test("Entries come in key order with all that is known of them", arguments: EngineUnderTest.all)
  func entries(engine: EngineUnderTest) throws {
    let store = engine.start()
    let values: [Bytes: StoreValue] = ["b": 2, "a": "one", "c": ["x", "y"], "d": .bytes([0])]
    for (key, value) in values { try store.set(key, value, expires: .after(1_000)) }
    let entries = try store.scan(ScanCall()).entries
    #expect(entries.map(\.key) == ["a", "b", "c", "d"])
    for entry in entries {
      var expected = try #require(try store.get(entry.key))
      expected.key = entry.key
      #expect(entry == expected)
    }
    let keysOnly = try store.scan(ScanCall(keysOnly: true, reverse: true)).entries
    #expect(keysOnly.map(\.key) == ["d", "c", "b", "a"])
    #expect(keysOnly.allSatisfy { $0.value == nil && !$0.valueOmitted && $0.revision > 0 })
  }

  @Test(
    "Pages of any size, forward and backward, give every key once",
    arguments: EngineUnderTest.all, [1, 2, 7, 99, 100, 101, 999, 1_000, 1_001, 10_000])
  func pages(engine: EngineUnderTest, pageSize: Int) throws {
    let store = engine.start()
    let keys = numberedKeys(1_000)
    for key in keys.shuffled() { try store.set(key, 1) }
    for reverse in [false, true] {
      let pages = try store.scanPages(ScanCall(reverse: reverse, pageSize: pageSize))
      #expect(pages.flatMap(\.keys) == (reverse ? keys.reversed() : keys))
      #expect(pages.allSatisfy { $0.keys.count <= pageSize && $0.examined <= 1_000 })
      #expect(pages.dropLast().allSatisfy { $0.keys.count == pageSize })
      // The end is known at the end: no empty page follows the last key for long.
      #expect(pages.count <= 1_000 / pageSize + 1)
    }
  }

  @Test("Going on never widens the range", arguments: EngineUnderTest.all)
  func resumeStaysInside(engine: EngineUnderTest) throws {
    let store = engine.start()
    for key in numberedKeys(100) { try store.set(key, 1) }
    let range = StoreRange(start: "key:000040", end: "key:000060")
    let inside = Array(numberedKeys(100)[40..<60])
    for resume in [
      "", "a", "key:000039", "key:000040", "key:00005", "key:000059", "key:000060", "z",
    ]
      as [Bytes]
    {
      #expect(
        try store.scanKeys(ScanCall(range: range, resumeAfter: resume))
          == inside.filter { $0 > resume })
      #expect(
        try store.scanKeys(ScanCall(range: range, reverse: true, resumeAfter: resume))
          == inside.filter { $0 < resume }.reversed())
      #expect(
        try store.scanKeys(ScanCall(range: StoreRange(prefix: "key:00009"), resumeAfter: resume))
          == numberedKeys(100)[90...].filter { $0 > resume })
    }
  }

  @Test(
    "A page ends after its examined keys, empty if none matched", arguments: EngineUnderTest.all)
  func maxExamined(engine: EngineUnderTest) throws {
    let store = engine.start()
    let keys = numberedKeys(100)
    for key in keys { try store.set(key, 1) }
    for reverse in [false, true] {
      for pattern in [StorePattern.glob("*42"), .regex("42$")] {
        let call = ScanCall(pattern: pattern, reverse: reverse, maxExamined: 10)
        let pages = try store.scanPages(call)
        #expect(pages.flatMap(\.keys) == ["key:000042"])
        #expect(pages.allSatisfy { $0.examined <= 10 })
        #expect(pages.map(\.examined).reduce(0, +) == 100)
        #expect(pages.first?.keys.isEmpty == true && pages.first?.resumeAfter != nil)
      }
    }
  }

  @Test("A page ends before its bytes run over", arguments: EngineUnderTest.all)
  func maxPageBytes(engine: EngineUnderTest) throws {
    let store = engine.start()
    let keys = numberedKeys(50)
    for key in keys { try store.set(key, .bytes(Bytes(repeating: 1, count: 1_000))) }
    let pages = try store.scanPages(ScanCall(maxPageBytes: 10_000))
    #expect(pages.flatMap(\.keys) == keys)
    for page in pages {
      #expect(page.entries.allSatisfy { $0.value != nil })
      #expect(page.keys.count * 1_000 <= 10_000)
    }
    #expect(pages.count <= 8)
    #expect(try store.scanPages(ScanCall(keysOnly: true, maxPageBytes: 10_000)).count == 1)
  }

  @Test(
    "A value too large for a page comes omitted, and the scan goes on",
    arguments: EngineUnderTest.all)
  func omitted(engine: EngineUnderTest) throws {
    let store = engine.start()
    let large = StoreValue.bytes(Bytes(repeating: 1, count: 20_000))
    for key in ["a", "c", "e"] as [Bytes] { try store.set(key, large) }
    for key in ["b", "d"] as [Bytes] { try store.set(key, 1) }
    try store.push("f", [Bytes](repeating: Bytes(repeating: 1, count: 500), count: 100))
    for reverse in [false, true] {
      let pages = try store.scanPages(ScanCall(reverse: reverse, maxPageBytes: 10_000))
      let entries = pages.flatMap(\.entries)
      #expect(entries.map(\.key).sorted() == ["a", "b", "c", "d", "e", "f"])
      for entry in entries {
        let isSmall = ["b", "d"].contains(entry.key)
        #expect(entry.valueOmitted == !isSmall)
        #expect((entry.value != nil) == isSmall)
      }
    }
  }

  @Test("Patterns choose keys, pages and all", arguments: EngineUnderTest.all)
  func patterns(engine: EngineUnderTest) throws {
    let store = engine.start()
    var keys = (0..<300).map { Bytes("user:\($0)") } + (0..<300).map { Bytes("order:\($0):x") }
    keys += [[0xff, 0x31], "user;", "user", "üser:1"]
    for key in keys { try store.set(key, 1) }
    keys.sort()
    let patterns: [StorePattern] = [
      .glob("user:*"), .glob("*"), .glob("user:?"), .glob("*:1*"), .glob("u[a-z]er:[0-3]?"),
      .glob("user:7"), .glob("absent*"), .glob("order:[^1]*x"), .regex("^user:\\d$"),
      .regex("9"), .regex("^order:.*:x$"), .regex("r:1|r:2"), .regex("^\\xff"), .regex("^.ser:"),
    ]
    for pattern in patterns {
      let compiled = try pattern.compile()
      let expected = keys.filter { compiled.matches(bytes: $0.array) }
      for pageSize in [3, 1_000] {
        var call = ScanCall(pattern: pattern, pageSize: pageSize)
        #expect(try store.scanKeys(call) == expected, "\(pattern)")
        call.maxExamined = 50
        #expect(try store.scanKeys(call) == expected, "\(pattern)")
        call.reverse = true
        #expect(try store.scanKeys(call) == expected.reversed(), "\(pattern)")
        call.range = StoreRange(start: "order:5", end: "user:2")
        #expect(
          try store.scanKeys(call) == expected.filter(call.range.contains).reversed(),
          "\(pattern)")
      }
    }
  }

  @Test(
    "A pattern with a literal prefix examines only the keys below it",
    arguments: EngineUnderTest.all)
  func seeks(engine: EngineUnderTest) throws {
    let store = engine.start()
    for prefix in ["a:", "b:", "c:"] as [Bytes] {
      for key in numberedKeys(200, prefix: prefix) { try store.set(key, 1) }
    }
    for pattern in [StorePattern.glob("b:*7"), .regex("^b:.*7$")] {
      for reverse in [false, true] {
        let pages = try store.scanPages(
          ScanCall(pattern: pattern, reverse: reverse, maxExamined: 10_000))
        #expect(pages.flatMap(\.keys).count == 20)
        #expect(pages.map(\.examined).reduce(0, +) == 200)
      }
    }
    let outside = ScanCall(range: StoreRange(prefix: "a:"), pattern: .glob("b:*"))
    #expect(
      try store.scan(outside) == ScanAnswer(entries: [], examined: 0, revision: store.revision))
  }

  @Test("Expired keys are passed over and use up no page", arguments: EngineUnderTest.all)
  func expired(engine: EngineUnderTest) throws {
    let store = engine.start()
    let keys = numberedKeys(100)
    for (number, key) in keys.enumerated() {
      try store.set(key, 1, expires: number % 10 == 0 ? .never : .after(10))
    }
    store.clock.advance(millis: 10)
    let alive = keys.indices.filter { $0 % 10 == 0 }.map { keys[$0] }
    for reverse in [false, true] {
      let call = ScanCall(reverse: reverse, pageSize: 4)
      #expect(try store.scanKeys(call) == (reverse ? alive.reversed() : alive))
    }
  }

  @Test(
    "A key that is there for the whole scan comes exactly once, whatever else comes and goes",
    arguments: EngineUnderTest.all, [false, true])
  func churn(engine: EngineUnderTest, reverse: Bool) throws {
    let store = engine.start()
    var random = SeededRandom(seed())
    let fixed = numberedKeys(400, prefix: "k")
    for key in fixed { try store.set(key, 1) }
    for round in 0..<10 {
      var call = ScanCall(reverse: reverse, pageSize: random.int(1...40))
      var seen: [Bytes] = []
      repeat {
        let page = try store.scan(call)
        seen += page.keys
        call.resumeAfter = page.resumeAfter
        for _ in 0..<20 {
          let passing = random.pick(fixed) + Bytes("~\(random.int(0...9))")
          if random.oneIn(2) { try store.set(passing, 1) } else { try store.delete(passing) }
          try store.set(random.pick(fixed), .int(Int64(round)))
        }
        if let resume = page.resumeAfter, !fixed.contains(resume) { try store.delete(resume) }
      } while call.resumeAfter != nil
      #expect(seen.filter(fixed.contains) == (reverse ? fixed.reversed() : fixed))
      #expect(Set(seen).count == seen.count)
      #expect(seen == (reverse ? seen.sorted().reversed() : seen.sorted()))
    }
  }

  @Test(
    "A regex that is slow on long keys ends its pages early and loses no key",
    arguments: EngineUnderTest.all)
  func slowRegex(engine: EngineUnderTest) throws {
    let store = engine.start()
    let keys = numberedKeys(40).map { $0 + Bytes(repeating: 0x61, count: 2_000) }
    for key in keys { try store.set(key, 1) }
    let slow = StorePattern.regex("([a-z]{1,20}){1,20}$")
    for reverse in [false, true] {
      let call = ScanCall(pattern: slow, keysOnly: true, reverse: reverse)
      let pages = try store.scanPages(call)
      #expect(pages.flatMap(\.keys) == (reverse ? keys.reversed() : keys))
      #expect(pages.allSatisfy { $0.examined > 0 || $0.resumeAfter == nil })
    }
    let missing = StorePattern.regex("([a-z]{1,20}){1,20}[0-9]$")
    let pages = try store.scanPages(ScanCall(pattern: missing, keysOnly: true))
    #expect(pages.map(\.examined).reduce(0, +) == 40)
  }

  @Test("A page costs the same among many keys as among few", arguments: EngineUnderTest.all)
  func pageCost(engine: EngineUnderTest) throws {
    let store = engine.start()
    func pageTime(_ start: Bytes) throws -> Duration {
      let call = ScanCall(range: StoreRange(start: start), pageSize: 10)
      return try (0..<5).map { _ in
        try cpuTime { for _ in 0..<50 { _ = try store.scan(call) } }
      }.min()!
    }
    let keys = numberedKeys(50_000)
    for key in keys[..<200] { try store.set(key, 1) }
    let few = try pageTime("key:000100")
    for key in keys[200...] { try store.set(key, 1) }
    #expect(try pageTime("key:040000") < few * 8)
  }
}
