import Glibc
import Testing

@testable import roost

/// Imports and exports that do not come to their end.
@Suite("Export and import that fail")
struct TransferFailureTests {
  private static let header = "{\"roost_export\":1}\n"

  private func line(_ key: String) -> String {
    "{\"key\":\"\(key)\",\"type\":\"text\",\"value\":\"v\"}\n"
  }

  private func trailer(_ count: Int) -> String { "{\"roost_export_end\":1,\"entries\":\(count)}\n" }

  @Test("A file that is cut short is noticed wherever the cut is")
  func noticesTruncation() async throws {
    try await RunningServer.with { (server) async throws in
      let whole = TransferTests.export(TransferTests.texts(3))
      // Without the last line break it is whole.
      #expect(try server.roost("import", input: whole.dropLast()).status == 0)
      for count in [0, 1, whole.count / 3, whole.count / 2, whole.count - 2, whole.count - 20] {
        let outcome = try server.roost("import", "--dry-run", input: Array(whole.prefix(count)))
        #expect(outcome.status == 2, "\(count): \(outcome)")
        #expect(outcome.errorText.contains("not the whole export"))
      }
      let end = whole.count - trailer(3).utf8.count
      let outcome = try server.roost("import", input: Array(whole.prefix(end)))
      #expect(outcome.status == 2, "\(outcome)")
      #expect(outcome.errorText.contains("line 5: the trailer is missing"), "\(outcome)")
    }
  }

