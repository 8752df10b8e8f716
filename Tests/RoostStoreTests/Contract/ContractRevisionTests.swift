import RoostStore
import Testing

@Suite("Engine contract: revisions") struct ContractRevisionTests {
  @Test("Each mutation takes exactly one revision, in order", arguments: EngineUnderTest.all)
  func onePerMutation(engine: EngineUnderTest) throws {
    let store = engine.start()
    let start = store.revision
    let revisions = [
      try store.set("a", 1).revision,
      try store.set("a", 2).revision,
      try store.increment("a").revision,
      try store.increment("new").revision,
      try store.touch("a", expires: .after(1_000)).revision,
      try store.push("list", ["1", "2", "3"]).revision,
      try store.push("list", ["0"], at: .front, maxLength: 2).revision,
      try store.pop("list").revision,
      try store.pop("list", count: 1_000).revision,
      try store.delete("a").revision,
      try store.transact(then: [.set("x", 1), .set("y", 1), .set("x", 2), .delete("y")]).revision,
      try store.deleteRange(.all).revision,
    ]
    #expect(revisions == (1...12).map { start + $0 })
    #expect(store.revision == start + 12)
  }

  @Test("A call that fails or changes nothing takes none", arguments: EngineUnderTest.all)
  func noneWithoutChange(engine: EngineUnderTest) throws {
    let store = engine.start()
    try store.set("int", .int(.max))
    try store.push("list", ["a"])
    let before = store.revision
    try store.expectRefusal(.notFound) { try store.set("new", 1, if: .exists(true)) }
    try store.expectRefusal(.alreadyExists) { try store.set("int", 1, if: .exists(false)) }
    try store.expectRefusal(.counterOverflow) { try store.increment("int") }
    try store.expectRefusal(.wrongType(found: .list, needed: .int)) { try store.increment("list") }
    try store.expectRefusal(.wrongType(found: .int, needed: .list)) { try store.push("int", ["a"]) }
    try store.expectRefusal(.notFound) { try store.push("new", ["a"], mustExist: true) }
    try store.expectRefusal(.stepFailed(index: 1, .counterOverflow)) {
      try store.transact(then: [.set("x", 1), .increment("int")])
    }
    try store.expectRefusal(.rangeTooLarge(keys: 2, limit: 1)) {
      try store.deleteRange(.all, maxKeys: 1)
    }
    #expect(try store.delete("absent").revision == 0)
    #expect(try store.pop("absent").revision == 0)
    #expect(try store.touch("absent", expires: .never).revision == 0)
    #expect(try store.deleteRange(StoreRange(prefix: "z")).revision == 0)
    #expect(try store.deleteRange(.all, dryRun: true) == DeleteRangeAnswer(deleted: 2, revision: 0))
    #expect(try store.transact(then: [.get("int"), .delete("absent")]).revision == before)
    #expect(
      try store.transact(if: [.key("int", .exists(false))], then: [.set("x", 1)]).revision == before
    )
    _ = try store.get("int")
    #expect(try store.batchGet(["int"]).revision == before)
    #expect(try store.scan(ScanCall()).revision == before)
    #expect(store.revision == before)
  }

  @Test("Reads name the revision that they saw", arguments: EngineUnderTest.all)
  func readsNameTheirs(engine: EngineUnderTest) throws {
    let store = engine.start()
    let first = try store.push("list", ["a"]).revision
    let second = try store.set("key", 1).revision
    #expect(try store.get("list")?.revision == first)
    #expect(try store.listRange("list").revision == first)
    #expect(try store.batchGet(["list"]).revision == second)
    #expect(try store.scan(ScanCall()).revision == second)
    #expect(try store.perform(.count(.all)) == .count(CountAnswer(count: 2, revision: second)))
    #expect(try store.transact(then: [.get("list")]).revision == second)
  }

  @Test(
    "The volatile engine starts at the wall clock's microseconds",
    arguments: [EngineUnderTest.memory])
  func startsAtTheClock(engine: EngineUnderTest) throws {
    let store = engine.start()
    let micros = store.clock.wallMillis * 1_000
    #expect((micros...micros + 1_000).contains(store.revision))
    #expect(try store.set("key", 1).revision > micros)
  }

  @Test("All steps of a transaction share its one revision", arguments: EngineUnderTest.all)
  func transactionsShareOne(engine: EngineUnderTest) throws {
    let store = engine.start()
    let kept = try store.set("kept", 1).revision
    let answer = try store.transact(then: [
      .set("a", 1), .increment("a"), .push("list", ["x", "y"]), .pop("list"), .get("kept"),
      .delete("kept"), .get("a"),
    ])
    #expect(answer.revision == kept + 1)
    for result in answer.results {
      switch result {
      case .set(let set): #expect(set.revision == answer.revision)
      case .increment(let increment): #expect(increment.revision == answer.revision)
      case .push(let push): #expect(push.revision == answer.revision)
      case .pop(let pop): #expect(pop.revision == answer.revision)
      case .delete(let delete): #expect(delete.revision == answer.revision)
      case .get(let entry):
        #expect(entry?.revision == (entry?.version == 1 ? kept : answer.revision))
      }
    }
    #expect(try store.get("a")?.revision == answer.revision)
    #expect(try store.get("a")?.createRevision == answer.revision)
    #expect(try store.get("list")?.revision == answer.revision)
  }
}
