import RoostStore
import Testing

/// A write that changes something, and what must be there for it.
struct RepeatedWrite: CustomTestStringConvertible, Sendable {
  var testDescription: String
  var before: [StoreCall] = []
  var call: StoreCall

  private static let list = StoreCall.set(SetCall(key: "list", value: ["a", "b", "c", "d"]))
  private static let text = StoreCall.set(
    SetCall(key: "text", value: "before", expiration: .after(50_000)))
  private static let values: [StoreValue] = [
    .bytes([0, 255]), "text", 7, -1, 2.5, .double(.nan), true, ["one", "", "three"], [],
  ]

  static let all: [RepeatedWrite] =
    [
      RepeatedWrite("set", .set(SetCall(key: "new", value: "value"))),
      RepeatedWrite("set over", [text], .set(SetCall(key: "text", value: 1))),
      RepeatedWrite(
        "set that ends at once", [text],
        .set(SetCall(key: "text", value: 1, expiration: .at(1), returnPrevious: true))),
      RepeatedWrite("delete", [text], .delete(DeleteCall(key: "text", returnPrevious: true))),
      RepeatedWrite("deleteRange", [text, list], .deleteRange(.all)),
      RepeatedWrite("increment", .increment(IncrementCall(key: "n", delta: -3))),
      RepeatedWrite("touch", [text], .touch("text", .after(9_000))),
      RepeatedWrite("touch that ends at once", [text], .touch("text", .at(5))),
      RepeatedWrite("push", .push(PushCall(key: "list", items: ["x", "y"]))),
      RepeatedWrite(
        "push with trim", [list],
        .push(PushCall(key: "list", items: ["x", "y"], side: .front, maxLength: 3))),
      RepeatedWrite("pop", [list], .pop(PopCall(key: "list", count: 2))),
      RepeatedWrite("pop of all", [list], .pop(PopCall(key: "list", side: .front, count: 9))),
      RepeatedWrite("transact", [text, list], .transact(everything)),
      RepeatedWrite(
        "transact, the other branch", [text],
        .transact(
          TransactCall(
            compares: [.key("text", .exists(false))], success: [],
            failure: [.set("other", 1)]))),
    ]
    + values.map { value in
      RepeatedWrite(
        "set over \(value)", [.set(SetCall(key: "key", value: value))],
        .set(SetCall(key: "key", value: 0, returnPrevious: true)))
    }

  private static let everything = TransactCall(success: [
    .get("text"), .get("none"), .get("list", keysOnly: true),
    .set("new", 1, returnPrevious: true), .set("text", "after", returnPrevious: true),
    .get("new"), .get("text"), .increment("new", by: 4), .push("list", ["e"]),
    .pop("list", from: .front, count: 2), .delete("text", returnPrevious: true),
    .delete("none"), .pop("none"), .get("list"),
  ])

  init(_ name: String, _ call: StoreCall) { self.init(name, [], call) }

  init(_ name: String, _ before: [StoreCall], _ call: StoreCall) {
    testDescription = name
    self.before = before
    self.call = call
  }
}

extension StoreAnswer {
  /// Of the command that was answered.
  var revision: Int64 {
    switch self {
    case .set(let answer): answer.revision
    case .delete(let answer): answer.revision
    case .deleteRange(let answer): answer.revision
    case .increment(let answer): answer.revision
    case .touch(let answer): answer.revision
    case .push(let answer): answer.revision
    case .pop(let answer): answer.revision
    case .transact(let answer): answer.revision
    default: 0
    }
  }
}

@Suite("Idempotency keys")
struct ContractIdempotencyTests {
  @Test(
    "A repeated write gets the first answer and changes nothing",
    arguments: EngineUnderTest.all, RepeatedWrite.all)
  func replay(engine: EngineUnderTest, write: RepeatedWrite) throws {
    let store = engine.start()
    for call in write.before { _ = try store.perform(call) }
    store.session.ticket = StoreTicket(key: "k")
    let first = try store.perform(write.call)
    #expect(!store.session.wasReplayed)
    #expect(first.revision == store.revision)
    let (state, revision) = (try store.snapshot(), store.revision)
    store.clock.advance(millis: 100)
    #expect(try store.perform(write.call) == first)
    #expect(store.session.wasReplayed)
    #expect(try store.snapshot() == state)
    #expect(store.revision == revision)
    // Whatever has become of the keys since.
    store.session.ticket = nil
    try store.deleteRange(.all)
    store.session.ticket = StoreTicket(key: "k")
    #expect(try store.perform(write.call) == first)
  }

  @Test(
    "A write with a key does what one without does",
    arguments: EngineUnderTest.all, RepeatedWrite.all)
  func sameEffect(engine: EngineUnderTest, write: RepeatedWrite) throws {
    let (plain, keyed) = (engine.start(), engine.start())
    for store in [plain, keyed] { for call in write.before { _ = try store.perform(call) } }
    keyed.session.ticket = StoreTicket(key: "k")
    #expect(try keyed.perform(write.call) == plain.perform(write.call))
    #expect(try keyed.snapshot() == plain.snapshot())
  }