  @Test("The first line that is wrong is named, and nothing behind it is written")
  func stopsAtGarbage() async throws {
    try await RunningServer.with { (server) async throws in
      let text = Self.header + line("a") + "garbage\n" + line("b") + trailer(3)
      let outcome = try server.roost("import", input: text.bytes)
      #expect(outcome.status == 2, "\(outcome)")
      #expect(
        outcome.errorText.contains("error: JSON, line 3, column 1: a value is expected"),
        "\(outcome)")
      #expect(outcome.errorText.hasPrefix("imported 1 entry in "))
      #expect(try server.roost("scan", "--keys-only").text == "a\n")
      let skipped = try server.roost("import", "--skip-invalid", input: text.bytes)
      #expect(skipped.status == 0, "\(skipped)")
      #expect(skipped.errorText.contains("skipped: JSON, line 3"))
      #expect(skipped.errorText.contains("1 invalid line skipped"))
      #expect(try server.roost("scan", "--keys-only").text == "a\nb\n")
    }
  }

  @Test("What the server refuses is named by its line, too, and can be skipped")
  func namesRefusedLines() async throws {
    try await RunningServer.with(["--max-value-bytes", "10B"]) { (server) async throws in
      let large = "{\"key\":\"large\",\"type\":\"text\",\"value\":\"0123456789a\"}\n"
      let text = Self.header + line("a") + large + line("b") + trailer(3)
      let outcome = try server.roost("import", input: text.bytes)
      #expect(outcome.status == 2 && outcome.errorText.contains("error: line 3: "), "\(outcome)")
      let skipped = try server.roost("import", "--skip-invalid", input: text.bytes)
      #expect(skipped.status == 0 && skipped.errorText.contains("skipped: line 3: "))
      #expect(try server.roost("scan", "--keys-only").text == "a\nb\n")
    }
  }

  @Test(
    "What is no export, or one of a newer version, writes nothing",
    arguments: [
      ("{\"roost_export\":2}\n", "format version 2"), ("hello\n", "no export of roost"),
      ("{\"key\":\"k\",\"type\":\"int\",\"value\":1}\n", "no export of roost"),
      ("", "the input is empty"),
    ])
  func refusesOthers(head: String, message: String) async throws {
    try await RunningServer.with { (server) async throws in
      let text = head + (head.isEmpty ? "" : line("k") + trailer(1))
      for flags in [[], ["--skip-invalid"]] {
        let arguments = (["import"] + flags).map(\.bytes)
        let outcome = try server.roost(bytes: arguments, input: text.bytes)
        #expect(outcome.status == 2 && outcome.errorText.contains(message), "\(outcome)")
      }
      #expect(try server.roost("count").text == "0\n")
    }
  }

  @Test("A trailer that counts otherwise, and lines behind it, are refused")
  func checksTrailer() async throws {
    try await RunningServer.with { (server) async throws in
      let wrong = try server.roost("import", input: (Self.header + line("a") + trailer(2)).bytes)
      #expect(wrong.status == 2 && wrong.errorText.contains("counts 2 entries"), "\(wrong)")
      let more = Self.header + trailer(0) + line("a")
      let behind = try server.roost("import", input: more.bytes)
      #expect(behind.status == 2 && behind.errorText.contains("line 3: nothing may follow"))
    }
  }

  @Test("The later line of one key wins, however many calls are in flight")
  func keepsOrder() async throws {
    try await RunningServer.with { (server) async throws in
      let lines = (0..<500).map {
        "{\"key\":\"k\($0 % 3)\",\"type\":\"int\",\"value\":\($0)}\n"
      }
      let text = Self.header + lines.joined() + trailer(500)
      #expect(try server.roost("import", input: text.bytes).status == 0)
      #expect(try server.roost("mget", "k0", "k1", "k2").text == "k0\t498\nk1\t499\nk2\t497\n")
    }
  }

  @Test("A wrong token ends with status 3, a token without the right with the line")
  func needsToken() async throws {
    try await RunningServer.with(grants: ["reader": ["read"]]) { (server) async throws in
      let text = (Self.header + line("a") + trailer(1)).bytes
      let wrong = try server.roost("import", input: text, environment: ["ROOST_TOKEN": "wrong"])
      #expect(wrong.status == 3, "\(wrong)")
      let reader = ["ROOST_TOKEN": server.tokens["reader"] ?? ""]
      let outcome = try server.roost("import", input: text, environment: reader)
      #expect(outcome.status == 3 && outcome.errorText.contains("error: line 2: "), "\(outcome)")
      #expect(try server.roost("export", environment: reader).status == 0)
    }
  }

  @Test("A dry run needs no server, checks every line and writes nothing")
  func checksOnly() throws {
    let program = ChildProcess.builtProgram("roost")
    let environment = ["ROOST_ENDPOINT": "unix:///nonexistent/roost.sock"]
    let text = (Self.header + line("a") + trailer(1)).bytes
    let fine = try ChildProcess.run(
      program, ["import".bytes, "--dry-run".bytes], environment: environment, input: text)
    #expect(fine.status == 0 && fine.errorText.hasPrefix("checked 1 entry"), "\(fine)")
    let offline = try ChildProcess.run(
      program, ["import".bytes], environment: environment, input: text)
    #expect(offline.status == 5, "\(offline)")
    let missing = try ChildProcess.run(
      program, ["import".bytes, "/nonexistent/file".bytes], environment: environment)
    #expect(missing.status == 2 && missing.errorText.contains("/nonexistent/file"))
  }

  /// Starts `roost import PATH`, and waits until the server has some of it.
  private func startImport(
    _ path: String, _ server: RunningServer, errorPath: String
  ) throws -> ChildProcess {
    let null = open("/dev/null", O_RDWR | O_CLOEXEC)
    let errors = open(errorPath, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0o600)
    defer {
      close(null)
      close(errors)
    }
    let child = try ChildProcess(
      ChildProcess.builtProgram("roost"), ["import", path, "--rate", "2000"].map(\.bytes),
      environment: server.environment, streams: [null, null, errors])
    while Int(try server.roost("count").text.dropLast()) ?? 0 < 200 {}
    return child
  }

  private func write(_ bytes: [UInt8], to path: String) throws {
    let file = try #require(fopen(path, "w"))
    #expect(fwrite(bytes, 1, bytes.count, file) == bytes.count)
    fclose(file)
  }

  @Test("A server that is killed ends an import with status 5; the same command completes it")
  func completesAfterCrash() async throws {
    let entries = TransferTests.texts(8000)
    try await RunningServer.with { (server) async throws in
      let path = server.directory + "/export.ndjson"
      let errorPath = server.directory + "/errors"
      try write(TransferTests.export(entries), to: path)
      let child = try startImport(path, server, errorPath: errorPath)
      server.crash()
      #expect(child.wait() == 5)
      let errors = String(decoding: try ByteSource.file(errorPath), as: UTF8.self)
      #expect(errors.contains("imported ") && errors.contains("not the whole export"), "\(errors)")
      #expect(errors.contains("error: line "), "\(errors)")
      try await RunningServer.with { (next) async throws in
        let some = Array(entries.prefix(300))
        #expect(try next.roost("import", input: TransferTests.export(some)).status == 0)
        let again = try next.roost("import", path, "--if-absent")
        #expect(again.status == 0 && again.errorText.contains("300 kept"), "\(again)")
        #expect(try TransferTests.entries(next.roost("export").output) == entries)
      }
    }
  }

  @Test("Ctrl-C ends an import with a summary, and the same command completes it")
  func endsOnInterrupt() async throws {
    let entries = TransferTests.texts(8000)
    try await RunningServer.with { (server) async throws in
      let path = server.directory + "/export.ndjson"
      let errorPath = server.directory + "/errors"
      try write(TransferTests.export(entries), to: path)
      let child = try startImport(path, server, errorPath: errorPath)
      kill(child.pid, SIGINT)
      #expect(child.wait() == 7)
      let errors = String(decoding: try ByteSource.file(errorPath), as: UTF8.self)
      #expect(errors.hasPrefix("imported ") && errors.contains("error: interrupted"), "\(errors)")
      #expect(try server.roost("import", path).status == 0)
      #expect(try TransferTests.entries(server.roost("export").output) == entries)
    }
  }
}
