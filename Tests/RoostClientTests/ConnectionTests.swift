import Logging
import NIOConcurrencyHelpers
import RoostAPI
import RoostClient
import RoostServer
import ServiceLifecycle
import Testing

@Suite("A client and its server") struct ConnectionTests {
  @Test("TCP and Unix sockets; ping, status, and generated stubs beside the client's own calls")
  func transports() async throws {
    let server = try LiveServer()
    for endpoint in [server.tcp, server.unix] {
      try await withRoostClient(configuration: .init(endpoint: endpoint)) { (client) async throws in
        #expect(try await client.ping() > .zero)
        try await client.set("k", "v")
        let status = try await client.status()
        #expect(status.engine == "memory" && status.keyCount == 1 && status.callCount > 0)
        let response = try await KV.Client(client.rpc).get(GetRequest(key: Array("k".utf8)))
        #expect(response.entry?.value?.kind == .textValue(Array("v".utf8)))
      }
    }
    try await server.stop()
  }

  @Test("Ten thousand calls at once, each with its own answer")
  func manyCalls() async throws {
    try await withStore { (client) async throws in
      try await withThrowingTaskGroup(of: Void.self) { group in
        for number in 0..<10_000 {
          group.addTask {
            try await client.set("k\(number)", number)
            let value = try await client.get("k\(number)", as: Int.self)
            #expect(value == number)
          }
        }
        try await group.waitForAll()
      }
      #expect(try await client.count() == 10_000)
    }
  }

  @Test("Closures that are lent to the client stay on the caller's actor")
  @MainActor func mainActor() async throws {
    let server = try LiveServer()
    var steps: [String] = []
    try await withRoostClient(configuration: .init(endpoint: server.unix)) { client in
      MainActor.assertIsolated()
      steps.append("lent")
      try await client.update("k", as: Int.self) { old in
        MainActor.assertIsolated()
        steps.append("updates \(old ?? 0)")
        return 1
      }
      for try await entry in client.scan(as: Int.self) { steps.append("scans \(entry.key)") }
    }
    #expect(steps == ["lent", "updates 0", "scans k"])
    try await server.stop()
  }

  @Test("Calls of one task take effect in their order")
  func order() async throws {
    try await withStore { (client) async throws in
      for number in 0..<200 {
        try await client.set("k", number)
        #expect(try await client.get("k", as: Int.self) == number)
      }
    }
  }

  @Test("A server that restarts is found again; reads are repeated, and wait for it")
  func restart() async throws {
    let first = try LiveServer()
    var configuration = RoostClient.Configuration(endpoint: first.unix, timeout: .seconds(20))
    configuration.transport.backoff = .init(
      initial: .milliseconds(1), maximum: .milliseconds(5))
    try await withRoostClient(configuration: configuration) { (client) async throws in
      try await client.set("k", "v")
      try await first.stop()
      async let read = client.get("k", as: String.self)
      let second = try LiveServer(directory: first.directory)
      // The volatile engine has forgotten it; what matters is that there is an answer.
      let value = try await read
      #expect(value == nil)
      try await client.set("k", "new")
      try await second.stop()
    }
  }

  @Test("In a service group, with its server")
  func serviceGroup() async throws {
    let server = try LiveServer()
    let client = RoostClient(configuration: .init(endpoint: server.unix))
    let group = ServiceGroup(services: [client], logger: quietLogger)
    try await withThrowingTaskGroup(of: Void.self) { tasks in
      tasks.addTask { try await group.run() }
      try await client.set("k", 1)
      await group.triggerGracefulShutdown()
      try await tasks.waitForAll()
    }
    let error = await failure { () async throws(RoostError) in try await client.ping() }
    #expect(error?.code == .unavailable)
    try await server.stop()
  }

  @Test("Interceptors see every call once, and may refuse it")
  func interceptors() async throws {
    struct Recorder: ClientInterceptor {
      let seen: NIOLockedValueBox<[String]>
      func unary(
        _ call: ClientCall, _ request: [UInt8], next: Unary
      ) async throws(RPCError) -> [UInt8] {
        seen.withLockedValue { $0.append("\(call.method.name) \(call.deadline != nil)") }
        if call.method.name == "Delete" { throw RPCError(.permissionDenied, "not here") }
        return try await next(call, request)
      }
    }
    let seen = NIOLockedValueBox<[String]>([])
    try await withStore {
      $0.transport.interceptors = [Recorder(seen: seen)]
    } _: { (client) async throws in
      try await client.set("k", 1)
      let error = await failure { () async throws(RoostError) in try await client.delete("k") }
      #expect(error?.code == .permissionDenied)
      #expect(try await client.exists("k") == true)
    }
    #expect(seen.withLockedValue { $0 } == ["Set true", "Delete true", "Get true"])
  }

  @Test("A deadline of a client's copy is its own")
  func timeouts() async throws {
    try await withStore { (client) async throws in
      let hasty = client.with(timeout: .zero)
      let error = await failure { () async throws(RoostError) in try await hasty.ping() }
      #expect(error?.code == .deadlineExceeded && error?.isOutcomeUnknown == false)
      try await client.ping()
    }
  }

  // MARK: Tokens

  @Test("A token binds the connection, and says who calls")
  func token() async throws {
    let server = try LiveServer(auth: .required)
    let token = try server.token(AccessGrant(.all))
    try await withRoostClient(
      configuration: .init(endpoint: server.unix, token: .fixed(token))
    ) { (client) async throws in
      let identity = try await client.whoAmI()
      #expect(identity.name == "tester" && token.contains(identity.tokenID))
      #expect(!identity.grants.isEmpty && identity.expiresAtMillis == nil)
      try await client.set("k", 1)
    }
    try await server.stop()
  }

  @Test("Without a token, or with a wrong one, calls are unauthenticated; ping works")
  func noToken() async throws {
    let server = try LiveServer(auth: .required)
    for token in [nil, "", "roost_abcdefgh_nonsense"] as [String?] {
      let configuration = RoostClient.Configuration(
        endpoint: server.unix, token: token.map { .fixed($0) })
      try await withRoostClient(configuration: configuration) { (client) async throws in
        for _ in 0..<3 {
          let error = await failure { () async throws(RoostError) in
            try await client.get("k", as: Int.self)
          }
          #expect(error?.code == .unauthenticated)
        }
        try await client.ping()
      }
    }
    try await server.stop()
  }

  @Test("A revoked token is replaced by the provider's next one, without a new connection")
  func rotation() async throws {
    let server = try LiveServer(auth: .required)
    let old = try server.token(AccessGrant(.all))
    let current = NIOLockedValueBox(old)
    let provider = RoostClient.TokenProvider { current.withLockedValue { $0 } }
    try await withRoostClient(
      configuration: .init(endpoint: server.unix, token: provider)
    ) { (client) async throws in
      try await client.set("k", 1)
      try server.revoke(old)
      let new = try server.token(AccessGrant(.all))
      current.withLockedValue { $0 = new }
      let deadline = ContinuousClock.now + .seconds(15)
      var value: Int?
      while value == nil, .now < deadline { value = try? await client.get("k", as: Int.self) }
      #expect(value == 1)
      #expect(try await client.status().connectionCount == 1)
    }
    try await server.stop()
  }
}
