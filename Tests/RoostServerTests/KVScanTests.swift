import RoostAPI
import RoostServer
import TTRPC
import Testing

@Suite struct KVScanTests {
  private func name(_ index: Int) -> String { "k" + String(10_000 + index) }

  private func fill(_ kv: KV.Client, _ count: Int) async throws {
    for first in stride(from: 0, to: count, by: 128) {
      let steps = (first..<min(first + 128, count)).map {
        Operation(kind: .set(SetRequest(key: [UInt8](name($0)), value: .int(Int64($0)))))
      }
      _ = try await kv.transact(TransactRequest(success: steps))
    }
  }

  /// Every page of a scan.
  private func pages(_ kv: KV.Client, _ request: ScanRequest) async throws -> [ScanResponse] {
    var request = request
    var pages: [ScanResponse] = []
    repeat {
      let page = try await kv.scan(request)
      pages.append(page)
      request.pageToken = page.nextPageToken
    } while !request.pageToken.isEmpty && pages.count < 1000
    return pages
  }

  @Test(
    "Pages of every size, on the loop and beside it, cover the range once, in order",
    arguments: [1, 7, 100, 256, 257, 600, 10_000], [false, true])
  func pages(size: Int64, reverse: Bool) async throws {
    try await TestServer.with { server in
      let kv = try server.kv()
      try await fill(kv, 700)
      try await kv.set("j", .int(0))
      try await kv.set("l", .int(0))
      let request = ScanRequest(
        range: KeyRange(prefix: [UInt8]("k")), reverse: reverse, pageSize: size)
      let pages = try await pages(kv, request)
      let keys = pages.flatMap { $0.entries.map(\.key) }
      let expected = (0..<700).map { [UInt8](name($0)) }
      #expect(keys == (reverse ? expected.reversed() : expected))
      #expect(pages.dropLast().allSatisfy { $0.entries.count == Int(size) })
      #expect(pages.map(\.examined).reduce(0, +) == 700)
      let values = pages.flatMap { $0.entries.map(\.value) }
      let numbers = (0..<700).map { Value.int(Int64($0)) }
      #expect(values == (reverse ? numbers.reversed() : numbers))
    }
  }

  @Test("A range is inclusive at its start and exclusive at its end")
  func bounds() async throws {
    try await TestServer.with { server in
      let kv = try server.kv()
      for key in ["a", "b", "c", "d"] { try await kv.set(key, .int(1)) }
      for (start, end, expected) in [
        ("b", "d", "bc"), ("b", "", "bcd"), ("", "c", "ab"), ("", "", "abcd"), ("b", "b", ""),
        ("bb", "cc", "c"), ("e", "", ""),
      ] {
        let range = KeyRange(start: [UInt8](start), end: [UInt8](end))
        let forward = try await kv.scan(ScanRequest(range: range, keysOnly: true))
        #expect(forward.entries.map(\.key) == expected.map { [UInt8](String($0)) })
        #expect(forward.entries.allSatisfy { $0.value == nil } && forward.nextPageToken.isEmpty)
        let backward = try await kv.scan(ScanRequest(range: range, reverse: true))
        #expect(backward.entries.map(\.key) == forward.entries.map(\.key).reversed())
        #expect(try await kv.count(CountRequest(range: range)).count == Int64(expected.count))
      }
    }
  }

  @Test(
    "A pattern picks keys within the range",
    arguments: [
      (MatchKind.glob, "k1000?", 10), (.glob, "*99", 7), (.glob, "k1[0]*", 700), (.glob, "k", 0),
      (.regex, "^k100[0-4]", 50), (.regex, "99$", 7), (.regex, "x", 0), (.regex, "(0|6)5$", 14),
    ])
  func patterns(kind: MatchKind, pattern: String, expected: Int) async throws {
    try await TestServer.with { server in
      let kv = try server.kv()
      try await fill(kv, 700)
      for pageSize in [Int64(3), 1000] {
        let pages = try await pages(
          kv, ScanRequest(matchKind: kind, pattern: [UInt8](pattern), pageSize: pageSize))
        let keys = pages.flatMap { $0.entries.map(\.key) }
        #expect(keys.count == expected)
        #expect(keys == keys.sorted { $0.lexicographicallyPrecedes($1) })
        #expect(pages.map(\.examined).reduce(0, +) <= 700)
      }
    }
  }

  @Test("A catastrophic pattern takes linear time, and other calls go on")
  func catastrophic() async throws {
    try await TestServer.with { server in
      let kv = try server.kv()
      let key = [UInt8](repeating: 97, count: 4000)
      for last in UInt8(0)..<50 {
        _ = try await kv.set(SetRequest(key: key + [last], value: .int(1)))
      }
      let other = try server.kv()
      async let scan = kv.scan(ScanRequest(matchKind: .regex, pattern: [UInt8]("(a+)+(a|aa)+x$")))
      #expect(try await other.get("k").found == false)
      let page = try await scan
      #expect(page.entries.isEmpty && page.examined == 50)
    }
  }

  @Test("A page ends at 1 MiB, and a scan still reaches everything")
  func largeValues() async throws {
    try await TestServer.with { server in
      let kv = try server.kv()
      let value = Value.bytes([UInt8](repeating: 1, count: 300_000))
      for index in 0..<10 { try await kv.set(name(index), value) }
      for pageSize in [Int64(100), 1000] {
        let pages = try await pages(kv, ScanRequest(pageSize: pageSize))
        #expect(pages.flatMap(\.entries).count == 10 && pages.count >= 3)
        #expect(pages.flatMap(\.entries).allSatisfy { $0.value == value })
      }
    }
  }

