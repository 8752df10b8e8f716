import RoostAPI
import TTRPC
import Testing

@Suite struct KVKeyTests {
  @Test(
    "A value of every kind comes back as it was set",
    arguments: [
      Value.Kind.bytesValue([0, 255, 0]), .bytesValue([]), .textValue([UInt8]("zażółć\0gęś")),
      .textValue([]), .intValue(.min), .intValue(0), .intValue(.max), .doubleValue(-0.5),
      .doubleValue(.infinity), .boolValue(true), .boolValue(false),
      .listValue(ListValue(items: [[1, 0], [], [2]])),
    ])
  func everyKind(kind: Value.Kind) async throws {
    try await TestServer.with { server in
      let kv = try server.kv()
      let set = try await kv.set("k", Value(kind: kind))
      #expect(set.created && set.revision > 0 && set.previous == nil && !set.replayed)
      let got = try await kv.get("k")
      let entry = try #require(got.entry)
      #expect(got.found)
      #expect(entry.value?.kind == kind)
      #expect(entry.key.isEmpty)
      #expect(entry.revision == set.revision && entry.createRevision == set.revision)
      #expect(entry.version == 1 && entry.expiresAtMs == 0 && entry.createdAtMs > 0)
      #expect(!entry.valueOmitted)
    }
  }

  @Test("A missing key is an answer, not an error")
  func missing() async throws {
    try await TestServer.with { server in
      let kv = try server.kv()
      #expect(try await kv.get("k") == GetResponse())
      #expect(try await kv.delete(DeleteRequest(key: [1])) == DeleteResponse())
      #expect(try await kv.touch(TouchRequest(key: [1])).found == false)
      #expect(try await kv.pop(PopRequest(key: [1])).items.isEmpty)
      #expect(try await kv.listRange(ListRangeRequest(key: [1], stop: -1)).found == false)
    }
  }

  @Test("Keys only leaves the value out and keeps the history")
  func keysOnly() async throws {
    try await TestServer.with { server in
      let kv = try server.kv()
      let set = try await kv.set("k", .text("v"))
      let entry = try #require(
        try await kv.get(GetRequest(key: [UInt8]("k"), keysOnly: true)).entry)
      #expect(entry.value == nil && !entry.valueOmitted && entry.revision == set.revision)
    }
  }

  @Test("A write returns what was there before where it is asked to")
  func previous() async throws {
    try await TestServer.with { server in
      let kv = try server.kv()
      let options = WriteOptions(returnPrevious: true)
      let key = [UInt8]("k")
      let first = try await kv.set(SetRequest(key: key, value: .int(1), options: options))
      #expect(first.previous == nil && first.created)
      let second = try await kv.set(SetRequest(key: key, value: .int(2), options: options))
      #expect(second.previous?.value == .int(1) && !second.created)
      #expect(second.previous?.revision == first.revision)
      let deleted = try await kv.delete(DeleteRequest(key: key, options: options))
      #expect(deleted.deleted && deleted.previous?.value == .int(2))
      #expect(deleted.previous?.version == 2 && deleted.revision > second.revision)
    }
  }

  @Test("Expirations are set, kept, moved and taken away")
  func expirations() async throws {
    try await TestServer.with { server in
      let kv = try server.kv()
      let key = [UInt8]("k")
      func end() async throws -> Int64 { try await kv.get("k").entry?.expiresAtMs ?? -1 }
      let hour = Expiration(kind: .ttlMs(3_600_000))
      _ = try await kv.set(SetRequest(key: key, value: .int(1), expiration: hour))
      let first = try await end()
      #expect(first > 0)
      _ = try await kv.set(
        SetRequest(key: key, value: .int(2), expiration: Expiration(kind: .keep(true))))
      #expect(try await end() == first)
      _ = try await kv.increment(IncrementRequest(key: key, delta: 1))
      #expect(try await end() == first)
      let touched = try await kv.touch(
        TouchRequest(key: key, expiration: Expiration(kind: .atMs(first + 5000))))
      #expect(touched.found && touched.expiresAtMs == first + 5000)
      #expect(try await end() == first + 5000)
      #expect(try await kv.touch(TouchRequest(key: key)).expiresAtMs == 0)
      #expect(try await end() == 0)
      _ = try await kv.set(
        SetRequest(key: key, value: .int(3), expiration: Expiration(kind: .atMs(1))))
      #expect(try await kv.get("k").found == false)
    }
  }

  @Test("A counter begins at its initial value and fails at both ends without adding")
  func counters() async throws {
    try await TestServer.with { server in
      let kv = try server.kv()
      let key = [UInt8]("n")
      func add(_ delta: Int64, initial: Int64 = 0) async throws -> Int64 {
        try await kv.increment(IncrementRequest(key: key, delta: delta, initial: initial)).value
      }
      #expect(try await add(5, initial: 10) == 15)
      #expect(try await add(-20) == -5)
      for (end, step) in [(Int64.max, Int64(1)), (.min, -1)] {
        try await kv.set("n", .int(end))
        #expect(await code { try await add(step) } == .outOfRange)
        #expect(try await kv.get("n").entry?.value == .int(end))
        #expect(try await add(-step) == end - step)
      }
    }
  }
}

