import TTRPC
import Testing

@testable import roost

@Suite("Where the server is, and with which token")
struct ConnectionSettingsTests {
  @Test(
    "Endpoints are read as people write them",
    arguments: [
      ("tcp://127.0.0.1:7667", .tcp(host: "127.0.0.1", port: 7667)),
      ("db.example:80", .tcp(host: "db.example", port: 80)),
      ("localhost", .tcp(host: "localhost", port: 7667)),
      ("tcp://[::1]:9", .tcp(host: "::1", port: 9)), ("[::1]", .tcp(host: "::1", port: 7667)),
      ("unix:///run/roost.sock", .unix(path: "/run/roost.sock")),
      ("unix:/run/roost.sock", .unix(path: "/run/roost.sock")),
      ("/run/roost.sock", .unix(path: "/run/roost.sock")),
    ] as [(String, EndpointText)])
  func readsEndpoints(text: String, endpoint: EndpointText) throws {
    #expect(try EndpointText(text) == endpoint)
    #expect(try EndpointText(endpoint.description) == endpoint)
  }

  @Test(
    "What is no endpoint is refused",
    arguments: [
      "", "tcp://", "tcp://a:0", "tcp://a:65536", "tcp://a:x", "tcp://a:+1", "unix://", "unix://x",
      "http://a/b", "[::1", "[::1]x", "tcp://:80",
    ])
  func refusesEndpoints(text: String) {
    #expect(throws: UsageError.self) { try EndpointText(text) }
  }

  @Test("Loopback addresses and sockets are this machine, nothing else is")
  func knowsLocal() throws {
    for text in ["tcp://127.0.0.1:1", "127.9.9.9", "localhost", "[::1]:2", "/s"] {
      #expect(try EndpointText(text).isLocal, "\(text)")
    }
    for text in ["10.0.0.1", "127.example.com", "127.0.0.1.example.com", "db:1", "[fe80::1]"] {
      #expect(try !EndpointText(text).isLocal, "\(text)")
    }
  }

  @Test("An option wins over the environment, which wins over the default")
  func prefersOptions() throws {
    let environment = Environment(["ROOST_ENDPOINT": "/env", "ROOST_TIMEOUT": "2s"])
    let given = try ConnectionSettings(
      endpoint: "/arg", timeout: "1s", tokenFile: nil, environment: environment)
    #expect(given.endpoint == .unix(path: "/arg") && given.timeoutMilliseconds == 1000)
    let fallback = try ConnectionSettings(
      endpoint: nil, timeout: nil, tokenFile: nil, environment: environment)
    #expect(fallback.endpoint == .unix(path: "/env") && fallback.timeoutMilliseconds == 2000)
    let plain = try ConnectionSettings(
      endpoint: nil, timeout: nil, tokenFile: nil, environment: Environment([:]))
    #expect(plain.endpoint == .tcp(host: "127.0.0.1", port: 7667))
    #expect(plain.timeoutMilliseconds == 5000)
  }

