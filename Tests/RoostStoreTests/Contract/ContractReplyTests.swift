import RoostStore
import Testing

@Suite("Engine contract: answers that cannot be sent") struct ContractReplyTests {
  static let kilobyte = StoreValue.bytes(Bytes(repeating: 1, count: 1_000))

  /// A call fails with `replyTooLarge` and has changed nothing.
  func expectTooLarge<Success>(
    _ store: TestStore, sourceLocation: SourceLocation = #_sourceLocation,
    _ call: () throws -> Success
  ) throws {
    let before = try store.snapshot()
    let revision = store.revision
    let error = #expect(throws: StoreError.self, sourceLocation: sourceLocation) {
      try store.withBudget(500) { _ = try call() }
    }
    var inner = error
    if case .stepFailed(_, let stepError) = error { inner = stepError }
    guard case .replyTooLarge(let bytes, limit: 500) = inner else {
      Issue.record("\(String(describing: error))", sourceLocation: sourceLocation)
      return
    }
    #expect(bytes > 500, sourceLocation: sourceLocation)
    #expect(try store.snapshot() == before, sourceLocation: sourceLocation)
    #expect(store.revision == revision, sourceLocation: sourceLocation)
  }

  @Test(
    "A value larger than an answer is refused by a get, and omitted by a transaction's",
    arguments: EngineUnderTest.all)
  func reads(engine: EngineUnderTest) throws {
    let store = engine.start()
    try store.set("key", Self.kilobyte)
    try store.push("list", [Bytes](repeating: Bytes(repeating: 1, count: 50), count: 20))
    try store.withBudget(500) {
      for key in ["key", "list"] as [Bytes] {
        let error = #expect(throws: StoreError.self) { try store.get(key) }
        guard case .valueTooLarge(let bytes, let items, limit: 500) = error else {
          Issue.record("\(String(describing: error))")
          continue
        }
        #expect(bytes >= 1_000 && items == (key == "list" ? 20 : nil))
        var entry = try #require(try store.get(key, keysOnly: true))
        #expect(entry.value == nil && !entry.valueOmitted && entry.revision > 0)
        entry.valueOmitted = true
        let step = try store.transact(then: [.get(key)]).results
        #expect(step == [.get(entry)])
        #expect(try store.batchGet([key]).entries == [entry])
      }
    }
  }

  @Test(
    "A value larger than an answer is not overwritten or deleted into it",
    arguments: EngineUnderTest.all)
  func values(engine: EngineUnderTest) throws {
    let store = engine.start()
    try store.set("key", Self.kilobyte)
    try expectTooLarge(store) { try store.set("key", 1, returnPrevious: true) }
    try expectTooLarge(store) {
      try store.set("key", 1, expires: .at(1), returnPrevious: true)
    }
    try expectTooLarge(store) { try store.delete("key", returnPrevious: true) }
    try store.withBudget(500) { () throws in
      #expect(try store.set("key", 1).created == false)
      #expect(try store.set("key", Self.kilobyte, returnPrevious: true).previous?.value == 1)
      #expect(try store.delete("key").deleted)
    }
  }

  @Test("Nothing is popped into an answer that cannot be sent", arguments: EngineUnderTest.all)
  func pops(engine: EngineUnderTest) throws {
    let store = engine.start()
    try store.push("list", (0..<100).map { _ in Bytes(repeating: 2, count: 100) })
    for side in [ListSide.front, .back] {
      try expectTooLarge(store) { try store.pop("list", from: side, count: 6) }
      #expect(
        try store.withBudget(500) { try store.pop("list", from: side, count: 3) }.items.count == 3)
    }
    try expectTooLarge(store) { try store.listRange("list") }
    #expect(try store.withBudget(500) { try store.listRange("list", 0, 2) }.items.count == 3)
  }

  @Test("Many tiny items count with their framing", arguments: EngineUnderTest.all)
  func framing(engine: EngineUnderTest) throws {
    let store = engine.start()
    try store.push("list", [Bytes](repeating: [], count: 1_000))
    try expectTooLarge(store) { try store.pop("list", count: 1_000) }
    try expectTooLarge(store) { try store.listRange("list") }
    #expect(try store.pop("list", count: 1_000).items.count == 1_000)
  }

  @Test(
    "A transaction sizes its whole answer before it does anything", arguments: EngineUnderTest.all)
  func transactions(engine: EngineUnderTest) throws {
    let store = engine.start()
    try store.push("list", (0..<8).map { _ in Bytes(repeating: 2, count: 100) })
    try store.set("key", .bytes(Bytes(repeating: 3, count: 300)))
    try expectTooLarge(store) {
      try store.transact(then: [
        .set("new", 1), .pop("list", count: 2), .delete("key", returnPrevious: true),
        .pop("list", count: 2),
      ])
    }
    // What the transaction itself writes can be what is too large.
    try expectTooLarge(store) {
      try store.transact(then: [
        .set("new", Self.kilobyte), .delete("new", returnPrevious: true),
      ])
    }
    let fits = try store.withBudget(500) {
      try store.transact(then: [.pop("list", count: 2), .get("list", keysOnly: true)])
    }
    #expect(fits.results.count == 2)
  }

  @Test(
    "A value that does not fit a batch's answer comes omitted or not at all",
    arguments: EngineUnderTest.all)
  func batches(engine: EngineUnderTest) throws {
    let store = engine.start()
    let keys = numberedKeys(10)
    for key in keys { try store.set(key, .bytes(Bytes(repeating: 1, count: 300))) }
    try store.withBudget(1_500) {
      do {
        let entries = try store.batchGet(keys).entries
        #expect(entries.count == 10)
        for entry in entries {
          let entry = try #require(entry)
          #expect((entry.value == nil) == entry.valueOmitted)
          #expect(entry.revision > 0)
        }
        #expect(entries.contains { $0?.value != nil })
        #expect(entries.contains { $0?.valueOmitted == true })
      } catch StoreError.replyTooLarge {}
    }
  }

  @Test("A scan's page fits its answer", arguments: EngineUnderTest.all)
  func scans(engine: EngineUnderTest) throws {
    let store = engine.start()
    let keys = numberedKeys(30)
    for (number, key) in keys.enumerated() {
      try store.set(key, .bytes(Bytes(repeating: 1, count: number % 10 == 0 ? 2_000 : 100)))
    }
    try store.withBudget(1_000) {
      for reverse in [false, true] {
        let entries = try store.scanPages(ScanCall(reverse: reverse)).flatMap(\.entries)
        #expect(entries.map(\.key) == (reverse ? keys.reversed() : keys))
        #expect(entries.count { $0.valueOmitted } == 3)
      }
    }
  }

  @Test("What is charged covers what the answer holds", arguments: EngineUnderTest.all)
  func charges(engine: EngineUnderTest) throws {
    let store = engine.start()
    let value = Bytes(repeating: 1, count: 10_000)
    try store.set("key", .bytes(value))
    try store.push("list", [Bytes](repeating: "12345678", count: 1_000))
    for budget in [9_999, 10_000] {
      #expect(throws: StoreError.valueTooLarge(bytes: 10_000, items: nil, limit: budget)) {
        try store.withBudget(budget) { try store.get("key") }
      }
    }
    #expect(throws: StoreError.self) {
      try store.withBudget(10_000) { try store.listRange("list") }  // 1,000 × (8 + 2)
    }
    #expect(try store.withBudget(10_500) { try store.get("key") }?.value == .bytes(value))
    #expect(try store.withBudget(10_500) { try store.listRange("list") }.items.count == 1_000)
  }
}
