import Glibc
import Logging
import RoostAPI
import ServiceLifecycle
import TTRPC
import Testing

@testable import RoostServer

/// A real server on a Unix socket with tokens of its own, which nobody watches: a test says when
/// the file is looked at.
struct TokenServer: Sendable {
  let directory = ScratchDirectory()
  let log = LogRecorder()
  let store: TokenStore
  let address: String

  var file: TokenFile { TokenFile(dataDirectory: directory.path) }

  private init(auth: AuthMode, server: inout RoostServer?) throws {
    var configuration = ServerConfiguration(dataDirectory: directory.path)
    configuration.engine = .memory
    configuration.listen = ["unix://\(directory.file("socket"))"]
    configuration.auth = auth
    store = try TokenStore(dataDirectory: directory.path, logger: log.logger)
    let made = try RoostServer(configuration: configuration, tokens: store, logger: log.logger)
    address = try made.bind()[0]
    server = made
  }

  /// Runs `body` while a server runs.
  static func with(
    auth: AuthMode = .required, _ body: @escaping @Sendable (TokenServer) throws -> Void
  ) async throws {
    var server: RoostServer?
    let own = try TokenServer(auth: auth, server: &server)
    let group = ServiceGroup(services: [server!], logger: own.log.logger)
    async let running: Void = group.run()
    let result: Result<Void, any Error>
    do { result = .success(try await onThread { try body(own) }) } catch {
      result = .failure(error)
    }
    await group.triggerGracefulShutdown()
    try await running
    try result.get()
  }

  func connect() throws -> WireClient { try WireClient(address) }

  /// A new token that is in force.
  func token(_ grants: AccessGrant..., expiresAtMillis: Int64 = 0) throws -> String {
    let made = try file.create(name: "test", grants: grants, expiresAtMillis: expiresAtMillis)
    store.reloadIfChanged()
    return made.token
  }

  func id(of token: String) -> String { String(token.dropFirst(6).prefix(8)) }
}

private let get = GetRequest(key: Array("user:1".utf8))
private let set = SetRequest(key: Array("user:1".utf8), value: Value(kind: .intValue(1)))

@Suite("Authentication of calls")
struct AuthCallTests {
  @Test("No token, and every kind of wrong one, have one answer; Ping needs none")
  func oneAnswer() async throws {
    try await TokenServer.with { server in
      let good = try server.token(AccessGrant(.all))
      let expired = try server.token(AccessGrant(.all), expiresAtMillis: 1)
      let revoked = try server.token(AccessGrant(.all))
      #expect(try server.file.revoke(id: server.id(of: revoked)))
      server.store.reloadIfChanged()
      let headers: [String?] = [
        nil, "", "Bearer", "Bearer ", "Bearer x", good, "Basic \(good)", "Bearer \(good)x",
        "Bearer \(good.dropLast())", "Bearer \(TokenForger.sameID(as: good))",
        "Bearer \(expired)", "Bearer \(revoked)", "Bearer\t\(good)", "Bearer \(good), x",
        "Bearer \(good)\0", "Bearer \(good)\0x", "Bearer \0\(good)", "Bearer é\(good)",
      ]
      let client = try server.connect()
      var messages: Set<String> = []
      for header in headers {
        for (method, payload) in [
          (KV.Methods.get.descriptor, try get.encoded()),
          (KV.Methods.set.descriptor, try set.encoded()),
          (Auth.Methods.whoAmI.descriptor, []), (Admin.Methods.status.descriptor, []),
        ] {
          try client.send(method, payload, authorization: header)
          let reply = try client.receive()
          #expect(reply.code == .unauthenticated, "\(header ?? "none"): \(method.name)")
          messages.insert(reply.message)
        }
        let ping = try client.call(
          Admin.Methods.ping, PingRequest(payload: [1]), authorization: header)
        #expect(ping.response?.payload == [1])
      }
      #expect(messages == [Authenticator.unauthenticated.message])
      let secrets = [good, expired, revoked].map { String($0.suffix(49)) }
      #expect(!server.log.lines.contains { line in secrets.contains { line.contains($0) } })
      #expect(server.log.lines.contains { $0.contains("unauthenticated call") })
    }
  }

