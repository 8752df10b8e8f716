import RoostStore
import Testing

/// What a key can be when a write meets it.
enum KeyState: CaseIterable, Sendable {
  case absent, deleted, expired, text, bytes, int, double, bool, list

  static let present: [KeyState] = [.text, .bytes, .int, .double, .bool, .list]

  var value: StoreValue? {
    switch self {
    case .absent, .deleted, .expired: nil
    case .text: "text"
    case .bytes: .bytes("text")
    case .int: 7
    case .double: 7.0
    case .bool: true
    case .list: ["a", "b"]
    }
  }

  /// Brings `key` into this state and says its entry.
  func prepare(_ key: Bytes, in store: TestStore) throws -> StoredEntry? {
    switch self {
    case .absent: break
    case .deleted:
      try store.set(key, "text")
      try store.delete(key)
    case .expired:
      try store.set(key, "text", expires: .after(10))
      store.clock.advance(millis: 10)
    default: try store.set(key, value!)
    }
    return try store.get(key)
  }
}

@Suite("Engine contract: conditions") struct ContractConditionTests {
  /// Every condition with the error that it means for an entry.
  static func conditions(for entry: StoredEntry?) -> [(StoreCondition, StoreError?)] {
    var all: [(StoreCondition, StoreError?)] = [
      (.none, nil), (.exists(true), entry == nil ? .notFound : nil),
      (.exists(false), entry == nil ? nil : .alreadyExists),
    ]
    let others: [StoreValue] =
      KeyState.present.compactMap(\.value) + [
        "texu", "tex", "", .bytes([]), 8, 0, false, -7.0, .double(.nan), ["a"], ["b", "a"],
        ["a", "b", "c"], ["ab"], ["a", "c"],
      ]
    guard let entry, let value = entry.value else {
      return all + [(.revision(1), .notFound), (.revision(.max), .notFound)]
        + others.map { (.value($0), .notFound) }
    }
    let current = entry.revision
    all += [
      (.revision(current), nil), (.revision(current - 1), .revisionMismatch(current: current)),
      (.revision(current + 1), .revisionMismatch(current: current)),
      (.revision(current == 1 ? 3 : 1), .revisionMismatch(current: current)),
    ]
    return all
      + others.map { (.value($0), $0 == value ? nil : .valueMismatch(current: current)) }
  }

  @Test(
    "A set happens where its condition holds, else it fails and changes nothing",
    arguments: EngineUnderTest.all, KeyState.allCases)
  func set(engine: EngineUnderTest, state: KeyState) throws {
    let template = engine.start()
    for index in Self.conditions(for: try state.prepare("key", in: template)).indices {
      let store = engine.start()
      let entry = try state.prepare("key", in: store)
      let (condition, error) = Self.conditions(for: entry)[index]
      if let error {
        store.sweep()
        try store.expectRefusal(error) { try store.set("key", "new", if: condition) }
      } else {
        let answer = try store.set("key", "new", if: condition)
        #expect(answer.created == (entry == nil))
        let new = try #require(try store.get("key"))
        #expect(new.value == "new")
        #expect(new.version == (entry?.version ?? 0) + 1)
        #expect(new.createRevision == (entry?.createRevision ?? answer.revision))
      }
    }
  }

  @Test(
    "A delete happens where its condition holds, else it fails and changes nothing",
    arguments: EngineUnderTest.all, KeyState.allCases)
  func delete(engine: EngineUnderTest, state: KeyState) throws {
    let template = engine.start()
    for index in Self.conditions(for: try state.prepare("key", in: template)).indices {
      let store = engine.start()
      let entry = try state.prepare("key", in: store)
      let (condition, error) = Self.conditions(for: entry)[index]
      if let error {
        store.sweep()
        try store.expectRefusal(error) { try store.delete("key", if: condition) }
      } else {
        let answer = try store.delete("key", if: condition)
        #expect(answer.deleted == (entry != nil))
        #expect((answer.revision == 0) == (entry == nil))
        #expect(try store.get("key") == nil)
      }
    }
  }

  @Test(
    "A transaction's compare chooses its branch and never fails the call",
    arguments: EngineUnderTest.all, KeyState.allCases)
  func compare(engine: EngineUnderTest, state: KeyState) throws {
    let store = engine.start()
    let entry = try state.prepare("key", in: store)
    for (condition, error) in Self.conditions(for: entry) {
      let answer = try store.transact(
        if: [.key("key", condition)], then: [.set("branch", "success")],
        else: [.set("branch", "failure")])
      #expect(answer.succeeded == (error == nil), "\(condition)")
      #expect(try store.value("branch") == (error == nil ? "success" : "failure"))
    }
  }

  @Test(
    "A step's condition that does not hold fails the transaction with its index",
    arguments: EngineUnderTest.all, KeyState.allCases)
  func step(engine: EngineUnderTest, state: KeyState) throws {
    let store = engine.start()
    let entry = try state.prepare("key", in: store)
    store.sweep()
    for (condition, error) in Self.conditions(for: entry) {
      guard let error else { continue }
      for step in [StoreOperation.set("key", "new", if: condition), .delete("key", if: condition)] {
        try store.expectRefusal(.stepFailed(index: 1, error)) {
          try store.transact(then: [.set("other", 1), step, .set("third", 2)])
        }
      }
    }
  }

  @Test("A condition on the revision lets one of two writers pass", arguments: EngineUnderTest.all)
  func compareAndSet(engine: EngineUnderTest) throws {
    let store = engine.start()
    let seen = try store.set("key", 1).revision
    let winner = try store.set("key", 2, if: .revision(seen)).revision
    try store.expectRefusal(.revisionMismatch(current: winner)) {
      try store.set("key", 3, if: .revision(seen))
    }
  }

  @Test("A key that was made again has another revision", arguments: EngineUnderTest.all)
  func remadeKey(engine: EngineUnderTest) throws {
    let store = engine.start()
    let old = try store.set("key", 1).revision
    try store.delete("key")
    let new = try store.set("key", 1).revision
    try store.expectRefusal(.revisionMismatch(current: new)) {
      try store.delete("key", if: .revision(old))
    }
  }

  @Test("A value condition compares long values and lists whole", arguments: EngineUnderTest.all)
  func longValues(engine: EngineUnderTest) throws {
    let store = engine.start()
    var long = Bytes(repeating: 1, count: 1 << 20)
    try store.set("key", .bytes(long))
    try store.set("list", .list([Bytes](repeating: "item", count: 10_000)))
    #expect(try store.transact(if: [.key("key", .value(.bytes(long)))], then: []).succeeded)
    long.array[long.count - 1] = 2
    #expect(try !store.transact(if: [.key("key", .value(.bytes(long)))], then: []).succeeded)
    #expect(
      try store.transact(
        if: [.key("list", .value(.list([Bytes](repeating: "item", count: 10_000))))], then: []
      ).succeeded)
    #expect(
      try !store.transact(
        if: [.key("list", .value(.list([Bytes](repeating: "item", count: 9_999))))], then: []
      ).succeeded)
  }
}
