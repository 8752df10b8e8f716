import Glibc
import RoostAPI
import Testing

@testable import roost

/// Moving data between servers by `export` and `import`.
@Suite("Export and import")
struct TransferTests {
  /// The lines of an export of these entries.
  static func export(_ entries: [ImportEntry]) -> [UInt8] {
    var lines: [[UInt8]] = []
    var json = JSONWriter()
    json.exportHeader(ExportHeader(serverVersion: "", revision: 1, exportedAtMs: 1, prefix: []))
    lines.append(json.bytes)
    for entry in entries {
      var json = JSONWriter()
      let whole = Entry(key: entry.key, expiresAtMs: entry.expiresAtMs)
      json.exportEntry(whole, entry.kind)
      lines.append(json.bytes)
    }
    json = JSONWriter()
    json.exportTrailer(entryCount: Int64(entries.count))
    lines.append(json.bytes)
    return Array(lines.joined(separator: [0x0a])) + [0x0a]
  }

  /// What an export holds, without revisions and times.
  static func entries(_ export: [UInt8]) throws -> [ImportEntry] {
    var entries: [ImportEntry] = []
    for line in export.split(separator: 0x0a).dropFirst() {
      if case .entry(let entry) = try ImportLine(JSONValue(parsing: Array(line))) {
        entries.append(entry)
      }
    }
    return entries
  }

  static func texts(_ count: Int) -> [ImportEntry] {
    (0..<count).map {
      let number = String(String($0 + 1_000_000).dropFirst())
      return ImportEntry(
        key: "k\(number)".bytes, kind: .textValue("value \(number)".bytes), expiresAtMs: 0)
    }
  }

  private static let farMs: Int64 = WallClock.nowMillis() + 86_400_000

  /// In the order of their keys.
  private static let oddEntries: [ImportEntry] = [
    .init(key: [0], kind: .bytesValue([0, 0xff, 0]), expiresAtMs: farMs),
    .init(key: "bool".bytes, kind: .boolValue(false), expiresAtMs: 0),
    .init(key: "bytes".bytes, kind: .bytesValue("text".bytes), expiresAtMs: 0),
    .init(key: "d1".bytes, kind: .doubleValue(-0.0), expiresAtMs: 0),
    .init(key: "d2".bytes, kind: .doubleValue(.leastNonzeroMagnitude), expiresAtMs: 0),
    .init(key: "d3".bytes, kind: .doubleValue(-.infinity), expiresAtMs: 0),
    .init(key: "empty bytes".bytes, kind: .bytesValue([]), expiresAtMs: 0),
    .init(key: "empty text".bytes, kind: .textValue([]), expiresAtMs: farMs + 1),
    .init(key: "int".bytes, kind: .intValue(.min), expiresAtMs: 0),
    .init(
      key: "list".bytes, kind: .listValue(ListValue(items: [[], [0xff], "a\n".bytes])),
      expiresAtMs: farMs),
    .init(
      key: [UInt8](repeating: UInt8(ascii: "m"), count: 4096), kind: .intValue(1 << 53),
      expiresAtMs: 0),
    .init(key: "text\n\u{0}".bytes, kind: .textValue("é\u{0}\r\n\"\\".bytes), expiresAtMs: 0),
    .init(key: [0xff, 0xfe], kind: .textValue("x".bytes), expiresAtMs: 0),
  ]

  @Test("Every type, odd number and byte comes back, with its end; revisions are written too")
  func roundTrips() async throws {
    try await RunningServer.with { (server) async throws in
      let input = Self.export(Self.oddEntries)
      let imported = try server.roost("import", input: input)
      #expect(imported.status == 0 && imported.output.isEmpty, "\(imported)")
      #expect(imported.errorText.hasPrefix("imported 13 entries in "), "\(imported)")
      #expect(try server.roost("get", "empty text", "-o", "json").text.contains(",\"value\":\"\","))
      #expect(try server.roost("get", "00", "--hex").text == "00ff00\n")
      #expect(try server.roost("get", "int").text == "-9223372036854775808\n")
      #expect(try server.roost("range", "list").text == "\n\\xff\na\\n\n")
      let exported = try server.roost("export")
      #expect(exported.status == 0 && exported.errorText.hasPrefix("exported 13 entries"))
      #expect(try Self.entries(exported.output) == Self.oddEntries)
      #expect(exported.text.hasPrefix("{\"roost_export\":1,\"server_version\":\"0."))
      #expect(exported.text.hasSuffix("\n{\"roost_export_end\":1,\"entries\":13}\n"))
      #expect(!exported.text.contains("\"revision\":0,"))
      try await RunningServer.with { (other) async throws in
        #expect(try other.roost("import", "-", input: exported.output).status == 0)
        #expect(try Self.entries(other.roost("export").output) == Self.oddEntries)
      }
    }
  }

