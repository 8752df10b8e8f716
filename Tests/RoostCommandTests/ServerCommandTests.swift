import Glibc
import Testing

@testable import roost

/// Transactions, commands about the server, tokens and failures, with a real server.
@Suite("Commands about the server")
struct ServerCommandTests {
  @Test("A transaction takes its steps where its conditions hold, and the others where not")
  func transacts() async throws {
    try await RunningServer.with { (server) async throws in
      let first = try server.roost(
        "txn", "if stock absent", "then", "incr stock 10 --initial 90", "push log start", "else",
        "get stock")
      #expect(first.status == 0 && first.text.hasPrefix("succeeded\t"), "\(first)")
      #expect(first.text.hasSuffix("\nincr\tstock\t100\npush\tlog\tlength 1\n"), "\(first)")
      let second = try server.roost("txn", "if stock absent", "incr stock", "else", "get stock")
      #expect(second.status == 4 && second.text.hasSuffix("\nget\tstock\t100\n"), "\(second)")
      let script = "# sell\nif stock = 100 --type int\nincr stock -1\nset \"last order\" 'no 7'\n"
      let third = try server.roost("txn", "-", "-o", "json", input: script.bytes)
      #expect(third.status == 0, "\(third)")
      #expect(third.text.hasPrefix("{\"succeeded\":true,\"revision\":"))
      #expect(third.text.contains("{\"op\":\"incr\",\"key\":\"stock\",\"value\":99}"))
      #expect(try server.roost("get", "last order").text == "no 7\n")
      let json = #"{"if":[{"key":"stock","value":99}],"then":[{"del":{"key":"stock"}}]}"#
      #expect(try server.roost("txn", json).status == 0)
      #expect(try server.roost("get", "stock").status == 1)
      #expect(try server.roost("txn", json).status == 4)
    }
  }

  @Test("A step that fails fails the transaction with its own status, and nothing has happened")
  func undoes() async throws {
    try await RunningServer.with { (server) async throws in
      #expect(try server.roost("set", "text", "x").status == 0)
      let outcome = try server.roost("txn", "set other 1", "incr text")
      #expect(outcome.status == 4 && outcome.output.isEmpty, "\(outcome)")
      #expect(try server.roost("get", "other").status == 1)
      #expect(try server.roost("txn", "set k v", "fly k").status == 2)
      #expect(try server.roost("txn", "# nothing").status == 2)
      let many = (0..<129).map { "get k\($0)" }.joined(separator: "\n")
      #expect(try server.roost("txn", "-", input: many.bytes).status == 2)
    }
  }

  @Test("The server's state and the token's rights are shown")
  func shows() async throws {
    try await RunningServer.with { (server) async throws in
      let ping = try server.roost("ping", "--count", "3")
      #expect(ping.status == 0 && ping.text.split(separator: "\n").count == 3, "\(ping)")
      #expect(ping.text.split(separator: "\n").allSatisfy { Double($0) != nil })
      let status = try server.roost("status")
      #expect(status.status == 0 && status.text.contains("engine\tlog\n"), "\(status)")
      let json = try server.roost("status", "-o", "json")
      #expect(try JSONValue(parsing: json.output.dropLast()) != .null)
      #expect(json.text.contains("\"keyCount\":0,"))
      let whoami = try server.roost("whoami")
      #expect(whoami.status == 0 && whoami.text.contains("\tread,write,admin\n"), "\(whoami)")
      let table = try server.roost("whoami", "-o", "table")
      #expect(table.text.hasPrefix("FIELD") && table.text.contains("expiresAtMs   never\n"))
    }
  }

