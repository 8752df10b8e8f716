import Foundation
import RoostAPI
import Testing

@testable import RoostServer

@Suite("The roostd program")
struct RoostdCommandTests {
  let directory = ScratchDirectory()

  private func run(
    _ arguments: String..., environment: [String: String] = [:]
  ) async throws -> RoostdProcess.Ending {
    try await RoostdProcess.run(
      arguments, environment: ["HOME": directory.path].merging(environment) { $1 })
  }

  @Test("--version and --help answer on standard output and exit 0; help has examples")
  func help() async throws {
    let version = try await run("--version")
    #expect(version.output == RoostVersion.current + "\n")
    for arguments in [
      ["--help"], ["serve", "--help"], ["token", "--help"], ["token", "create", "--help"],
      ["token", "list", "--help"], ["token", "revoke", "--help"],
      ["token", "reset-admin", "--help"],
    ] {
      let help = try await RoostdProcess.run(arguments)
      #expect(help.exitCode == 0 && help.output.contains("Examples:"), "\(arguments)")
    }
  }

  @Test("Every setting has a flag, with its range and default in the help")
  func everyFlag() async throws {
    let words = { (text: String) in
      text.split(whereSeparator: \.isWhitespace).joined(separator: " ")
    }
    let help = words(try await run("serve", "--help").output)
    for setting in Setting.all {
      #expect(help.contains("--\(setting.name) <\(setting.valueName)>"))
      #expect(help.contains(words("[\(setting.allowed); default: \(setting.defaultText)]")))
    }
  }

  @Test("There are completions for the usual shells", arguments: ["bash", "zsh", "fish"])
  func completions(shell: String) async throws {
    let ending = try await run("--generate-completion-script", shell)
    #expect(ending.exitCode == 0)
    #expect(ending.output.contains("drain-timeout"))
  }

  @Test(
    "A usage error exits 64 and says so on standard error",
    arguments: [
      ["--no-such-flag"], ["serve", "extra"], ["--threads"], ["token", "frobnicate"],
      ["token", "create", "--name", "x"], ["token", "create", "--grant", "read"],
      ["token", "create", "--name", "x", "--grant", "fly"],
      ["token", "create", "--name", "x", "--grant", "read:"],
      ["token", "create", "--name", "admin", "--grant", "read"],
      ["token", "create", "--name", "x", "--grant", "read", "--ttl", "0"],
      ["token", "create", "--name", "x", "--grant", "read", "--ttl", "99999d"],
      ["token", "create", "--name", "", "--grant", "read"], ["token", "revoke"],
      ["token", "revoke", "roost_erq0c28p_BgsRCHpFGzTRBUr8BbjQeOgov2vsXT0a3oA0DknHbqT1t63oU"],
    ])
  func usage(arguments: [String]) async throws {
    let ending = try await RoostdProcess.run(arguments, environment: ["HOME": directory.path])
    #expect(ending.exitCode == 64, "\(ending)")
    #expect(ending.output.isEmpty && !ending.errors.isEmpty)
    #expect(!ending.errors.contains("BgsRCHp"))
  }