  @Test("A bad setting names where it came from")
  func namesSource() {
    let error = #expect(throws: UsageError.self) {
      try ConnectionSettings(
        endpoint: nil, timeout: nil, tokenFile: nil,
        environment: Environment(["ROOST_TIMEOUT": "5"]))
    }
    #expect(error?.message.hasPrefix("ROOST_TIMEOUT: '5' has no unit") == true)
  }

  private static let files: [String: [UInt8]] = [
    "/t": "file-token\n".bytes, "/empty": "\n".bytes, "/binary": [0xff],
    "/data/admin.token": "admin-token\n".bytes, "/state/roost/admin.token": "state-token".bytes,
    "/home/.local/state/roost/admin.token": "home-token".bytes,
  ]

  private func source(
    _ tokenFile: String? = nil, _ variables: [String: String], endpoint: String = "localhost"
  ) throws -> TokenSource {
    try TokenSource(
      tokenFile: tokenFile, environment: Environment(variables),
      endpoint: try EndpointText(endpoint)
    ) { (path) throws(UsageError) in
      guard let bytes = Self.files[path] else { throw UsageError("'\(path)' cannot be read") }
      return bytes
    }
  }

  @Test("The first token source that is given is used")
  func ordersTokenSources() throws {
    let all = [
      "ROOST_TOKEN": "env-token", "ROOST_TOKEN_FILE": "/t", "ROOST_DATA_DIR": "/data",
      "XDG_STATE_HOME": "/state", "HOME": "/home",
    ]
    #expect(try source("/t", all).token == "file-token")
    #expect(try source(nil, all).token == "env-token")
    #expect(try source(nil, all.filter { $0.key != "ROOST_TOKEN" }).token == "file-token")
    #expect(try source(nil, ["ROOST_DATA_DIR": "/data", "HOME": "/home"]).token == "admin-token")
    #expect(try source(nil, ["XDG_STATE_HOME": "/state", "HOME": "/home"]).token == "state-token")
    #expect(try source(nil, ["XDG_STATE_HOME": "relative", "HOME": "/home"]).token == "home-token")
    #expect(try source(nil, ["HOME": "/elsewhere"]).token == nil)
    #expect(try source(nil, [:]).token == nil)
  }

  @Test("An empty ROOST_TOKEN is an empty token and does not fall back to the admin token")
  func keepsEmptyToken() throws {
    #expect(try source(nil, ["ROOST_TOKEN": " ", "ROOST_DATA_DIR": "/data"]).token == "")
  }

  @Test("The admin token of this machine is not sent to another one")
  func keepsAdminTokenLocal() throws {
    #expect(try source(nil, ["ROOST_DATA_DIR": "/data"], endpoint: "db.example:1").token == nil)
    #expect(try source(nil, ["ROOST_TOKEN": "t"], endpoint: "db.example:1").token == "t")
  }

  @Test(
    "A token file that is missing, empty or binary ends with status 3",
    arguments: ["/none", "/empty", "/binary"])
  func refusesTokenFiles(path: String) {
    for variables in [[:], ["ROOST_TOKEN_FILE": path]] {
      let error = #expect(throws: CommandFailure.self) {
        try source(variables.isEmpty ? path : nil, variables)
      }
      #expect(error?.status == .permission)
      #expect(error?.message.contains(path) == true)
    }
  }

  @Test(
    "Every status code has its exit status",
    arguments: [
      (.notFound, 1), (.invalidArgument, 2), (.unauthenticated, 3), (.permissionDenied, 3),
      (.alreadyExists, 4), (.aborted, 4), (.failedPrecondition, 4), (.unavailable, 5),
      (.deadlineExceeded, 5), (.resourceExhausted, 6), (.outOfRange, 7), (.internal, 7),
      (.unimplemented, 7), (.dataLoss, 7), (.cancelled, 5), (.unknown, 7),
    ] as [(StatusCode, Int32)])
  func mapsCodes(code: StatusCode, status: Int32) throws {
    let failure = CommandFailure(RPCError(code, ""), settings: nil)
    #expect(failure.status.rawValue == status)
    #expect(!failure.message.isEmpty)
  }

  @Test(
    "A limit and a missing key say what to do",
    arguments: [
      (.resourceExhausted, "less at once"), (.notFound, "--if-exists"),
    ] as [(StatusCode, String)])
  func advises(code: StatusCode, words: String) {
    let failure = CommandFailure(RPCError(code, "as the server says"), settings: nil)
    #expect(failure.advice?.contains(words) == true)
  }

  @Test("What to do says where tokens were looked for, and never shows one")
  func advises() throws {
    let settings = try ConnectionSettings(
      endpoint: "localhost", timeout: nil, tokenFile: nil,
      environment: Environment(["ROOST_TOKEN": "secret-token"]))
    let text = CommandFailure(RPCError(.unauthenticated, "no"), settings: settings)
      .rendered(style: .plain)
    #expect(text.contains("ROOST_TOKEN") && !text.contains("secret-token"))
    let sent = CommandFailure(RPCError(.deadlineExceeded, "late"), settings: settings)
    #expect(sent.advice?.contains("may have happened") == false)
    let unknown = CommandFailure(
      RPCError(.deadlineExceeded, "late").withUnknownOutcome(), settings: settings)
    #expect(unknown.advice?.contains("may have happened") == true)
    let down = CommandFailure(
      RPCError(.unavailable, "cannot connect to tcp://localhost:7667: refused"), settings: settings)
    #expect(down.rendered(style: .plain).contains("Is roostd running at tcp://localhost:7667?"))
    let lost = CommandFailure(
      RPCError(.unavailable, "the connection was lost").withUnknownOutcome(), settings: settings)
    #expect(lost.advice?.contains("Is roostd running") == true)
    let answered = CommandFailure(
      RPCError(.unavailable, "256 long scans are under way"), settings: settings)
    #expect(answered.advice?.contains("Is roostd running") == false)
    #expect(answered.advice?.contains("try again") == true)
  }
}