  @Test("Any call can be made with JSON")
  func calls() async throws {
    try await RunningServer.with { (server) async throws in
      let set = try server.roost(
        "call", "roost.v1.KV/Set", "-d", #"{"key":"aw==","value":{"intValue":"5"}}"#)
      #expect(set.status == 0 && set.text.contains("\"created\":true"), "\(set)")
      #expect(try server.roost("get", "k").text == "5\n")
      let get = try server.roost("call", "KV/Get", "-d", "-", input: #"{"key":"aw=="}"#.bytes)
      #expect(get.text.contains(#""intValue":"5""#), "\(get)")
      #expect(try server.roost("call", "Admin/Ping").text == "{}\n")
      let bad = try server.roost("call", "KV/Set", "-d", #"{"key":""}"#)
      #expect(bad.status == 2, "\(bad)")
      #expect(try server.roost("call", "Watch/Poll").status == 7)
      let snapshot = try server.roost("call", "Admin/Snapshot")
      #expect(snapshot.status == 0 && snapshot.text.contains("\"entryCount\":"), "\(snapshot)")
      let taken = try server.roost("snapshot")
      #expect(taken.status == 0 && taken.text.contains("entryCount\t"), "\(taken)")
      let plain = try server.roost(
        "call", "Auth/WhoAmI", "--metadata", "x-trace=1", environment: ["ROOST_TOKEN": ""])
      #expect(plain.status == 3)
    }
  }

  @Test("No token, an empty and a wrong one end with status 3, and say where it came from")
  func refusesTokens() async throws {
    try await RunningServer.with { (server) async throws in
      for token in ["", "roost_aaaaaaaa_wrong", "nonsense"] {
        let outcome = try server.roost("get", "k", environment: ["ROOST_TOKEN": token])
        #expect(outcome.status == 3, "\(outcome)")
        #expect(outcome.errorText.contains("ROOST_TOKEN"), "\(outcome)")
        #expect(token.isEmpty || !outcome.errorText.contains(token))
      }
      let none = try server.roost("get", "k", environment: ["ROOST_DATA_DIR": "/nonexistent"])
      #expect(none.status == 3, "\(none)")
      #expect(none.errorText.contains("No token was sent; looked in '/nonexistent/admin.token'"))
      let ping = try server.roost("ping", environment: ["ROOST_TOKEN": "nonsense"])
      #expect(ping.status == 0, "\(ping)")
    }
  }

  @Test("A token does what it was granted, and status 3 for the rest")
  func keepsToGrants() async throws {
    let grants = ["app": ["read,write:app:"]]
    try await RunningServer.with(grants: grants) { (server) async throws in
      let environment = ["ROOST_TOKEN": try #require(server.tokens["app"])]
      #expect(try server.roost("set", "app:1", "x", environment: environment).status == 0)
      let refused = try server.roost("get", "other", environment: environment)
      #expect(refused.status == 3 && refused.errorText.contains("roost whoami"), "\(refused)")
      #expect(try server.roost("scan", environment: environment).status == 3)
      let scan = try server.roost("scan", "--prefix", "app:", environment: environment)
      #expect(scan.text == "app:1\tx\n", "\(scan)")
      let whoami = try server.roost("whoami", environment: environment)
      #expect(whoami.text.contains("name\tapp\ngrants\tread,write:app:\n"), "\(whoami)")
    }
  }

  @Test("Without a standard output nothing is sent to the server in its place")
  func reportsMissingOutput() async throws {
    try await RunningServer.with { (server) async throws in
      #expect(try server.roost("set", "k", "v").status == 0)
      let script = "exec \(ChildProcess.builtProgram("roost")) get k"
      for redirection in [">&-", "<&- >&-"] {
        let outcome = try ChildProcess.run(
          "/bin/sh", ["-c".bytes, "\(script) \(redirection)".bytes],
          environment: server.environment)
        #expect(outcome.status == 7, "\(outcome)")
        #expect(outcome.errorText.contains("standard output cannot be written"), "\(outcome)")
      }
      let silent = try ChildProcess.run(
        "/bin/sh", ["-c".bytes, "\(script) 2>&-".bytes], environment: server.environment)
      #expect(silent.status == 0 && silent.text == "v\n", "\(silent)")
    }
  }

  @Test("A wrong token in a request is not looked for elsewhere")
  func blamesTheRequest() async throws {
    try await RunningServer.with { (server) async throws in
      let outcome = try server.roost("call", "Auth/Bind", "-d", "{\"token\":\"x\"}")
      #expect(outcome.status == 3, "\(outcome)")
      #expect(outcome.errorText.contains("The token came from the request."), "\(outcome)")
      #expect(!outcome.errorText.contains("admin.token"), "\(outcome)")
    }
  }

  @Test("A request over the server's limits ends with status 2 or 6")
  func reportsLimits() async throws {
    try await RunningServer.with(["--max-memory", "1MiB"]) { (server) async throws in
      let key = String(repeating: "k", count: 5000)
      #expect(try server.roost("set", key, "v").status == 2)
      let large = [UInt8](repeating: 1, count: 5 << 20)
      let tooLarge = try server.roost("set", "k", "-", input: large)
      #expect(tooLarge.status == 2 || tooLarge.status == 6, "\(tooLarge)")
      let some = [UInt8](repeating: 1, count: 900_000)
      #expect(try server.roost("set", "a", "-", input: some).status == 0)
      let full = try server.roost("set", "b", "-", input: some)
      #expect(full.status == 6, "\(full)")
      #expect(try server.roost("get", "a", "-o", "raw").output == some)
    }
  }

  @Test("A server that does not answer in time ends with status 5")
  func reportsTimeout() throws {
    let directory = try RunningServer.temporaryDirectory()
    let path = "\(directory)/silent.sock"
    let listener = try silentListener(path)
    defer {
      close(listener)
      unlink(path)
      rmdir(directory)
    }
    let outcome = try ChildProcess.run(
      ChildProcess.builtProgram("roost"), ["get", "k", "--timeout", "200ms"].map(\.bytes),
      environment: ["ROOST_ENDPOINT": "unix://\(path)", "HOME": "/nonexistent"])
    #expect(outcome.status == 5, "\(outcome)")
    #expect(outcome.errorText.contains("within 200ms"), "\(outcome)")
  }

  /// Takes connections, and never reads from them.
  private func silentListener(_ path: String) throws -> Int32 {
    let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
    _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
    let result = withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
      }
    }
    guard result == 0, listen(descriptor, 8) == 0 else {
      throw ChildProcess.Failure.system("bind", errno)
    }
    return descriptor
  }
}