  @Test("Every method but Ping and Bind needs a token, before it looks at its request")
  func everyMethod() async throws {
    try await TokenServer.with { server in
      let good = try server.token(AccessGrant(.all))
      let expired = try server.token(AccessGrant(.all), expiresAtMillis: 1)
      let client = try server.connect()
      let built =
        KV.Methods.all + [Auth.Methods.whoAmI.descriptor, Admin.Methods.status.descriptor]
      let methods = KV.Methods.all + Auth.Methods.all + Admin.Methods.all + Watch.Methods.all
      for method in methods where !["Ping", "Bind"].contains(method.name) {
        for token in [nil, expired, TokenForger.sameID(as: good)] {
          for payload in [[], [0xFF]] as [[UInt8]] {
            try client.send(method, payload, authorization: token.map { "Bearer \($0)" })
            let code = try client.receive().code
            #expect([.unauthenticated, .unimplemented].contains(code), "\(method.name)")
            #expect(!built.contains(method) || code == .unauthenticated, "\(method.name)")
          }
        }
      }
    }
  }

  @Test("A valid token is let in, however the scheme is written")
  func validToken() async throws {
    try await TokenServer.with { server in
      let token = try server.token(AccessGrant([.read, .write]))
      let client = try server.connect()
      for header in ["Bearer \(token)", "bearer \(token)", "BEARER   \(token)"] {
        let reply = try client.call(KV.Methods.set, set, authorization: header)
        #expect(reply.code == .ok)
      }
      #expect(try client.call(Admin.Methods.status, StatusRequest(), token: token).code == .ok)
    }
  }

  @Test("A bound connection is bound for the very next call, also in the same tick")
  func bindPipelined() async throws {
    try await TokenServer.with { server in
      let token = try server.token(AccessGrant([.read, .write]))
      let client = try server.connect()
      let bind = try BindRequest(token: token).encoded()
      let sets = try set.encoded()
      try client.send([
        (KV.Methods.set.descriptor, sets, nil), (Auth.Methods.bind.descriptor, bind, nil),
        (KV.Methods.set.descriptor, sets, nil), (KV.Methods.set.descriptor, sets, nil),
      ])
      let codes = try (0..<4).map { _ in try client.receive().code }
      #expect(codes == [.unauthenticated, .ok, .ok, .ok])
      #expect(try server.connect().call(KV.Methods.get, get).code == .unauthenticated)
    }
  }