  @Test("A bad value exits 78 whatever source it comes from, and names it")
  func badConfiguration() async throws {
    try directory.write(#"{"threads": 999}"#, to: "bad.json")
    let file = directory.file("bad.json")
    let endings = [
      (try await run("--threads", "999"), "--threads"),
      (try await run(environment: ["ROOST_THREADS": "999"]), "ROOST_THREADS"),
      (try await run("--config", file), file),
      (try await run(environment: ["ROOST_CONFIG": file]), file),
      (try await run("--config", "/nonexistent"), "no such file"),
      (try await run("--engine", "disk"), "memory, log"),
      (try await run("--auth", "off", "--listen", "tcp://0.0.0.0:0"), "loopback"),
      (try await run("--listen", "localhost"), "tcp://HOST:PORT"),
      (try await run("token", "list", "--config", file), file),
      (try await run("--data-dir", "/proc/none/here"), "data directory"),
    ]
    for (ending, text) in endings {
      #expect(ending.exitCode == 78, "\(ending)")
      #expect(ending.errors.hasPrefix("roostd: ") && ending.errors.contains(text), "\(ending)")
    }
    try directory.write(#"{"treads": 1}"#, to: "bad.json")
    let unknown = try await run("--config", file)
    #expect(unknown.exitCode == 78)
    #expect(unknown.errors.contains(#"did you mean "threads"?"#))
  }

  @Test("A token is created, listed and revoked without a server; the secret is shown once")
  func tokens() async throws {
    let data = directory.file("data")
    let created = try await run(
      "token", "create", "--name", "billing", "--grant", "read,write:inv:", "--grant", "read:x",
      "--ttl", "90d", "--data-dir", data)
    #expect(created.exitCode == 0)
    let token = String(created.output.dropLast())
    #expect(TokenFormat.defect(token) == nil)
    #expect(created.errors.contains("admin.token"))
    #expect(directory.mode(of: "data") == 0o700)
    #expect(directory.mode(of: "data/admin.token") == 0o600)
    #expect(directory.mode(of: "data/tokens.json") == 0o600)
    let id = String(token.dropFirst(6).prefix(8))

    let table = try await run("token", "list", environment: ["ROOST_DATA_DIR": data])
    #expect(table.output.hasPrefix("ID        NAME     GRANTS"))
    #expect(table.output.contains("\(id)  billing  read,write:inv: read:x"))
    #expect(!table.output.contains(token.suffix(49)))
    let json = try await run("token", "list", "-o", "json", "--data-dir", data)
    #expect(json.output.contains(#""id" : "\#(id)""#))
    #expect(!json.output.contains(token.suffix(49)))

    #expect(try await run("token", "revoke", id, "--data-dir", data).exitCode == 0)
    let again = try await run("token", "revoke", id, "--data-dir", data)
    #expect(again.exitCode == 1 && again.errors.contains("no token \(id)"))
    #expect(try await !run("token", "list", "--data-dir", data).output.contains(id))
  }

  @Test("token create -o json has the fields of CreateTokenResponse")
  func createJSON() async throws {
    struct Created: Decodable {
      struct Info: Decodable {
        var id: String
        var name: String
        var expires: Int64
        enum CodingKeys: String, CodingKey {
          case id, name
          case expires = "expires_at_ms"
        }
      }
      var token: String
      var info: Info
    }
    let ending = try await run(
      "token", "create", "--name", "ops", "--grant", "all", "-o", "json", "--data-dir",
      directory.path)
    let created = try JSONDecoder().decode(Created.self, from: Data(ending.output.utf8))
    #expect(created.token.contains("_\(created.info.id)_"))
    #expect(created.info.name == "ops" && created.info.expires == 0)
  }

  @Test("reset-admin replaces the admin token and prints none")
  func resetAdmin() async throws {
    let first = try await run("token", "reset-admin", "--data-dir", directory.path)
    let old = try directory.text(of: "admin.token")
    let second = try await run("token", "reset-admin", "--data-dir", directory.path)
    #expect(first.exitCode == 0 && second.exitCode == 0)
    #expect(try directory.text(of: "admin.token") != old)
    #expect(first.output.isEmpty && second.output.isEmpty)
    #expect(!first.errors.contains("roost_") && !second.errors.contains("roost_"))
    #expect(try TokenFile(dataDirectory: directory.path).read()?.records.count == 1)
  }

  @Test(
    "A token that cannot be shown is an error that says how to revoke it",
    arguments: [">/dev/full", ">&-"], ["table", "json"])
  func unshownToken(redirection: String, format: String) async throws {
    let ending = try await RoostdProcess.start(
      [
        "token", "create", "--name", "x", "--grant", "read", "-o", format, "--data-dir",
        directory.path,
      ], redirecting: redirection
    ).ending()
    #expect(ending.exitCode == 74, "\(ending)")
    let records = try #require(try TokenFile(dataDirectory: directory.path).read()).records
    let id = try #require(records.first { $0.name == "x" }).id
    #expect(ending.errors.contains("standard output cannot be written"), "\(ending)")
    #expect(ending.errors.contains("roostd token revoke \(id)"), "\(ending)")
    let list = try await RoostdProcess.start(
      ["token", "list", "--data-dir", directory.path], redirecting: redirection
    ).ending()
    #expect(list.exitCode == 74, "\(list)")
  }

  @Test("A damaged, a newer and a loose tokens.json each have their exit code")
  func badTokens() async throws {
    try directory.write("{", to: "tokens.json")
    let damaged = try await run("token", "list", "--data-dir", directory.path)
    #expect(damaged.exitCode == 65 && damaged.errors.contains("is damaged"))
    try directory.write(#"{"format": 9}"#, to: "tokens.json")
    let newer = try await run("--data-dir", directory.path, "--listen", "tcp://127.0.0.1:0")
    #expect(newer.exitCode == 65 && newer.errors.contains("has format 9"))
    try directory.write(#"{"format": 1, "tokens": []}"#, to: "tokens.json", mode: 0o666)
    let loose = try await run("--data-dir", directory.path, "--listen", "tcp://127.0.0.1:0")
    #expect(loose.exitCode == 77 && loose.errors.contains("chmod 600"))
  }
}
