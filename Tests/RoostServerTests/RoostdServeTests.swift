import Foundation
import Glibc
import RoostAPI
import TTRPC
import Testing

@testable import RoostServer

@Suite("A roostd process that serves")
struct RoostdServeTests {
  let directory = ScratchDirectory()

  private func start(
    _ arguments: String..., listen: String = "tcp://127.0.0.1:0"
  ) throws -> RoostdProcess {
    try RoostdProcess(
      ["--data-dir", directory.file("data"), "--listen", listen] + arguments,
      environment: ["HOME": directory.path])
  }

  private func adminToken() throws -> String {
    String(try directory.text(of: "data/admin.token").dropLast())
  }

  private func whoAmI(_ address: String, token: String) throws -> StatusCode {
    try WireClient(address).call(Auth.Methods.whoAmI, WhoAmIRequest(), token: token).code
  }

  @Test("The first start makes the admin token and says where; every start takes it")
  func firstStart() async throws {
    let first = try start()
    let ready = try #require(await first.line(with: "roostd ready"))
    #expect(
      ready.wholeMatch(of: /roostd ready tcp:\/\/127\.0\.0\.1:[1-9][0-9]* engine=log/) != nil)
    let address = try #require(await first.readyAddress())
    let token = try adminToken()
    #expect(directory.mode(of: "data/admin.token") == 0o600)
    #expect(try whoAmI(address, token: token) == .ok)
    first.signal(SIGTERM)
    let ending = await first.ending()
    #expect(ending.exitCode == 0, "\(ending)")
    #expect(ending.errors.contains(directory.file("data/admin.token")))
    #expect(!ending.errors.contains(token.suffix(49)))
    #expect(ending.output.isEmpty)

