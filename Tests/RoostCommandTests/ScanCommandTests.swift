import Testing

@testable import roost

/// Commands about many keys, with a real server.
@Suite("Commands about many keys")
struct ScanCommandTests {
  /// Stores `count` keys that begin with `prefix`, in their byte order.
  private func fill(_ server: RunningServer, prefix: String, count: Int) throws -> [String] {
    let keys = (0..<count).map { "\(prefix)\(String(String($0 + 100_000).dropFirst()))" }
    for start in stride(from: 0, to: count, by: 128) {
      let steps = keys[start..<min(start + 128, count)].map { "set \($0) \($0)" }
      let outcome = try server.roost("txn", "-", input: steps.joined(separator: "\n").bytes)
      #expect(outcome.status == 0, "\(outcome)")
    }
    return keys
  }

  @Test("A scan prints every key once and in order, over many pages, forward and backward")
  func scans() async throws {
    try await RunningServer.with { (server) async throws in
      let keys = try fill(server, prefix: "k", count: 2500)
      let all = try server.roost("scan", "--prefix", "k")
      #expect(all.status == 0 && all.text == keys.map { "\($0)\t\($0)\n" }.joined())
      let reverse = try server.roost("scan", "--keys-only", "--reverse")
      #expect(reverse.text == keys.reversed().map { "\($0)\n" }.joined())
      let some = try server.roost("scan", "--limit", "3", "--keys-only")
      #expect(some.text == keys.prefix(3).map { "\($0)\n" }.joined())
      #expect(some.errorOutput.isEmpty)
      let range = try server.roost("scan", "--start", keys[10], "--end", keys[12], "--keys-only")
      #expect(range.text == keys[10..<12].map { "\($0)\n" }.joined())
      let json = try server.roost("scan", "--limit", "1", "-o", "json")
      #expect(json.text.hasPrefix("{\"key\":\"k00000\",\"type\":\"text\",\"value\":\"k00000\","))
      #expect(try server.roost("count").text == "2500\n")
      #expect(try server.roost("count", "--prefix", "k0000").text == "10\n")
    }
  }

  @Test("Patterns choose keys; a bad one ends with status 2")
  func matches() async throws {
    try await RunningServer.with { (server) async throws in
      for key in ["user:1:mail", "user:2:mail", "user:2:name", "job:7"] {
        #expect(try server.roost("set", key, "x").status == 0)
      }
      let glob = try server.roost("scan", "--match", "user:*:mail", "--keys-only")
      #expect(glob.text == "user:1:mail\nuser:2:mail\n", "\(glob)")
      let regex = try server.roost("scan", "--regex", "^job:[0-9]+$", "--keys-only")
      #expect(regex.text == "job:7\n")
      #expect(try server.roost("count", "--match", "*:2:*").text == "2\n")
      #expect(try server.roost("count", "--regex", "mail", "--prefix", "user:1").text == "1\n")
      #expect(try server.roost("scan", "--regex", "(").status == 2)
    }
  }

  @Test("A reader that goes away ends the scan quietly and at once")
  func survivesClosedPipe() async throws {
    try await RunningServer.with { (server) async throws in
      _ = try fill(server, prefix: "k", count: 3000)
      let value = [UInt8](repeating: UInt8(ascii: "v"), count: 100_000)
      for index in 0..<20 {
        #expect(try server.roost("set", "big\(index)", "-", input: value).status == 0)
      }
      let outcome = try server.roost("scan", maxOutputBytes: 10)
      #expect(outcome.status == 0 && outcome.errorOutput.isEmpty, "\(outcome.errorText)")
    }
  }

