import RoostClient
import Testing

@Suite("Writes and their conditions") struct WriteTests {
  @Test("An entry tells its history")
  func history() async throws {
    try await withStore { (client) async throws in
      let first = try await client.set("k", "a")
      let second = try await client.set("k", "b", expiration: .after(.seconds(3600)))
      #expect(first.created && !second.created && second.revision > first.revision)
      let entry = try #require(await client.entry("k", as: String.self))
      #expect(entry.key == "k" && entry.value == "b" && entry.version == 2)
      #expect(entry.revision == second.revision && entry.createRevision == first.revision)
      let expires = try #require(entry.expiresAtMillis)
      #expect((3_590_000...3_601_000).contains(expires - entry.updatedAtMillis))
      let info = try #require(await client.info("k"))
      #expect(info.revision == entry.revision && info.expiresAtMillis == expires)
    }
  }

  @Test("Conditions hold or are errors with their own codes")
  func conditions() async throws {
    try await withStore { (client) async throws in
      let written = try await client.set("k", 1)
      let codes = [
        await failure { () async throws(RoostError) in
          try await client.set("k", 2, if: .absent)
        }?.code,
        await failure { () async throws(RoostError) in
          try await client.set("none", 2, if: .exists)
        }?.code,
        await failure { () async throws(RoostError) in
          try await client.set("k", 2, if: .revision(written.revision - 1))
        }?.code,
        await failure { () async throws(RoostError) in
          try await client.delete("k", if: .value(9))
        }?.code,
        await failure { () async throws(RoostError) in try await client.update("none", to: 1) }?
          .code,
      ]
      #expect(codes == [.alreadyExists, .notFound, .aborted, .aborted, .notFound])
      try await client.set("k", 2, if: .revision(written.revision))
      try await client.set("k", 3, if: .value(2))
      #expect(try await client.delete("k", if: .value(3)) == true)
      #expect(try await client.delete("k") == false)
    }
  }

  @Test("Creating tells whether the key was free")
  func create() async throws {
    try await withStore { (client) async throws in
      #expect(try await client.create("lock", "me", expiration: .after(.seconds(30))) == true)
      #expect(try await client.create("lock", "you") == false)
      #expect(try await client.get("lock", as: String.self) == "me")
    }
  }

  @Test("A repeated write under an idempotency key gets the first answer and changes nothing")
  func idempotency() async throws {
    try await withStore { (client) async throws in
      let key = RoostClient.IdempotencyKey.random()
      #expect(try await client.increment("n", by: 5, idempotencyKey: key) == 5)
      #expect(try await client.increment("n", by: 5, idempotencyKey: key) == 5)
      #expect(try await client.get("n", as: Int.self) == 5)
      let other = await failure { () async throws(RoostError) in
        try await client.increment("n", by: 6, idempotencyKey: key)
      }
      #expect(other?.code == .invalidArgument)

      let items = ["a", "b"]
      #expect(try await client.push("l", contentsOf: items, idempotencyKey: "push") == 2)
      #expect(try await client.push("l", contentsOf: items, idempotencyKey: "push") == 2)
      #expect(try await client.pop("l", as: String.self, idempotencyKey: "pop") == "a")
      #expect(try await client.pop("l", as: String.self, idempotencyKey: "pop") == "a")
      #expect(try await client.listRange("l", as: String.self) == ["b"])

      #expect(try await client.create("lock", "me", idempotencyKey: "lock") == true)
      #expect(try await client.create("lock", "me", idempotencyKey: "lock") == true)
      #expect(try await client.create("lock", "me", idempotencyKey: "again") == false)
      let taken = try await client.take("lock", as: String.self, idempotencyKey: "take")
      #expect(taken == "me")
      #expect(try await client.take("lock", as: String.self, idempotencyKey: "take") == taken)
      #expect(try await client.take("lock", as: String.self) == nil)

      let long = await failure { () async throws(RoostError) in
        let key = RoostClient.IdempotencyKey(String(repeating: "x", count: 65))
        try await client.set("k", 1, idempotencyKey: key)
      }
      #expect(long?.code == .invalidArgument)
    }
  }