  @Test("Every NaN keeps its bits")
  func keepsNaN() async throws {
    try await RunningServer.with { (server) async throws in
      let bits: [UInt64] = [0x7ff8_0000_0000_0000, 0xfff8_0000_0000_0000, 0x7ff8_0000_0000_0005]
      let entries = bits.enumerated().map {
        ImportEntry(
          key: "n\($0.offset)".bytes, kind: .doubleValue(Double(bitPattern: $0.element)),
          expiresAtMs: 0)
      }
      #expect(try server.roost("import", input: Self.export(entries)).status == 0)
      let found = try Self.entries(server.roost("export").output).map { entry -> UInt64 in
        guard case .doubleValue(let value) = entry.kind else { return 0 }
        return value.bitPattern
      }
      #expect(found == bits)
    }
  }

  @Test("Lists that no answer holds are exported and imported whole, with their end")
  func movesLongLists() async throws {
    let large = (0..<9).map { [UInt8](repeating: UInt8(0x61 + $0), count: 500_000) }
    let many = (0..<25_000).map { "item \($0)".bytes }
    let entries = [
      ImportEntry(
        key: "large".bytes, kind: .listValue(.init(items: large)), expiresAtMs: Self.farMs),
      ImportEntry(key: "many".bytes, kind: .listValue(.init(items: many)), expiresAtMs: 0),
      ImportEntry(key: "value".bytes, kind: .bytesValue(large[7]), expiresAtMs: 0),
    ]
    try await RunningServer.with { (server) async throws in
      let imported = try server.roost("import", input: Self.export(entries))
      #expect(imported.status == 0, "\(imported)")
      #expect(try server.roost("len", "many").text == "25000\n")
      #expect(try server.roost("ttl", "many").text == "never\n")
      let exported = try server.roost("export")
      #expect(exported.status == 0, "\(exported.errorText)")
      #expect(try Self.entries(exported.output) == entries)
      // Again, onto what is there.
      #expect(try server.roost("import", input: exported.output).status == 0)
      #expect(try server.roost("len", "many").text == "25000\n")
      #expect(try server.roost("len", "large").text == "9\n")
    }
  }

