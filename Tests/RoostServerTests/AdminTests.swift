import RoostAPI
import RoostServer
import TTRPC
import Testing

@Suite struct AdminTests {
  @Test("Ping answers with its payload, of any size that fits a frame")
  func ping() async throws {
    try await TestServer.with { server in
      let admin = try server.admin()
      for count in [0, 1, 100_000, (4 << 20) - 100] {
        let payload = [UInt8](repeating: 3, count: count)
        #expect(try await admin.ping(PingRequest(payload: payload)).payload == payload)
      }
    }
  }

  @Test("Status counts keys, connections and calls")
  func status() async throws {
    try await TestServer.with { server in
      let wire = try server.connect()
      let other = try server.connect()
      let (admin, kv) = (Admin.Client(wire), KV.Client(other))
      let first = try await admin.status(StatusRequest())
      #expect(first.engine == "memory" && first.version == RoostVersion.current)
      #expect(first.keyCount == 0 && first.durableRevision == 0 && first.logBytes == 0)
      #expect(!first.draining && first.uptimeMs >= 0)
      let set = try await kv.set("k", .bytes([UInt8](repeating: 1, count: 5000)))
      let second = try await admin.status(StatusRequest())
      #expect(second.keyCount == 1 && second.revision == set.revision)
      #expect(second.memoryBytes >= first.memoryBytes + 5000)
      #expect(second.connectionCount == 2)
      #expect(second.callCount >= first.callCount + 2)
      #expect(second.uptimeMs >= first.uptimeMs)
    }
  }

  @Test(
    "What is in the API and not built yet answers UNIMPLEMENTED",
    arguments: Admin.Methods.all.filter { !["Ping", "Status", "Snapshot"].contains($0.name) }
      + [MethodDescriptor(service: "roost.v1.Watch", name: "Poll")])
  func notBuilt(method: MethodDescriptor) async throws {
    try await TestServer.with { server in
      let answer = try await server.connect().exchange([.init(method: method, request: [])])[0]
      #expect(answer.code == .unimplemented)
    }
  }

  @Test("Ping and Status need no grant")
  func noGrant() async throws {
    let nobody = Principal(tokenID: "aaaaaaaa", name: "nobody", grants: [])
    try await TestServer.with(principal: nobody) { server in
      let admin = try server.admin()
      _ = try await admin.ping(PingRequest())
      #expect(try await admin.status(StatusRequest()).engine == "memory")
    }
  }
}