  @Test("A list too large for any answer is named by a scan without its value")
  func omitted() async throws {
    try await TestServer.with { server in
      let kv = try server.kv()
      let item = [UInt8](repeating: 1, count: 1 << 20)
      for _ in 0..<5 {
        _ = try await kv.push(PushRequest(key: [UInt8]("list"), items: [item]))
      }
      try await kv.set("a", .int(1))
      try await kv.set("z", .int(2))
      for pageSize in [Int64(100), 1000] {
        let entries = try await pages(kv, ScanRequest(pageSize: pageSize)).flatMap(\.entries)
        #expect(entries.map(\.key) == ["a", "list", "z"].map { [UInt8]($0) })
        #expect(entries.map(\.valueOmitted) == [false, true, false])
        #expect(entries[1].value == nil && entries[2].value == .int(2))
      }
    }
  }

  @Test("A page ends after 10,000 examined keys and may be empty")
  func examined() async throws {
    try await TestServer.with { server in
      let kv = try server.kv()
      try await fill(kv, 10_500)
      let pages = try await pages(
        kv, ScanRequest(matchKind: .glob, pattern: [UInt8]("*nothing*")))
      #expect(pages.map(\.examined) == [10_000, 500])
      #expect(pages.allSatisfy { $0.entries.isEmpty })
    }
  }

  @Test("A token fits its own range, pattern and direction only; page size and values may change")
  func tokens() async throws {
    try await TestServer.with { server in
      let kv = try server.kv()
      try await fill(kv, 50)
      let request = ScanRequest(
        range: KeyRange(prefix: [UInt8]("k1")), matchKind: .glob, pattern: [UInt8]("k*"),
        pageSize: 10)
      let token = try await kv.scan(request).nextPageToken
      func next(_ change: (inout ScanRequest) -> Void) async -> StatusCode {
        var request = request
        request.pageToken = token
        change(&request)
        return await code { try await kv.scan(request) }
      }
      #expect(await next { _ in } == .ok)
      #expect(await next { $0.pageSize = 3 } == .ok)
      #expect(await next { $0.keysOnly = true } == .ok)
      let others: [(inout ScanRequest) -> Void] = [
        { $0.range = nil }, { $0.range?.prefix = [UInt8]("k") },
        { $0.range = KeyRange(start: [UInt8]("k1")) },
        { $0.range = KeyRange(end: [UInt8]("k1")) }, { $0.pattern = [UInt8]("*") },
        { $0.matchKind = .regex }, { $0.reverse = true },
        { ($0.matchKind, $0.pattern) = (.unspecified, []) },
        { $0.pageToken[5] ^= 1 }, { $0.pageToken[$0.pageToken.count - 1] ^= 1 },
        { $0.pageToken.removeLast() }, { $0.pageToken += [0] }, { $0.pageToken[0] += 1 },
      ]
      for change in others { #expect(await next(change) == .invalidArgument) }
    }
  }

  @Test("A token goes on where its key was deleted, and sees what came behind it")
  func changedBetween() async throws {
    try await TestServer.with { server in
      let kv = try server.kv()
      try await fill(kv, 20)
      var request = ScanRequest(pageSize: 10)
      request.pageToken = try await kv.scan(request).nextPageToken
      _ = try await kv.delete(DeleteRequest(key: [UInt8](name(9))))
      try await kv.set("a", .int(1))
      try await kv.set(name(9) + "x", .int(1))
      request.pageSize = 100
      let keys = try await kv.scan(request).entries.map(\.key)
      #expect(keys.first == [UInt8](name(9) + "x") && keys.count == 11)
    }
  }
}

@Suite struct KVDeleteRangeTests {
  @Test(
    "Few and many keys are deleted at one revision; a dry run deletes none",
    arguments: [0, 1, 500, 2000])
  func sizes(count: Int) async throws {
    try await TestServer.with { server in
      let kv = try server.kv()
      try await kv.set("other", .int(1))
      for first in stride(from: 0, to: count, by: 100) {
        _ = try await kv.transact(
          TransactRequest(
            success: (first..<min(first + 100, count)).map {
              Operation(kind: .set(SetRequest(key: [UInt8]("k\($0)"), value: .int(1))))
            }))
      }
      let range = KeyRange(prefix: [UInt8]("k"))
      let dry = try await kv.deleteRange(DeleteRangeRequest(range: range, dryRun: true))
      #expect(dry.deleted == Int64(count) && dry.revision == 0)
      #expect(try await kv.count(CountRequest()).count == Int64(count + 1))
      let deleted = try await kv.deleteRange(DeleteRangeRequest(range: range))
      #expect(deleted.deleted == Int64(count))
      #expect((deleted.revision > 0) == (count > 0))
      #expect(try await kv.count(CountRequest()).count == 1)
    }
  }

  @Test("Over the limit nothing is deleted")
  func tooMany() async throws {
    var limits = ServerLimits()
    limits.maxDeleteRangeKeys = 3
    try await TestServer.with(limits: limits) { server in
      let kv = try server.kv()
      for name in ["a", "b", "c", "d"] { try await kv.set(name, .int(1)) }
      #expect(await code { try await kv.deleteRange(DeleteRangeRequest()) } == .resourceExhausted)
      #expect(try await kv.count(CountRequest()).count == 4)
      let some = DeleteRangeRequest(range: KeyRange(start: [UInt8]("b")))
      #expect(try await kv.deleteRange(some).deleted == 3)
    }
  }
}