  @Test("Another request under the same key is refused", arguments: EngineUnderTest.all)
  func otherRequest(engine: EngineUnderTest) throws {
    let store = engine.start()
    store.session.ticket = StoreTicket(key: "k")
    try store.increment("n")
    store.session.ticket?.request = "another"
    try store.expectRefusal(.idempotencyKeyReused) { try store.increment("n", by: 2) }
    try store.expectRefusal(.idempotencyKeyReused) { try store.deleteRange(.all, dryRun: true) }
  }

  @Test("Keys of other owners, and other keys, are executed", arguments: EngineUnderTest.all)
  func otherOwner(engine: EngineUnderTest) throws {
    let store = engine.start()
    let tickets = [
      StoreTicket(owner: "a", key: "bc"), StoreTicket(owner: "ab", key: "c"),
      StoreTicket(owner: "", key: "abc"), StoreTicket(owner: "a", key: "b"),
      StoreTicket(owner: "b", key: "bc"),
    ]
    for round in 0..<2 {
      for (index, ticket) in tickets.enumerated() {
        store.session.ticket = ticket
        #expect(try store.increment("n").value == Int64(index + 1))
        #expect(store.session.wasReplayed == (round == 1))
      }
    }
  }

  @Test("A key is free again after the window", arguments: EngineUnderTest.all)
  func window(engine: EngineUnderTest) throws {
    let store = engine.start()
    store.session.ticket = StoreTicket(key: "k")
    try store.increment("n")
    store.clock.advance(millis: AnswerTicket.windowMillis - 1)
    #expect(try store.increment("n").value == 1)
    // Neither a step of the wall clock nor a repetition makes a difference.
    store.clock.stepWall(millis: 3_600_000)
    #expect(try store.increment("n").value == 1)
    store.clock.advance(millis: 1)
    #expect(try store.increment("n").value == 2)
    #expect(!store.session.wasReplayed)
    #expect(try store.increment("n").value == 2)
    #expect(store.session.wasReplayed)
  }

  @Test("What changes nothing, or fails, leaves the key free", arguments: EngineUnderTest.all)
  func noChange(engine: EngineUnderTest) throws {
    let store = engine.start()
    store.session.ticket = StoreTicket(key: "k")
    try store.delete("none")
    try store.pop("none")
    try store.touch("none", expires: .after(5))
    try store.deleteRange(.all)
    try store.set("none", 1, expires: .at(1))
    try store.transact(then: [.get("none")])
    #expect(throws: StoreError.notFound) { try store.set("none", 1, if: .exists(true)) }
    #expect(throws: StoreError.stepFailed(index: 1, .notFound)) {
      try store.transact(then: [.set("a", 1), .set("b", 1, if: .exists(true))])
    }
    #expect(try store.get("a") == nil)
    #expect(store.engine.status().idempotencyBytes == 0)
    store.session.ticket?.request = "another"
    #expect(try store.increment("n").value == 1)
    store.session.ticket = StoreTicket(key: "l")
    #expect(try store.touch("n", expires: .keep).revision == store.revision)
    #expect(try store.increment("n").value == 2)
  }

  @Test("An expired key ends before the write that meets it", arguments: EngineUnderTest.all)
  func expired(engine: EngineUnderTest) throws {
    let store = engine.start()
    try store.set("key", "old", expires: .after(10))
    store.clock.advance(millis: 10)
    store.session.ticket = StoreTicket(key: "k")
    let before = store.revision
    let first = try store.set("key", "new", returnPrevious: true)
    #expect(first == SetAnswer(revision: before + 2, created: true, previous: nil))
    #expect(try store.set("key", "new", returnPrevious: true) == first)
  }

  @Test("An answer that does not fit is not replayed in part", arguments: EngineUnderTest.all)
  func budget(engine: EngineUnderTest) throws {
    let store = engine.start()
    try store.push("list", [Bytes(repeating: 1, count: 5_000), "b"])
    store.session.ticket = StoreTicket(key: "k")
    let first = try store.pop("list", count: 2)
    _ = store.withBudget(1_000) {
      #expect {
        try store.pop("list", count: 2)
      } throws: {
        guard case .some(.replyTooLarge(bytes: _, limit: 1_000)) = $0 as? StoreError else {
          return false
        }
        return true
      }
    }
    #expect(try store.pop("list", count: 2) == first)
  }

  @Test("Of the same write from several threads one is executed", arguments: EngineUnderTest.all)
  func threads(engine: EngineUnderTest) async throws {
    let store = engine.start()
    let shared = store.engine
    let answers = await withTaskGroup(of: [StoreAnswer?].self) { group in
      for _ in 0..<4 {
        group.addTask {
          let session = EngineSession(shared)
          return (0..<200).map { number in
            session.ticket = StoreTicket(key: Bytes("\(number)"))
            return try? session.perform(.increment(IncrementCall(key: "n", delta: 1)))
          }
        }
      }
      var all: [[StoreAnswer?]] = []
      for await answers in group { all.append(answers) }
      return all
    }
    #expect(try store.value("n") == 200)
    for other in answers { #expect(other == answers[0]) }
  }
}