    let second = try start()
    #expect(try whoAmI(try #require(await second.readyAddress()), token: token) == .ok)
    second.signal(SIGINT)
    let again = await second.ending()
    #expect(again.exitCode == 0, "\(again)")
    #expect(!again.errors.contains("first start"))
    #expect(try adminToken() == token)
  }

  @Test("Without standard streams no file and no connection takes their place")
  func closedStreams() async throws {
    let socket = directory.file("s")
    let server = try RoostdProcess.start(
      [
        "--data-dir", directory.file("data"), "--listen", "unix://\(socket)", "--log-level",
        "trace",
      ], redirecting: "<&- >&- 2>&-")
    let deadline = ContinuousClock.now + .seconds(30)
    while access(socket, F_OK) != 0, ContinuousClock.now < deadline {
      try await Task.sleep(for: .milliseconds(5))
    }
    let names = try (0...2).map { number in
      try FileManager.default.destinationOfSymbolicLink(
        atPath: "/proc/\(server.pid)/fd/\(number)")
    }
    #expect(names == ["/dev/null", "/dev/null", "/dev/null"])
    #expect(try whoAmI("unix://\(socket)", token: try adminToken()) == .ok)
    server.signal(SIGTERM)
    #expect(await server.ending().exitCode == 0)
  }

  @Test(
    "SIGTERM answers what has arrived, and exits 0, whatever is connected", .timeLimit(.minutes(1)))
  func drain() async throws {
    let server = try start("--drain-timeout", "5s")
    let address = try #require(await server.readyAddress())
    let token = try adminToken()
    let idle = try WireClient(address)
    let busy = try WireClient(address)
    #expect(try busy.call(Auth.Methods.bind, BindRequest(token: token)).code == .ok)
    let set = try SetRequest(
      key: [1], value: Value(kind: .bytesValue([UInt8](repeating: 0, count: 1_000)))
    )
    .encoded()
    try busy.send((0..<2_000).map { _ in (KV.Methods.set.descriptor, set, nil) })
    server.signal(SIGTERM)
    var codes: [StatusCode: Int] = [:]
    while let reply = try? busy.receive() { codes[reply.code, default: 0] += 1 }
    #expect(Set(codes.keys).isSubset(of: [.ok, .unavailable]), "\(codes)")
    #expect(idle.isClosedByPeer())
    let ending = await server.ending()
    #expect(ending.exitCode == 0, "\(ending)")
  }

  @Test("A second server on the address exits 69 and names it; the first is not disturbed")
  func addressInUse() async throws {
    let first = try start()
    let address = try #require(await first.readyAddress())
    let second = try RoostdProcess(
      ["--data-dir", directory.file("other"), "--listen", address],
      environment: ["HOME": directory.path])
    let ending = await second.ending()
    #expect(ending.exitCode == 69, "\(ending)")
    #expect(ending.errors.contains("roostd: ") && ending.errors.contains(address), "\(ending)")
    #expect(try whoAmI(address, token: try adminToken()) == .ok)
  }

  @Test("An address that is not this machine's exits 69")
  func foreignAddress() async throws {
    let ending = try await start(listen: "tcp://192.0.2.1:0").ending()
    #expect(ending.exitCode == 69, "\(ending)")
    #expect(ending.errors.contains("192.0.2.1"), "\(ending)")
  }

  @Test("Without authentication a Unix socket serves from memory without a data directory")
  func authOff() async throws {
    let socket = directory.file("socket")
    let server = try start(
      "--auth", "off", "--engine", "memory", listen: "unix://\(socket)")
    let address = try #require(await server.readyAddress())
    #expect(address == "unix://\(socket)")
    let status = try WireClient(address).call(Admin.Methods.status, StatusRequest())
    #expect(status.response?.engine == "memory")
    #expect(status.response?.version == RoostVersion.current)
    #expect(directory.mode(of: "data") == nil)
    server.signal(SIGTERM)
    #expect(await server.ending().exitCode == 0)
  }

  @Test("token create and token revoke take effect on a running server", .timeLimit(.minutes(1)))
  func liveTokens() async throws {
    let server = try start()
    let address = try #require(await server.readyAddress())
    let data = directory.file("data")
    let created = try await RoostdProcess.run(
      ["token", "create", "--name", "new", "--grant", "read", "--data-dir", data])
    let token = String(created.output.dropLast())
    let client = try WireClient(address)
    func wait(for code: StatusCode) async throws -> Bool {
      for _ in 0..<100 {
        let found = try client.call(Auth.Methods.whoAmI, WhoAmIRequest(), token: token).code
        if found == code { return true }
        try await Task.sleep(for: .milliseconds(100))
      }
      return false
    }
    #expect(try await wait(for: .ok))
    let id = String(token.dropFirst(6).prefix(8))
    let revoked = try await RoostdProcess.run(["token", "revoke", id, "--data-dir", data])
    #expect(revoked.exitCode == 0)
    #expect(try await wait(for: .unauthenticated))
    server.signal(SIGTERM)
    let ending = await server.ending()
    #expect(ending.exitCode == 0)
    #expect(!ending.errors.contains(token.suffix(49)))
  }

  @Test("Off a terminal every line but the ready line is JSON", arguments: ["auto", "json"])
  func jsonLines(format: String) async throws {
    let server = try start("--log-format", format, "--log-level", "trace")
    let address = try #require(await server.readyAddress())
    #expect(try whoAmI(address, token: "wrong\nline") == .unauthenticated)
    server.signal(SIGTERM)
    let lines = await server.ending().errors.split(separator: "\n")
    #expect(lines.count > 1)
    for line in lines where !line.hasPrefix("roostd ready ") {
      let object = try JSONDecoder().decode([String: String].self, from: Data(line.utf8))
      #expect(object["time"] != nil && object["level"] != nil && object["message"] != nil)
    }
  }

  @Test("A data directory that cannot be made exits 78 and is named")
  func badDirectories() async throws {
    try directory.write("", to: "data")
    let file = try await start().ending()
    #expect(file.exitCode == 78 && file.errors.contains("data directory"), "\(file)")
  }
}
