import RoostAPI
import RoostServer
import TTRPC
import Testing

@Suite struct KVListTests {
  private let key = [UInt8]("l")
  private func items(_ text: String) -> [[UInt8]] { text.map { [UInt8](String($0)) } }

  @Test("Items are pushed and popped at both ends; an empty list is gone")
  func bothEnds() async throws {
    try await TestServer.with { server in
      let kv = try server.kv()
      let pushed = try await kv.push(PushRequest(key: key, items: items("cde")))
      #expect(pushed.length == 3 && pushed.revision > 0)
      #expect(
        try await kv.push(PushRequest(key: key, items: items("ba"), end: .front)).length == 5)
      #expect(try await kv.get("l").entry?.value == .list(["a", "b", "c", "d", "e"]))
      let back = try await kv.pop(PopRequest(key: key, end: .back, count: 2))
      #expect(back.items == items("ed") && back.length == 3)
      #expect(try await kv.pop(PopRequest(key: key, end: .front)).items == items("a"))
      let rest = try await kv.pop(PopRequest(key: key, end: .front, count: 1000))
      #expect(rest.items == items("bc") && rest.length == 0 && rest.revision > back.revision)
      #expect(try await kv.get("l").found == false)
    }
  }

  @Test("A push is trimmed from the other end, and must find a list where it says so")
  func trimmed() async throws {
    try await TestServer.with { server in
      let kv = try server.kv()
      let must = PushRequest(key: key, items: items("a"), mustExist: true)
      #expect(await code { try await kv.push(must) } == .notFound)
      _ = try await kv.push(PushRequest(key: key, items: items("abcd"), maxLength: 3))
      #expect(try await kv.get("l").entry?.value == .list(["b", "c", "d"]))
      _ = try await kv.push(PushRequest(key: key, items: items("z"), end: .front, maxLength: 2))
      #expect(try await kv.get("l").entry?.value == .list(["z", "b"]))
      #expect(try await kv.push(must).length == 3)
    }
  }

  @Test("A list is read by index from either end")
  func range() async throws {
    try await TestServer.with { server in
      let kv = try server.kv()
      let revision = try await kv.push(PushRequest(key: key, items: items("abcdef"))).revision
      for (start, stop, expected) in [
        (Int64(0), Int64(-1), "abcdef"), (1, 2, "bc"), (-2, -1, "ef"), (-100, 1, "ab"),
        (4, 100, "ef"), (3, 2, ""), (6, 9, ""), (.min, .max, "abcdef"), (.max, .min, ""),
      ] {
        let range = try await kv.listRange(ListRangeRequest(key: key, start: start, stop: stop))
        #expect(range.items == items(expected), "\(start)...\(stop)")
        #expect(range.found && range.length == 6 && range.revision == revision)
      }
    }
  }

  @Test("List calls on other values and counters on lists are FAILED_PRECONDITION")
  func wrongType() async throws {
    try await TestServer.with { server in
      let kv = try server.kv()
      try await kv.set("t", .text("x"))
      try await kv.set("l", .list(["x"]))
      let text = [UInt8]("t")
      for code in [
        await code { try await kv.push(PushRequest(key: text, items: [[1]])) },
        await code { try await kv.pop(PopRequest(key: text)) },
        await code { try await kv.listRange(ListRangeRequest(key: text)) },
        await code { try await kv.increment(IncrementRequest(key: text, delta: 1)) },
        await code { try await kv.increment(IncrementRequest(key: key, delta: 1)) },
      ] {
        #expect(code == .failedPrecondition)
      }
      #expect(try await kv.get("t").entry?.value == .text("x"))
      #expect(try await kv.get("l").entry?.value == .list(["x"]))
    }
  }

  @Test("A list over the configured length or size is refused whole")
  func bounded() async throws {
    var limits = ServerLimits()
    limits.maxListItems = 3
    try await TestServer.with(limits: limits) { server in
      let kv = try server.kv()
      _ = try await kv.push(PushRequest(key: key, items: items("ab")))
      let push = PushRequest(key: key, items: items("cd"))
      #expect(await code { try await kv.push(push) } == .resourceExhausted)
      #expect(
        await code { try await kv.set("other", .list(["1", "2", "3", "4"])) }
          == .resourceExhausted)
      #expect(try await kv.get("l").entry?.value == .list(["a", "b"]))
    }
  }

  @Test("Nothing is popped into an answer that does not fit a frame")
  func answerTooLarge() async throws {
    try await TestServer.with { server in
      let kv = try server.kv()
      let big = [UInt8](repeating: 1, count: 1 << 20)
      for _ in 0..<5 { _ = try await kv.push(PushRequest(key: key, items: [big])) }
      #expect(
        await code { try await kv.pop(PopRequest(key: key, count: 5)) } == .resourceExhausted)
      let whole = ListRangeRequest(key: key, start: 0, stop: -1)
      #expect(await code { try await kv.listRange(whole) } == .resourceExhausted)
      #expect(try await kv.listRange(ListRangeRequest(key: key)).length == 5)
      let error = await #expect(throws: RPCError.self) { try await kv.get("l") }
      #expect(error?.code == .resourceExhausted)
      let message = error?.message ?? ""
      #expect(message.contains("5 items") && message.contains("ListRange"), "\(message)")
      let bare = try await kv.get(GetRequest(key: key, keysOnly: true))
      #expect(bare.found && bare.entry?.valueOmitted == false)
      let batch = try await kv.batchGet(BatchGetRequest(keys: [key]))
      #expect(batch.results.first?.entry?.valueOmitted == true)
      #expect(try await kv.pop(PopRequest(key: key, count: 3)).items.count == 3)
    }
  }
}
