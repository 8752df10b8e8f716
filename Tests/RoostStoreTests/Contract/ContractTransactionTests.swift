import RoostStore
import Testing

@Suite("Engine contract: transactions") struct ContractTransactionTests {
  @Test("Steps see what the steps before them did", arguments: EngineUnderTest.all)
  func stepsSeeSteps(engine: EngineUnderTest) throws {
    let store = engine.start()
    let answer = try store.transact(then: [
      .get("a"), .set("a", 1), .get("a"), .increment("a", by: 4), .get("a"),
      .set("a", "text", if: .value(5), returnPrevious: true), .delete("a", returnPrevious: true),
      .get("a"), .set("a", 9, if: .exists(false)), .push("l", ["x", "y"]), .pop("l", from: .front),
      .pop("l"), .get("l"), .push("l", ["z"]),
    ])
    let revision = answer.revision
    func entry(_ value: StoreValue, version: Int64) -> StoredEntry {
      StoredEntry(
        value: value, revision: revision, createRevision: revision, version: version,
        createdAtMillis: store.now, updatedAtMillis: store.now)
    }
    #expect(answer.succeeded)
    #expect(
      answer.results == [
        .get(nil), .set(SetAnswer(revision: revision, created: true)),
        .get(entry(1, version: 1)), .increment(IncrementAnswer(value: 5, revision: revision)),
        .get(entry(5, version: 2)),
        .set(SetAnswer(revision: revision, created: false, previous: entry(5, version: 2))),
        .delete(
          DeleteAnswer(deleted: true, revision: revision, previous: entry("text", version: 3))),
        .get(nil), .set(SetAnswer(revision: revision, created: true)),
        .push(PushAnswer(length: 2, revision: revision)),
        .pop(PopAnswer(items: ["x"], length: 1, revision: revision)),
        .pop(PopAnswer(items: ["y"], length: 0, revision: revision)),
        .get(nil), .push(PushAnswer(length: 1, revision: revision)),
      ])
    #expect(try store.snapshot().map(\.key) == ["a", "l"])
    #expect(try store.get("a") == entry(9, version: 1))
    #expect(try store.items("l") == ["z"])
  }

  @Test(
    "A failing step undoes every step before it and names its index",
    arguments: EngineUnderTest.all)
  func failingStep(engine: EngineUnderTest) throws {
    let store = engine.start()
    try store.set("text", "old")
    try store.set("int", 5, expires: .after(1_000))
    try store.push("list", ["a", "b", "c"])
    let fixed = try store.set("fixed", "text").revision
    let before: [StoreOperation] = [
      .set("text", "new value that is longer than the old"), .set("new", 1), .increment("int"),
      .push("list", ["d"]), .push("list", ["z"], at: .front), .pop("list"), .delete("int"),
      .pop("list", count: 100), .push("newlist", ["x"]), .delete("text"), .set("list", "no list"),
      .set("int", ["a", "list"]), .pop("int"),
    ]
    let failing: [(StoreOperation, StoreError)] = [
      (.increment("fixed"), .wrongType(found: .text, needed: .int)),
      (.push("fixed", ["x"]), .wrongType(found: .text, needed: .list)),
      (.pop("fixed"), .wrongType(found: .text, needed: .list)),
      (.set("absent", 1, if: .exists(true)), .notFound),
      (.set("fixed", 1, if: .exists(false)), .alreadyExists),
      (.set("fixed", 1, if: .value(2)), .valueMismatch(current: fixed)),
      (.delete("fixed", if: .revision(9)), .revisionMismatch(current: fixed)),
      (.delete("absent", if: .revision(9)), .notFound),
      (.push("absent", ["a"], mustExist: true), .notFound),
      (.increment("absent", by: 1, initial: .max), .counterOverflow),
    ]
    for count in 0...before.count {
      for (step, error) in failing {
        try store.expectRefusal(.stepFailed(index: count, error)) {
          try store.transact(then: Array(before[..<count]) + [step, .set("after", 1)])
        }
      }
    }
    #expect(try store.transact(then: before).results.count == before.count)
  }

  @Test(
    "An error never names the revision of a transaction that failed",
    arguments: EngineUnderTest.all)
  func failedRevisions(engine: EngineUnderTest) throws {
    let store = engine.start()
    let old = try store.set("a", 1).revision
    // The entry that the step met is one of this transaction: there is no revision to name.
    try store.expectRefusal(.stepFailed(index: 1, .revisionMismatch(current: 0))) {
      try store.transact(then: [.set("a", 2), .set("a", 3, if: .revision(old))])
    }
    try store.expectRefusal(.stepFailed(index: 1, .valueMismatch(current: 0))) {
      try store.transact(then: [.set("new", 2), .delete("new", if: .value(1))])
    }
  }

  @Test("Compares that do not hold choose the other steps", arguments: EngineUnderTest.all)
  func branches(engine: EngineUnderTest) throws {
    let store = engine.start()
    let revision = try store.set("a", 1).revision
    let compares: [StoreCompare] = [
      .key("a", .revision(revision)), .key("a", .value(1)), .key("b", .exists(false)),
    ]
    let first = try store.transact(
      if: compares, then: [.set("b", 1)], else: [.set("c", 1), .get("b")])
    #expect(first.succeeded && first.results.count == 1)
    let second = try store.transact(
      if: compares, then: [.set("b", 2)], else: [.set("c", 1), .get("b")])
    #expect(!second.succeeded && second.results.count == 2)
    #expect(try store.value("b") == 1)
    #expect(try store.value("c") == 1)
    let third = try store.transact(if: compares, then: [.set("b", 3)])
    #expect(!third.succeeded && third.results.isEmpty && third.revision == second.revision)
    try store.expectRefusal(.stepFailed(index: 1, .notFound)) {
      try store.transact(
        if: compares, then: [], else: [.set("d", 1), .set("e", 1, if: .exists(true))])
    }
  }

  @Test("Compares see the state before every step", arguments: EngineUnderTest.all)
  func comparesComeFirst(engine: EngineUnderTest) throws {
    let store = engine.start()
    let answer = try store.transact(
      if: [.key("a", .exists(false))], then: [.set("a", 1)], else: [.set("a", 2)])
    #expect(answer.succeeded)
    #expect(try store.value("a") == 1)
  }

  @Test(
    "The largest transaction works, over many keys and over one", arguments: EngineUnderTest.all)
  func largest(engine: EngineUnderTest) throws {
    let store = engine.start()
    let keys = numberedKeys(128)
    let many = try store.transact(
      if: keys.map { .key($0, .exists(false)) }, then: keys.map { .increment($0) })
    #expect(many.succeeded && many.results.count == 128)
    let one = try store.transact(
      if: keys.map { .key($0, .value(1)) },
      then: (0..<128).map { _ in .increment("one") })
    #expect(try store.value("one") == 128)
    #expect(try store.get("one")?.version == 128)
    #expect(try store.get("one")?.revision == one.revision)
  }

  @Test("An empty transaction succeeds and changes nothing", arguments: EngineUnderTest.all)
  func empty(engine: EngineUnderTest) throws {
    let store = engine.start()
    let revision = try store.set("a", 1).revision
    #expect(
      try store.transact(then: [])
        == TransactAnswer(succeeded: true, results: [], revision: revision))
  }

  @Test("A step's expiration works, also one in the past", arguments: EngineUnderTest.all)
  func expirations(engine: EngineUnderTest) throws {
    let store = engine.start()
    try store.set("kept", 1, expires: .after(50))
    let answer = try store.transact(then: [
      .set("new", 1, expires: .after(10)), .set("kept", 2, expires: .keep), .increment("kept"),
      .set("gone", 1), .set("gone", 2, expires: .at(1)), .get("gone"),
      .set("gone", 3, if: .exists(false), expires: .at(store.now)),
    ])
    #expect(answer.results[5] == .get(nil))
    #expect(try store.get("gone") == nil)
    #expect(try store.get("kept")?.expiresAtMillis == store.now + 50)
    store.clock.advance(millis: 10)
    #expect(try store.snapshot().map(\.key) == ["kept"])
  }

  @Test(
    "Undoing brings back expirations, versions and list contents exactly",
    arguments: EngineUnderTest.all)
  func undo(engine: EngineUnderTest) throws {
    let store = engine.start()
    let items = (0..<2_000).map { Bytes("item \($0)") }
    for part in 0..<2 { try store.push("list", Array(items[part * 1_000..<(part + 1) * 1_000])) }
    try store.set("soon", 1, expires: .after(100))
    let memory = store.engine.status().memoryBytes
    for _ in 0..<50 {
      try store.expectRefusal(.stepFailed(index: 7, .notFound)) {
        try store.transact(then: [
          .pop("list", count: 700), .push("list", items.suffix(900), at: .front),
          .pop("list", from: .front, count: 1_000), .push("list", ["tail"], maxLength: 10),
          .set("soon", 2, expires: .never), .delete("list"), .push("list", ["other"]),
          .set("absent", 1, if: .exists(true)),
        ])
      }
    }
    #expect(try store.items("list") == items)
    #expect(store.engine.status().memoryBytes <= memory + memory / 2)
    store.clock.advance(millis: 100)
    store.sweep()
    #expect(try store.snapshot().map(\.key) == ["list"])
  }

  @Test(
    "Undoing takes back when keys end, for reads and for the sweeper",
    arguments: EngineUnderTest.all)
  func undoneLifetimes(engine: EngineUnderTest) throws {
    let failing = StoreOperation.set("absent", 1, if: .exists(true))
    for end in [StoreExpiration.never, .after(100)] {
      let store = engine.start()
      try store.push("list", ["a", "b"], expires: end)
      try store.set("text", "text", expires: end)
      try store.set("int", 1, expires: end)
      let before = try store.snapshot()
      for other in [StoreExpiration.never, .after(10), .after(1_000), .at(1)] {
        let steps: [StoreOperation] = [
          .push("list", ["c"], expires: other), .set("text", "new", expires: other),
          .increment(IncrementCall(key: "int", delta: 1, expiration: other)),
        ]
        for step in steps + [.push("list", ["c"], at: .front, expires: other, maxLength: 1)] {
          try store.expectRefusal(.stepFailed(index: 1, .notFound)) {
            try store.transact(then: [step, failing])
          }
        }
        try store.expectRefusal(.stepFailed(index: 3, .notFound)) {
          try store.transact(then: steps + [failing])
        }
      }
      store.clock.advance(millis: 99)
      store.sweep()
      #expect(try store.snapshot() == before)
      store.clock.advance(millis: 1)
      store.sweep()
      #expect(store.engine.status().keyCount == (end == .never ? 3 : 0))
      store.clock.advance(millis: 10_000)
      store.sweep()
      #expect(store.engine.status().keyCount == (end == .never ? 3 : 0))
      for key in ["list", "text", "int"] as [Bytes] { try store.delete(key) }
      #expect(store.engine.status().keyCount == 0)
    }
  }
}

extension StoreOperation {
  static func set(
    _ key: Bytes, _ value: StoreValue, if condition: StoreCondition,
    expires expiration: StoreExpiration
  ) -> StoreOperation {
    .set(key, value, expires: expiration, if: condition)
  }
}
