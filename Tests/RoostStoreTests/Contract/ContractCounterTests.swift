import RoostStore
import Testing

@Suite("Engine contract: counters") struct ContractCounterTests {
  @Test("A missing key starts at its initial value", arguments: EngineUnderTest.all)
  func initial(engine: EngineUnderTest) throws {
    let store = engine.start()
    #expect(try store.increment("a").value == 1)
    #expect(try store.increment("b", by: 5, initial: 100).value == 105)
    #expect(try store.increment("b", by: 5, initial: 100).value == 110)
    #expect(try store.increment("c", by: 0).value == 0)
    #expect(try store.increment("d", by: .min, initial: .max).value == -1)
    #expect(try store.value("b") == 110)
    #expect(try store.get("b")?.version == 2)
  }

  @Test("A counter reaches both ends of Int64 and stops there", arguments: EngineUnderTest.all)
  func ends(engine: EngineUnderTest) throws {
    for (end, inward) in [(Int64.max, Int64(-1)), (.min, 1)] {
      let store = engine.start()
      try store.set("key", .int(end + inward))
      #expect(try store.increment("key", by: -inward).value == end)
      try store.expectRefusal(.counterOverflow) { try store.increment("key", by: -inward) }
      try store.expectRefusal(.counterOverflow) { try store.increment("key", by: end) }
      #expect(try store.increment("key", by: 0).value == end)
      #expect(try store.increment("key", by: inward).value == end + inward)
      try store.expectRefusal(.counterOverflow) {
        try store.increment("new", by: -inward, initial: end)
      }
      #expect(try store.increment("new", by: 0, initial: end).value == end)
    }
  }

  @Test("Only an integer counts", arguments: EngineUnderTest.all, KeyState.present)
  func wrongType(engine: EngineUnderTest, state: KeyState) throws {
    guard state != .int else { return }
    let store = engine.start()
    let found = try #require(try state.prepare("key", in: store)?.value).kind
    let error = StoreError.wrongType(found: found, needed: .int)
    try store.expectRefusal(error) { try store.increment("key") }
    try store.expectRefusal(.stepFailed(index: 0, error)) {
      try store.transact(then: [.increment("key")])
    }
  }

  @Test("A text of digits is no counter", arguments: EngineUnderTest.all)
  func digits(engine: EngineUnderTest) throws {
    let store = engine.start()
    try store.set("key", "10")
    try store.expectRefusal(.wrongType(found: .text, needed: .int)) { try store.increment("key") }
  }
}
