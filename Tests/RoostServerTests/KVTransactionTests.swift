import RoostAPI
import TTRPC
import Testing

@Suite struct KVTransactionTests {
  private func set(_ key: String, _ value: Value) -> Operation {
    Operation(kind: .set(SetRequest(key: [UInt8](key), value: value)))
  }
  private func get(_ key: String) -> Operation {
    Operation(kind: .get(GetRequest(key: [UInt8](key))))
  }
  private func exists(_ key: String, _ exists: Bool) -> Compare {
    Compare(key: [UInt8](key), condition: Condition(kind: .exists(exists)))
  }

  @Test("Every kind of step takes effect in order at one revision")
  func everyStep() async throws {
    try await TestServer.with { server in
      let kv = try server.kv()
      try await kv.set("gone", .int(1))
      let answer = try await kv.transact(
        TransactRequest(success: [
          set("a", .int(1)), get("a"),
          Operation(kind: .increment(IncrementRequest(key: [UInt8]("a"), delta: 4))),
          Operation(kind: .push(PushRequest(key: [UInt8]("l"), items: [[1], [2]]))),
          Operation(kind: .pop(PopRequest(key: [UInt8]("l"), end: .front))),
          Operation(kind: .delete(DeleteRequest(key: [UInt8]("gone")))), get("gone"),
        ]))
      #expect(answer.succeeded && answer.results.count == 7)
      guard case .set(let set) = answer.results[0].kind,
        case .get(let got) = answer.results[1].kind,
        case .increment(let sum) = answer.results[2].kind,
        case .push(let push) = answer.results[3].kind, case .pop(let pop) = answer.results[4].kind,
        case .delete(let delete) = answer.results[5].kind,
        case .get(let missing) = answer.results[6].kind
      else {
        Issue.record("\(answer)")
        return
      }
      #expect(set.created && set.revision == answer.revision)
      #expect(got.entry?.value == .int(1) && got.entry?.revision == answer.revision)
      #expect(sum.value == 5 && push.length == 2 && pop.items == [[1]] && pop.length == 1)
      #expect(delete.deleted && !missing.found)
      #expect(try await kv.get("a").entry?.revision == answer.revision)
    }
  }

  @Test("Compares choose the branch, all of them")
  func branches() async throws {
    try await TestServer.with { server in
      let kv = try server.kv()
      let revision = try await kv.set("a", .int(1)).revision
      let both = TransactRequest(
        compares: [
          exists("a", true), exists("b", false),
          Compare(key: [UInt8]("a"), condition: Condition(kind: .revision(revision))),
          Compare(key: [UInt8]("a"), condition: Condition(kind: .value(.int(1)))),
        ],
        success: [set("b", .text("yes"))], failure: [set("b", .text("no"))])
      #expect(try await kv.transact(both).succeeded)
      #expect(try await kv.get("b").entry?.value == .text("yes"))
      let second = try await kv.transact(both)
      #expect(!second.succeeded && second.results.count == 1)
      #expect(try await kv.get("b").entry?.value == .text("no"))
    }
  }

  @Test("A failing step names its index and undoes the steps before it")
  func failingStep() async throws {
    try await TestServer.with { server in
      let kv = try server.kv()
      try await kv.set("text", .text("x"))
      let before = try await kv.count(CountRequest()).revision
      let error = await #expect(throws: RPCError.self) {
        try await kv.transact(
          TransactRequest(success: [
            set("a", .int(1)), set("text", .text("y")),
            Operation(kind: .increment(IncrementRequest(key: [UInt8]("text"), delta: 1))),
          ]))
      }
      #expect(error?.code == .failedPrecondition && error?.message.contains("step 2") == true)
      #expect(try await kv.get("a").found == false)
      #expect(try await kv.get("text").entry?.value == .text("x"))
      #expect(try await kv.count(CountRequest()).revision == before)
    }
  }

  @Test("A bad step is refused by its place, also in the branch that is not taken")
  func badStep() async throws {
    try await TestServer.with { server in
      let kv = try server.kv()
      let error = await #expect(throws: RPCError.self) {
        try await kv.transact(
          TransactRequest(
            success: [set("a", .int(1))], failure: [set("a", .int(1)), set("", .int(1))]))
      }
      #expect(error?.code == .invalidArgument)
      #expect(error?.message.contains("failure[1]") == true)
      #expect(try await kv.get("a").found == false)
    }
  }

  @Test("A transaction of nothing succeeds, and one of 128 steps too")
  func sizes() async throws {
    try await TestServer.with { server in
      let kv = try server.kv()
      #expect(try await kv.transact(TransactRequest()).succeeded)
      let steps = (0..<128).map { set("k\($0)", .int(Int64($0))) }
      #expect(try await kv.transact(TransactRequest(success: steps)).results.count == 128)
      #expect(try await kv.count(CountRequest()).count == 128)
    }
  }

  @Test("A batch answers in the order of its keys, at one revision")
  func batch() async throws {
    try await TestServer.with { server in
      let kv = try server.kv()
      for name in ["a", "b"] { try await kv.set(name, .text(name)) }
      let keys = ["b", "missing", "a", "b"].map { [UInt8]($0) }
      let batch = try await kv.batchGet(BatchGetRequest(keys: keys))
      #expect(batch.results.map(\.found) == [true, false, true, true])
      #expect(batch.results.map(\.entry?.value) == [.text("b"), nil, .text("a"), .text("b")])
      #expect(batch.revision >= batch.results[0].entry!.revision)
      let bare = try await kv.batchGet(BatchGetRequest(keys: keys, keysOnly: true))
      #expect(bare.results.allSatisfy { $0.entry?.value == nil })
      #expect(try await kv.batchGet(BatchGetRequest()).results.isEmpty)
    }
  }

  @Test("A batch of large values answers 4 MiB and leaves out what does not fit")
  func largeBatch() async throws {
    try await TestServer.with { server in
      let kv = try server.kv()
      let value = Value.bytes([UInt8](repeating: 1, count: 1 << 20))
      for index in 0..<6 { try await kv.set("k\(index)", value) }
      let keys = (0..<6).map { [UInt8]("k\($0)") }
      let batch = try await kv.batchGet(BatchGetRequest(keys: keys))
      #expect(batch.results.allSatisfy { $0.found })
      #expect(batch.results.filter { $0.entry?.value == value }.count == 3)
      #expect(batch.results.filter { $0.entry?.valueOmitted == true }.count == 3)
    }
  }
}