  @Test("An unfinished list of an import that was killed is completed with --if-absent too")
  func completesLists() async throws {
    let many = (0..<12_000).map { "item \($0)".bytes }
    let entry = ImportEntry(key: "l".bytes, kind: .listValue(.init(items: many)), expiresAtMs: 0)
    try await RunningServer.with { (server) async throws in
      let begun = many.prefix(1000).joined(separator: [0x0a])
      #expect(
        try server.roost("push", "l", "--lines", "--ttl", "50s", input: Array(begun)).status == 0)
      let imported = try server.roost("import", "--if-absent", input: Self.export([entry]))
      #expect(imported.status == 0 && imported.errorText.hasPrefix("imported 1 entry"))
      #expect(try Self.entries(server.roost("export").output) == [entry])
      let again = try server.roost("import", "--if-absent", input: Self.export([entry]))
      #expect(again.status == 0 && again.errorText.contains("1 kept"), "\(again)")
    }
  }

  @Test("A prefix is exported alone, in the hexadecimal of --hex too")
  func exportsPrefix() async throws {
    try await RunningServer.with { (server) async throws in
      #expect(try server.roost("import", input: Self.export(Self.oddEntries)).status == 0)
      let some = try server.roost("export", "--prefix", "d")
      #expect(try Self.entries(some.output) == Self.oddEntries.filter { $0.key.first == 0x64 })
      let bytes = try server.roost("export", "--prefix", "fffe", "--hex")
      #expect(try Self.entries(bytes.output) == [Self.oddEntries[12]])
      #expect(bytes.text.contains("\"prefix\":{\"base64\":\"//4=\"}"))
      let none = try server.roost("export", "--prefix", "nothing", "-o", "json")
      #expect(none.status == 0 && none.text.hasSuffix("{\"roost_export_end\":1,\"entries\":0}\n"))
      #expect(none.errorText.hasPrefix("{\"entries\":0,\"bytes\":"), "\(none)")
    }
  }

  @Test("Entries are overwritten, or kept with --if-absent; ended ones are left out")
  func chooses() async throws {
    try await RunningServer.with { (server) async throws in
      var entries = Self.texts(3)
      entries[1].expiresAtMs = 1
      #expect(try server.roost("set", "k000000", "old").status == 0)
      let kept = try server.roost(
        "import", "--if-absent", "-o", "json", input: Self.export(entries))
      #expect(kept.status == 0 && kept.errorOutput.isEmpty, "\(kept)")
      #expect(
        kept.text.hasPrefix(
          "{\"complete\":true,\"dryRun\":false,\"written\":1,\"kept\":1,\"expired\":1,"
            + "\"invalid\":0,\"bytes\":"), "\(kept)")
      #expect(try server.roost("get", "k000000").text == "old\n")
      let written = try server.roost("import", input: Self.export(entries))
      #expect(written.status == 0 && written.errorText.contains("1 had ended"), "\(written)")
      #expect(try server.roost("get", "k000000").text == "value 000000\n")
      #expect(try server.roost("get", "k000001").status == 1)
    }
  }

  @Test("A file has its name only when it is whole, and is its owner's alone")
  func writesFile() async throws {
    try await RunningServer.with { (server) async throws in
      #expect(try server.roost("import", input: Self.export(Self.texts(2500))).status == 0)
      let path = server.directory + "/export.ndjson"
      let outcome = try server.roost("export", "--file", path, "-o", "json")
      #expect(outcome.status == 0 && outcome.text.hasPrefix("{\"entries\":2500,"), "\(outcome)")
      #expect(try Self.entries(ByteSource.file(path)) == Self.texts(2500))
      var status = stat()
      #expect(stat(path, &status) == 0 && status.st_mode & 0o777 == 0o600)
      #expect(access(path + ".tmp", F_OK) != 0)
      let imported = try server.roost("import", path)
      #expect(imported.status == 0 && imported.errorText.hasPrefix("imported 2500 entries"))

      let refused = try server.roost(
        "export", "--file", server.directory + "/no.ndjson", environment: ["ROOST_TOKEN": "wrong"])
      #expect(refused.status == 3, "\(refused)")
      #expect(access(server.directory + "/no.ndjson.tmp", F_OK) != 0)
      #expect(try server.roost("export", "--file", server.directory).status == 2)
      let nowhere = try server.roost("export", "--file", "/nonexistent/x")
      #expect(nowhere.status == 7 && nowhere.errorText.contains("No such file"), "\(nowhere)")
    }
  }

  @Test("A device is written in place and never replaced; a full one ends with status 7")
  func reportsFullDevice() async throws {
    try await RunningServer.with { (server) async throws in
      #expect(try server.roost("set", "k", "v").status == 0)
      let link = server.directory + "/full"
      #expect(symlink("/dev/full", link) == 0)
      for path in ["/dev/full", link] {
        let outcome = try server.roost("export", "--file", path)
        #expect(outcome.status == 7, "\(outcome)")
        #expect(outcome.errorText.contains("'\(path)' cannot be written: No space left on device"))
        #expect(access(path + ".tmp", F_OK) != 0)
      }
    }
  }

  @Test("A reader that goes away ends an export quietly")
  func survivesClosedPipe() async throws {
    try await RunningServer.with { (server) async throws in
      #expect(try server.roost("import", input: Self.export(Self.texts(5000))).status == 0)
      let outcome = try server.roost("export", maxOutputBytes: 1)
      #expect(outcome.status == 0 && outcome.errorOutput.isEmpty, "\(outcome)")
    }
  }

  @Test("A terminal shows how far it is, and nothing of it is left at the end")
  func showsProgress() async throws {
    try await RunningServer.with { (server) async throws in
      let path = server.directory + "/export.ndjson"
      #expect(try server.roost("import", input: Self.export(Self.texts(300))).status == 0)
      let exported = try PseudoTerminal.run(
        ["export", "--file", path], environment: server.environment, columns: 70)
      #expect(exported.status == 0 && exported.screen.contains("\rexporting [-"))
      #expect(exported.screen.contains("\r\u{1b}[Kexported 300 entries"), "\(exported.screen)")
      let imported = try PseudoTerminal.run(
        ["import", path, "--rate", "1000"], environment: server.environment, columns: 70)
      #expect(imported.status == 0 && imported.screen.contains("\rimporting [#"))
      #expect(imported.screen.contains(" % "))
      #expect(imported.screen.contains("\r\u{1b}[Kimported 300 entries"), "\(imported.screen)")
      // The export itself is on the screen: no other line may be in it.
      let shown = try PseudoTerminal.run(["export"], environment: server.environment)
      #expect(shown.status == 0 && !shown.screen.contains("exporting"))
    }
  }
}