@Suite struct KVConditionTests {
  @Test("Conditions have their codes on present and on missing keys")
  func conditions() async throws {
    try await TestServer.with { server in
      let kv = try server.kv()
      let present = try await kv.set("present", .int(1)).revision
      func set(_ key: String, _ kind: Condition.Kind) async -> StatusCode {
        await code {
          try await kv.set(
            SetRequest(key: [UInt8](key), value: .int(1), condition: Condition(kind: kind)))
        }
      }
      func delete(_ key: String, _ kind: Condition.Kind) async -> StatusCode {
        await code {
          try await kv.delete(
            DeleteRequest(key: [UInt8](key), condition: Condition(kind: kind)))
        }
      }
      #expect(await set("present", .exists(false)) == .alreadyExists)
      #expect(await set("present", .revision(present + 1)) == .aborted)
      #expect(await set("present", .value(.int(2))) == .aborted)
      #expect(await set("missing", .exists(true)) == .notFound)
      #expect(await set("missing", .revision(1)) == .notFound)
      #expect(await set("missing", .value(.int(1))) == .notFound)
      #expect(await delete("present", .revision(present + 1)) == .aborted)
      #expect(await delete("present", .value(.text("1"))) == .aborted)
      #expect(await delete("missing", .exists(true)) == .notFound)
      #expect(try await kv.get("present").entry?.revision == present)
      #expect(await set("present", .revision(present)) == .ok)
      #expect(await set("present", .value(.int(1))) == .ok)
      #expect(await set("present", .exists(true)) == .ok)
      #expect(await set("missing", .exists(false)) == .ok)
      #expect(await delete("present", .value(.int(1))) == .ok)
      #expect(try await kv.get("present").found == false)
    }
  }

  @Test("A failed revision condition names the current revision")
  func currentRevision() async throws {
    try await TestServer.with { server in
      let kv = try server.kv()
      let revision = try await kv.set("k", .int(1)).revision
      let error = await #expect(throws: RPCError.self) {
        try await kv.set(
          SetRequest(
            key: [UInt8]("k"), value: .int(2), condition: Condition(kind: .revision(1))))
      }
      #expect(error?.code == .aborted && error?.message.contains("\(revision)") == true)
    }
  }

  @Test("The memory engine cannot give a durability, and nothing is written")
  func durability() async throws {
    try await TestServer.with { server in
      let kv = try server.kv()
      for (durability, expected) in [
        (Durability.unspecified, StatusCode.ok), (.memory, .ok), (.logged, .failedPrecondition),
        (.synced, .failedPrecondition), (.unrecognized(4), .invalidArgument),
        (.unrecognized(-1), .invalidArgument),
      ] {
        let options = WriteOptions(durability: durability)
        let key = [UInt8]("\(durability.rawValue)")
        #expect(
          await code {
            try await kv.set(SetRequest(key: key, value: .int(1), options: options))
          } == expected)
        #expect(try await kv.get(GetRequest(key: key)).found == (expected == .ok))
        #expect(
          await code {
            try await kv.deleteRange(
              DeleteRangeRequest(range: KeyRange(prefix: key), options: options))
          } == expected)
        #expect(
          await code {
            try await kv.transact(
              TransactRequest(
                success: [Operation(kind: .set(SetRequest(key: key, value: .int(1))))],
                options: options))
          } == expected)
      }
    }
  }
}