  @Test("Exchanging and taking give what was there")
  func exchange() async throws {
    try await withStore { (client) async throws in
      #expect(try await client.exchange("k", "a") == nil)
      #expect(try await client.exchange("k", "b") == "a")
      #expect(try await client.take("k", as: String.self) == "b")
      #expect(try await client.exists("k") == false)
    }
  }

  @Test("Updating keeps when a key ends; touching changes it; setting makes it permanent")
  func expiration() async throws {
    try await withStore { (client) async throws in
      try await client.set("k", "a", expiration: .after(.seconds(60)))
      let set = try await client.info("k")?.expiresAtMillis
      try await client.update("k", to: "b")
      let updated = try await client.info("k")?.expiresAtMillis
      #expect(set != nil && updated == set)
      #expect(try await client.touch("k", expiration: .never) == true)
      #expect(try await client.info("k")?.expiresAtMillis == nil)
      #expect(try await client.touch("none", expiration: .never) == false)
      try await client.touch("k", expiration: .atUnixMillis(1))
      #expect(try await client.exists("k") == false)
    }
  }

  @Test("Counters count, and stop at the end of the range")
  func increment() async throws {
    try await withStore { (client) async throws in
      #expect(try await client.increment("n") == 1)
      #expect(try await client.increment("n", by: -5) == -4)
      #expect(try await client.increment("m", by: 2, initial: 40) == 42)
      try await client.set("max", Int.max)
      let overflow = await failure { () async throws(RoostError) in
        try await client.increment("max")
      }
      #expect(overflow?.code == .outOfRange)
      try await client.set("text", "x")
      let wrong = await failure { () async throws(RoostError) in
        try await client.increment("text")
      }
      #expect(wrong?.code == .failedPrecondition)
      let never = await failure { () async throws(RoostError) in
        try await client.increment("n", expiration: .never)
      }
      #expect(never?.code == .unimplemented)
    }
  }

  @Test("Compare-and-set loses no update of many writers")
  func compareAndSet() async throws {
    struct Counter: Codable, Sendable { var count = 0 }
    try await withStore { (client) async throws in
      try await withThrowingTaskGroup(of: Void.self) { group in
        for _ in 0..<8 {
          group.addTask {
            for _ in 0..<5 {
              try await client.update("c", as: Counter.self, attempts: 500) { old in
                Counter(count: (old?.count ?? 0) + 1)
              }
            }
          }
        }
        try await group.waitForAll()
      }
      let counter = try await client.get("c", as: Counter.self)
      #expect(counter?.count == 40)
    }
  }

  @Test("Compare-and-set leaves the key alone where the closure gives nil, and gives up in the end")
  func compareAndSetEnds() async throws {
    try await withStore { (client) async throws in
      try await client.set("k", 1)
      let before = try await client.info("k")?.revision
      let same = try await client.update("k", as: Int.self) { _ in nil }
      #expect(same == 1)
      #expect(try await client.info("k")?.revision == before)
      let error = await #expect(throws: RoostError.self) {
        try await client.update("k", as: Int.self, attempts: 3) { old in
          try await client.increment("k")
          return (old ?? 0) + 100
        }
      }
      #expect(error?.code == .aborted)
      #expect(try await client.get("k", as: Int.self) == 4)
      struct Stop: Error {}
      await #expect(throws: Stop.self) {
        try await client.update("k", as: Int.self) { _ in throw Stop() }
      }
    }
  }

  @Test("A durability that the engine cannot give is refused")
  func durability() async throws {
    try await withStore { (client) async throws in
      let error = await failure { () async throws(RoostError) in
        try await client.set("k", 1, durability: .synced)
      }
      #expect(error?.code == .failedPrecondition)
      try await client.set("k", 1, durability: .memory)
    }
  }
}
