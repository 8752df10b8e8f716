import RoostClient
import TestSupport
import Testing

/// README shows this code; `Tools/check-readme` compares the two.
@Suite struct ReadmeExampleTests {
  struct User: Codable, Sendable, Hashable {
    var name: String
    var visits: Int
  }

  @Test("README's Swift example does what README says")
  func example() async throws {
    let server = try await RoostdProcess.start()
    let endpoint = try #require(Endpoint(server.endpoint))
    let token = try server.adminToken

    let configuration = RoostClient.Configuration(
      endpoint: endpoint, token: .fixed(token), timeout: .seconds(2))

    try await withRoostClient(configuration: configuration) { client in
      // String, Int, Double, Bool, [String] and ByteBuffer are kept as what they are.
      try await client.set("greeting", "hello", expiration: .after(.seconds(3600)))
      let greeting: String? = try await client.get("greeting")

      // Codable types are kept as JSON; update is compare-and-set with retries.
      try await client.set("user:1", User(name: "Ada", visits: 0))
      let user = try await client.update("user:1", as: User.self) { user in
        guard var user else { return nil }
        user.visits += 1
        return user
      }

      // Conditions, counters, lists, transactions and scans.
      let created = try await client.set("lock", "me", if: .absent)
      let visits = try await client.increment("visits", by: 2)
      try await client.push("jobs", contentsOf: ["resize 17", "mail 4"])
      let job: String? = try await client.pop("jobs")
      let result = try await client.transact(
        if: [.init("lock", .revision(created.revision))],
        then: [.delete("lock"), .set("released", true)])
      for try await entry in client.scan(.prefix("user:"), as: User.self) {
        print(entry.key, entry.value.name, entry.revision)
      }

      print(greeting ?? "", user?.visits ?? 0, visits, job ?? "", result.succeeded)

      // An error has a gRPC status code; reading a text as an Int is one.
      do {
        _ = try await client.get("greeting", as: Int.self)
      } catch let error as RoostError where error.code == .failedPrecondition {
        print(error)
      }
    }

    try await withRoostClient(configuration: configuration) { (client) async throws -> Void in
      #expect(try await client.get("greeting") == "hello")
      #expect(try await client.get("user:1", as: User.self) == User(name: "Ada", visits: 1))
      #expect(try await client.get("visits", as: Int.self) == 2)
      #expect(try await client.listRange("jobs", as: String.self) == ["mail 4"])
      #expect(try await client.get("lock", as: String.self) == nil)
      #expect(try await client.get("released", as: Bool.self) == true)
    }
    #expect(try await server.stop() == 0)
  }
}