  @Test("A call's own token wins over the binding, whether it is weaker or wrong")
  func ownTokenWins() async throws {
    try await TokenServer.with { server in
      let strong = try server.token(AccessGrant([.read, .write]))
      let weak = try server.token(AccessGrant(.read))
      let client = try server.connect()
      #expect(try client.call(Auth.Methods.bind, BindRequest(token: strong)).code == .ok)
      #expect(try client.call(KV.Methods.set, set).code == .ok)
      #expect(try client.call(KV.Methods.set, set, token: weak).code == .permissionDenied)
      #expect(try client.call(KV.Methods.get, get, token: weak).code == .ok)
      #expect(try client.call(KV.Methods.get, get, token: "x").code == .unauthenticated)
      #expect(
        try client.call(KV.Methods.get, get, authorization: "").code == .unauthenticated)
      #expect(try client.call(KV.Methods.set, set).code == .ok)
    }
  }

  @Test("A bind can be replaced; one that fails unbinds")
  func rebind() async throws {
    try await TokenServer.with { server in
      let strong = try server.token(AccessGrant([.read, .write]))
      let weak = try server.token(AccessGrant(.read))
      let client = try server.connect()
      #expect(try client.call(Auth.Methods.bind, BindRequest(token: strong)).code == .ok)
      let bound = try client.call(Auth.Methods.bind, BindRequest(token: weak)).response
      #expect(bound?.token?.id == server.id(of: weak))
      #expect(try client.call(KV.Methods.set, set).code == .permissionDenied)
      let wrongs = ["", "x", TokenForger.sameID(as: weak), weak + "\0", weak + "\0x", "\0" + weak]
      for wrong in wrongs {
        #expect(try client.call(Auth.Methods.bind, BindRequest(token: weak)).code == .ok)
        #expect(
          try client.call(Auth.Methods.bind, BindRequest(token: wrong)).code == .unauthenticated)
        #expect(try client.call(KV.Methods.get, get).code == .unauthenticated)
      }
      // Also where it cannot be read: a text that is not UTF-8, more than may be decoded.
      let encoded = try BindRequest(token: weak).encoded()
      let unknown = [UInt8](repeating: 0x78, count: 2 << 20)  // field 15: 120, again and again
      for (payload, code) in [
        ([0xFF, 0xFF], StatusCode.invalidArgument),
        (encoded.dropLast() + [0xFF], .invalidArgument),
        (encoded + unknown, .resourceExhausted),
      ] {
        #expect(try client.call(Auth.Methods.bind, BindRequest(token: weak)).code == .ok)
        try client.send(Auth.Methods.bind.descriptor, payload)
        #expect(try client.receive().code == code)
        #expect(try client.call(KV.Methods.get, get).code == .unauthenticated)
      }
    }
  }

  @Test("A revoked token stops working on connections that are bound to it or have used it")
  func revokeWhileUsed() async throws {
    try await TokenServer.with { server in
      let doomed = try server.token(AccessGrant(.read))
      let other = try server.token(AccessGrant(.read))
      let (bound, using, unharmed) = (
        try server.connect(), try server.connect(), try server.connect()
      )
      #expect(try bound.call(Auth.Methods.bind, BindRequest(token: doomed)).code == .ok)
      #expect(try unharmed.call(Auth.Methods.bind, BindRequest(token: other)).code == .ok)
      #expect(try bound.call(KV.Methods.get, get).code == .ok)
      #expect(try using.call(KV.Methods.get, get, token: doomed).code == .ok)
      #expect(try server.file.revoke(id: server.id(of: doomed)))
      #expect(server.store.reloadIfChanged())
      #expect(try bound.call(KV.Methods.get, get).code == .unauthenticated)
      #expect(try bound.call(KV.Methods.get, get).code == .unauthenticated)
      #expect(try using.call(KV.Methods.get, get, token: doomed).code == .unauthenticated)
      #expect(try unharmed.call(KV.Methods.get, get).code == .ok)
      #expect(
        try bound.call(Auth.Methods.bind, BindRequest(token: doomed)).code == .unauthenticated)
      #expect(try bound.call(KV.Methods.get, get, token: other).code == .ok)
    }
  }

  @Test("Grants that are changed on disk hold for connections that are bound already")
  func changedGrants() async throws {
    try await TokenServer.with { server in
      let token = try server.token(AccessGrant(.read))
      let client = try server.connect()
      #expect(try client.call(Auth.Methods.bind, BindRequest(token: token)).code == .ok)
      #expect(try client.call(KV.Methods.set, set).code == .permissionDenied)
      try server.file.update { $0[0].grants = [AccessGrant(.write)] }
      #expect(server.store.reloadIfChanged())
      #expect(try client.call(KV.Methods.set, set).code == .ok)
      #expect(try client.call(KV.Methods.get, get).code == .permissionDenied)
    }
  }

  @Test("A token ends at its time, also where the connection is bound to it")
  func expiryWhileBound() async throws {
    try await TokenServer.with { server in
      let farEnd = WallClock.nowMillis() + 600_000
      let token = try server.token(AccessGrant(.read), expiresAtMillis: farEnd)
      let client = try server.connect()
      let info = try client.call(Auth.Methods.bind, BindRequest(token: token)).response?.token
      #expect(info?.expiresAtMs == farEnd)
      #expect(try client.call(KV.Methods.get, get).code == .ok)
      let end = WallClock.nowMillis() + 300
      try server.file.update { $0[0].expiresAtMillis = end }
      #expect(server.store.reloadIfChanged())
      var refusedAt: Int64?
      while refusedAt == nil, WallClock.nowMillis() < end + 10_000 {
        if try client.call(KV.Methods.get, get).code == .unauthenticated {
          refusedAt = WallClock.nowMillis()
        }
      }
      #expect(try #require(refusedAt) >= end - 1)
    }
  }

  @Test("A range escapes a grant by no way: 0xFF prefixes, empty ends, steps of a transaction")
  func prefixEscapes() async throws {
    try await TokenServer.with { server in
      let token = try server.token(
        AccessGrant([.read, .write], prefix: [0x61, 0xFF]), AccessGrant(.read, prefix: [0xFF]))
      let client = try server.connect()
      #expect(try client.call(Auth.Methods.bind, BindRequest(token: token)).code == .ok)
      func count(_ range: KeyRange) throws -> StatusCode {
        try client.call(KV.Methods.count, CountRequest(range: range)).code
      }
      #expect(try count(KeyRange(prefix: [0x61, 0xFF, 1])) == .ok)
      #expect(try count(KeyRange(start: [0x61, 0xFF], end: [0x62])) == .ok)
      #expect(try count(KeyRange(start: [0xFF, 1])) == .ok)
      #expect(try count(KeyRange()) == .permissionDenied)
      #expect(try count(KeyRange(prefix: [0x61])) == .permissionDenied)
      #expect(try count(KeyRange(start: [0x61, 0xFF])) == .permissionDenied)
      #expect(try count(KeyRange(start: [0x61, 0xFF], end: [0x62, 0])) == .permissionDenied)
      #expect(try count(KeyRange(start: [0x61], end: [0x61, 0xFF, 1])) == .permissionDenied)
      let wipe = DeleteRangeRequest(range: KeyRange(start: [0xFF]))
      #expect(try client.call(KV.Methods.deleteRange, wipe).code == .permissionDenied)
      let scan = ScanRequest(range: KeyRange(start: [0x61, 0xFE], end: [0x62]))
      #expect(try client.call(KV.Methods.scan, scan).code == .permissionDenied)
      let inside = Operation(kind: .get(GetRequest(key: [0x61, 0xFF])))
      let outside = Operation(kind: .get(GetRequest(key: [0x61])))
      for (transaction, code) in [
        (TransactRequest(success: [inside]), StatusCode.ok),
        (TransactRequest(success: [inside, outside]), .permissionDenied),
        (TransactRequest(success: [inside], failure: [outside]), .permissionDenied),
        (
          TransactRequest(
            compares: [Compare(key: [0x61], condition: Condition(kind: .exists(false)))]),
          .permissionDenied
        ),
      ] {
        #expect(try client.call(KV.Methods.transact, transaction).code == code)
      }
    }
  }

  @Test("WhoAmI tells what the token is, and when it was used")
  func whoAmI() async throws {
    try await TokenServer.with { server in
      let start = WallClock.nowMillis()
      let token = try server.token(
        AccessGrant([.read, .write], prefix: [0xFF]), AccessGrant(.admin))
      let info = try #require(
        try server.connect().call(Auth.Methods.whoAmI, WhoAmIRequest(), token: token).response?
          .token)
      #expect(info.id == server.id(of: token))
      #expect(info.name == "test")
      #expect(
        info.grants == [
          Grant(prefix: [0xFF], actions: [.read, .write]), Grant(actions: [.admin]),
        ])
      #expect(info.createdAtMs >= start && info.expiresAtMs == 0 && info.lastUsedAtMs >= start)
    }
  }

  @Test("The calls of Auth that are not built are UNIMPLEMENTED, also for an administrator")
  func unimplemented() async throws {
    try await TokenServer.with { server in
      let token = try server.token(AccessGrant(.all))
      let client = try server.connect()
      for method in Auth.Methods.all where !["Bind", "WhoAmI"].contains(method.name) {
        try client.send(method, [], authorization: "Bearer \(token)")
        #expect(try client.receive().code == .unimplemented)
      }
    }
  }

  @Test("Without authentication everybody is somebody with every right, and Bind takes anything")
  func off() async throws {
    try await TokenServer.with(auth: .off) { server in
      let client = try server.connect()
      let who = try client.call(Auth.Methods.whoAmI, WhoAmIRequest()).response?.token
      #expect(who?.id == "" && who?.grants == [Grant(actions: [.read, .write, .admin])])
      #expect(try client.call(Auth.Methods.bind, BindRequest(token: "x")).code == .ok)
      #expect(try client.call(KV.Methods.set, set).code == .ok)
      #expect(try client.call(KV.Methods.set, set, token: "wrong").code == .ok)
    }
  }
}
