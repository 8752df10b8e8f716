import NIOConcurrencyHelpers
import TTRPC
import TTRPCClient
import Testing

@Suite("The handshake of a connection") struct HandshakeTests {
  private struct Login: ConnectionHandshake {
    var method: MethodDescriptor { MethodDescriptor(service: "test.Auth", name: "Login") }
    let secret: @Sendable () async throws -> String
    func request() async throws -> [UInt8] { Array(try await secret().utf8) }
  }

  /// Lets in whoever said "open" on the connection, or says so with the call.
  private static func guarded(
    _ log: NIOLockedValueBox<[String]>
  ) -> ScriptedServer.Script {
    let open = NIOLockedValueBox<Set<Int>>([])
    return { request, peer in
      let text = String(decoding: request.payload, as: UTF8.self)
      log.withLockedValue { $0.append("\(peer.number) \(request.method) \(text)") }
      if request.method == "Login" {
        guard text == "open" else { return peer.fail(request, .unauthenticated, "wrong") }
        open.withLockedValue { _ = $0.insert(peer.number) }
        return peer.answer(request)
      }
      let token = request.metadata.first { $0.key == "authorization" }?.value
      let isAllowed =
        token.map { $0 == "Bearer open" } ?? open.withLockedValue { $0.contains(peer.number) }
      isAllowed ? peer.answer(request) : peer.fail(request, .unauthenticated, "who?")
    }
  }

  @Test("It goes first on each connection, once")
  func first() async throws {
    let log = NIOLockedValueBox<[String]>([])
    let server = try await ScriptedServer(script: Self.guarded(log))
    try await withClient(of: server) {
      $0.handshake = Login { "open" }
      $0.maxCallsPerConnection = 4
    } _: { client in
      for number in 0..<6 { try await client.expectEcho("\(number)") }
    }
    #expect(
      log.withLockedValue { $0 } == [
        "0 Login open", "0 Echo 0", "0 Echo 1", "0 Echo 2",
        "1 Login open", "1 Echo 3", "1 Echo 4", "1 Echo 5",
      ])
  }

  @Test("A wrong secret is the calls' error, not a loop of connections")
  func wrong() async throws {
    let log = NIOLockedValueBox<[String]>([])
    let server = try await ScriptedServer(script: Self.guarded(log))
    try await withClient(of: server) {
      $0.handshake = Login { "sesame" }
    } _: { client in
      for _ in 0..<50 {
        let error = await failure { () async throws(RPCError) in try await client.echo("x") }
        #expect(error?.code == .unauthenticated)
      }
      let own = try await client.echo("own", metadata: ["authorization": "Bearer open"])
      #expect(own == "own")
    }
    #expect(server.connectionCount == 1)
    #expect(log.withLockedValue { $0.count { $0.contains("Login") } } <= 3)
  }

  @Test("What the provider throws is the error of the calls that wait; the next call asks again")
  func providerFails() async throws {
    struct VaultIsSealed: Error {}
    let log = NIOLockedValueBox<[String]>([])
    let attempts = NIOLockedValueBox(0)
    let server = try await ScriptedServer(script: Self.guarded(log))
    try await withClient(of: server) {
      $0.handshake = Login {
        let attempt = attempts.withLockedValue { count -> Int in
          count += 1
          return count
        }
        if attempt == 1 { throw VaultIsSealed() }
        if attempt == 2 { throw RPCError(.permissionDenied, "not you") }
        return "open"
      }
    } _: { client in
      let first = await failure { () async throws(RPCError) in try await client.echo("x") }
      #expect(first?.code == .unauthenticated)
      #expect(first?.message.contains("VaultIsSealed") == true)
      let second = await failure { () async throws(RPCError) in try await client.echo("x") }
      #expect(second?.code == .permissionDenied)
      try await client.expectEcho("third")
    }
  }

  @Test("After a refusal a rotated secret is sent on the same connection")
  func rotated() async throws {
    let log = NIOLockedValueBox<[String]>([])
    let secret = NIOLockedValueBox("old")
    let server = try await ScriptedServer(script: Self.guarded(log))
    try await withClient(of: server) {
      $0.handshake = Login { secret.withLockedValue { $0 } }
    } _: { client in
      let refused = await failure { () async throws(RPCError) in try await client.echo("x") }
      #expect(refused?.code == .unauthenticated)
      secret.withLockedValue { $0 = "open" }
      // A refused call asks for a new secret at most once a second.
      let deadline = ContinuousClock.now + .seconds(15)
      var answer: String?
      while answer == nil, ContinuousClock.now < deadline {
        answer = try? await client.echo("y")
      }
      #expect(answer == "y")
    }
    #expect(server.connectionCount == 1)
  }

  @Test("A provider that never ends holds calls until their deadline only")
  func providerHangs() async throws {
    let server = try await ScriptedServer { $1.answer($0) }
    try await withClient(of: server) {
      $0.connectTimeout = .milliseconds(20)
      $0.handshake = Login {
        try await Task.sleep(for: .seconds(3600))
        return ""
      }
    } _: { client in
      let error = await failure { () async throws(RPCError) in
        try await client.echo("x", timeout: .milliseconds(120))
      }
      #expect(error?.code == .deadlineExceeded && error?.isOutcomeUnknown == false)
      #expect(error?.message.contains("no credentials") == true)
    }
  }
}