  @Test("A prefix is deleted with --yes, and not without it where nobody can be asked")
  func deletesPrefix() async throws {
    try await RunningServer.with { (server) async throws in
      _ = try fill(server, prefix: "a", count: 5)
      _ = try fill(server, prefix: "b", count: 2)
      let refused = try server.roost("del", "--prefix", "a", input: "y\n".bytes)
      #expect(refused.status == 2 && refused.errorText.contains("--yes"), "\(refused)")
      #expect(try server.roost("count").text == "7\n")
      let done = try server.roost("del", "--prefix", "a", "--yes")
      #expect(done.status == 0 && done.text == "5\n", "\(done)")
      #expect(try server.roost("scan", "--keys-only").text == "b00000\nb00001\n")
      #expect(try server.roost("del", "--prefix", "a", "--yes").text == "0\n")
    }
  }

  @Test("More keys than the server deletes at once are deleted in steps")
  func deletesInSteps() async throws {
    try await RunningServer.with(["--max-delete-range-keys", "100"]) { (server) async throws in
      _ = try fill(server, prefix: "a", count: 950)
      _ = try fill(server, prefix: "b", count: 3)
      let outcome = try server.roost("del", "--prefix", "a", "--yes")
      #expect(outcome.status == 0 && outcome.text == "950\n", "\(outcome)")
      #expect(outcome.errorOutput.isEmpty)
      #expect(try server.roost("count").text == "3\n")
    }
  }

  @Test("On a terminal the prefix is deleted only after a yes, and the question shows the count")
  func asks() async throws {
    try await RunningServer.with { (server) async throws in
      _ = try fill(server, prefix: "a", count: 5)
      let no = try PseudoTerminal.run(
        ["del", "--prefix", "a"], environment: server.environment, prompt: "[y/N] ", answer: "n\n")
      #expect(no.screen.contains("Delete 5 keys that begin with 'a'? [y/N] "), "\(no)")
      #expect(no.status == 7 && no.screen.contains("nothing was deleted"), "\(no)")
      #expect(try server.roost("count").text == "5\n")
      let enter = try PseudoTerminal.run(
        ["del", "--prefix", "a"], environment: server.environment, prompt: "[y/N] ", answer: "\n")
      #expect(enter.status == 7)
      let yes = try PseudoTerminal.run(
        ["del", "--prefix", ""], environment: server.environment, prompt: "[y/N] ",
        answer: "yes\n")
      #expect(yes.screen.contains("Delete ALL 5 keys of the store? [y/N] "), "\(yes)")
      #expect(yes.status == 0 && yes.screen.contains("deleted 5\n"), "\(yes)")
      #expect(try server.roost("count").text == "0\n")
    }
  }

  @Test("A terminal gets a table as wide as it is, and of a long scan the first hundred keys")
  func showsTables() async throws {
    try await RunningServer.with { (server) async throws in
      #expect(try server.roost("set", "漢字", "\u{1b}[2J").status == 0)
      #expect(try server.roost("set", "a", String(repeating: "x", count: 200)).status == 0)
      var environment = server.environment
      environment["NO_COLOR"] = "1"
      let table = try PseudoTerminal.run(["scan"], environment: environment, columns: 60)
      let lines = table.screen.split(separator: "\n")
      #expect(table.status == 0 && lines.count == 3, "\(table)")
      #expect(lines.allSatisfy { DisplayWidth.columns($0) <= 60 }, "\(table)")
      #expect(lines.last?.hasPrefix("漢字") == true && lines.last?.hasSuffix("\\x1b[2J") == true)
      let get = try PseudoTerminal.run(["get", "漢字"], environment: environment)
      #expect(get.screen == "\\x1b[2J\n")
      _ = try fill(server, prefix: "k", count: 150)
      let long = try PseudoTerminal.run(["scan", "--prefix", "k"], environment: environment)
      #expect(long.screen.split(separator: "\n").count == 102, "\(long)")
      #expect(long.screen.hasSuffix("… the first 100 keys; --limit 0 shows all\n"))
      let whole = try PseudoTerminal.run(
        ["scan", "--prefix", "k", "--limit", "0"], environment: environment)
      #expect(whole.screen.split(separator: "\n").count == 151)
      let set = try PseudoTerminal.run(["set", "n", "1"], environment: environment)
      #expect(set.screen.hasPrefix("OK created at revision "))
    }
  }
}
