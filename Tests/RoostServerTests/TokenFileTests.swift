import Foundation
import Glibc
import RoostAPI
import Testing

@testable import RoostServer

@Suite("The file of tokens")
struct TokenFileTests {
  let directory = ScratchDirectory()
  var file: TokenFile { TokenFile(dataDirectory: directory.path) }

  private func error(_ body: () throws -> Void) -> TokenFileError? {
    do { try body() } catch { return error as? TokenFileError }
    return nil
  }

  @Test("A token that was created is in the file without its secret, mode 0600")
  func create() throws {
    let made = try file.create(
      name: "billing", grants: [AccessGrant([.read, .write], prefix: Array("inv:".utf8))],
      expiresAtMillis: 7_000, nowMillis: 5_000)
    #expect(directory.mode(of: "tokens.json") == 0o600)
    let text = try directory.text(of: "tokens.json")
    #expect(!text.contains(made.token.suffix(49)))
    #expect(!text.contains(made.token.suffix(49).prefix(20)))
    let records = try #require(try file.read()).records
    #expect(records == [made.record])
    #expect(made.token.contains("_\(records[0].id)_"))
    #expect(records[0].digest == withBytes(made.token, TokenRecord.digest))
    #expect(records[0].expiresAtMillis == 7_000)
  }

  @Test("The file keeps its format: these bytes of version 1 are read and written for ever")
  func pinned() throws {
    let pinned = """
      {
        "format" : 1,
        "tokens" : [
          {
            "created_at_ms" : 1700000000000,
            "expires_at_ms" : 0,
            "grants" : [
              {
                "actions" : [
                  "read",
                  "write"
                ],
                "prefix" : "inv:"
              },
              {
                "actions" : [
                  "read"
                ],
                "prefix_base64" : "/wA="
              }
            ],
            "id" : "erq0c28p",
            "name" : "b",
            "sha256" : "1b3ed3b0d1b5d8be4f9dcd69b7d2ef2d983d15850c0e1b86c5281a48e17adbd4"
          }
        ]
      }

      """
    try directory.write(pinned, to: "tokens.json")
    let records = try #require(try file.read()).records
    #expect(records.map(\.id) == ["erq0c28p"])
    #expect(records[0].grants[0] == AccessGrant([.read, .write], prefix: Array("inv:".utf8)))
    #expect(records[0].grants[1] == AccessGrant(.read, prefix: [0xFF, 0]))
    #expect(String(decoding: TokenFileFormat.encode(records), as: UTF8.self) == pinned)
  }

  @Test("A newer format is refused by its number, and the file stays as it is")
  func newerFormat() throws {
    let newer = #"{"format": 2, "tokens": {"by": "id"}}"#
    try directory.write(newer, to: "tokens.json")
    let refusal = TokenFileError.newerFormat(path: file.path, found: 2, newest: 1)
    #expect(error { _ = try file.read() } == refusal)
    #expect(error { _ = try file.create(name: "x", grants: [AccessGrant(.read)]) } == refusal)
    #expect(error { try AdminToken(dataDirectory: directory.path).reset() } == refusal)
    #expect(try directory.text(of: "tokens.json") == newer)
    #expect(refusal.description.contains("format 2"))
  }

  private static let token = """
    {"id": "erq0c28p", "name": "b", "created_at_ms": 1, "expires_at_ms": 0,
     "sha256": "1b3ed3b0d1b5d8be4f9dcd69b7d2ef2d983d15850c0e1b86c5281a48e17adbd4",
     "grants": [{"actions": ["read"], "prefix": "a"}]}
    """

  @Test(
    "A damaged file is refused and never overwritten",
    arguments: [
      "", "{", "null", "[]", #"{"tokens": []}"#, #"{"format": 0, "tokens": []}"#,
      #"{"format": 1}"#, #"{"format": 1, "tokens": [], "extra": 1}"#,
      #"{"format": 1, "tokens": [{}]}"#,
      #"{"format": 1, "tokens": [\#(token), \#(token)]}"#,
      #"{"format": 1, "tokens": [\#(token.replacing("erq0c28p", with: "EVIL"))]}"#,
      #"{"format": 1, "tokens": [\#(token.replacing("1b3e", with: "1b3"))]}"#,
      #"{"format": 1, "tokens": [\#(token.replacing("1b3e", with: "zzzz"))]}"#,
      #"{"format": 1, "tokens": [\#(token.replacing("read", with: "rule"))]}"#,
      #"{"format": 1, "tokens": [\#(token.replacing("read", with: "admin"))]}"#,
      #"{"format": 1, "tokens": [\#(token.replacing(#", "prefix": "a""#, with: ""))]}"#,
      #"{"format": 1, "tokens": [\#(token.replacing(#""prefix""#, with: #""prefx""#))]}"#,
      #"{"format": 1, "tokens": [\#(token.replacing(#""prefix""#, with: #""prefix_base64""#))]}"#,
      #"{"format": 1, "tokens": [\#(token.replacing(#""b","#, with: #""","#))]}"#,
      #"{"format": 1, "tokens": [\#(token.replacing("grants", with: "grant"))]}"#,
    ])
  func damaged(text: String) throws {
    try directory.write(text, to: "tokens.json")
    for body in [
      { _ = try file.read() }, { _ = try file.revoke(id: "erq0c28p") },
      { _ = try AdminToken(dataDirectory: directory.path).createAtFirstStart() },
    ] {
      guard case .damaged(file.path, _) = error(body) else {
        Issue.record("\(text) was not refused")
        continue
      }
    }
    #expect(try directory.text(of: "tokens.json") == text)
  }

  @Test("The undamaged form of those files is read")
  func undamaged() throws {
    try directory.write(#"{"format": 1, "tokens": [\#(Self.token)]}"#, to: "tokens.json")
    #expect(try file.read()?.records.count == 1)
  }

  @Test("A file that others may write is refused; one that they may read is reported")
  func permissions() throws {
    _ = try file.create(name: "a", grants: [AccessGrant(.read)])
    for mode: mode_t in [0o620, 0o602, 0o666] {
      chmod(file.path, mode)
      let refusal = PrivateFileError.writableByOthers(path: file.path, mode: mode)
      #expect(error { _ = try file.read() } == .file(refusal))
    }
    chmod(file.path, 0o644)
    #expect(try file.read()?.isReadableByOthers == true)
    chmod(file.path, 0o600)
    #expect(try file.read()?.isReadableByOthers == false)
  }

  @Test("A change makes a loose mode strict again")
  func modeAfterChange() throws {
    _ = try file.create(name: "a", grants: [AccessGrant(.read)])
    chmod(file.path, 0o644)
    _ = try file.create(name: "b", grants: [AccessGrant(.read)])
    #expect(directory.mode(of: "tokens.json") == 0o600)
  }

  @Test("A link, a directory and a pipe in place of the file are refused")
  func notAFile() throws {
    let refusal = TokenFileError.file(.notAFile(path: file.path))
    try directory.write(#"{"format": 1, "tokens": []}"#, to: "elsewhere")
    symlink(directory.file("elsewhere"), file.path)
    #expect(error { _ = try file.read() } == refusal)
    unlink(file.path)
    mkdir(file.path, 0o700)
    #expect(error { _ = try file.read() } == refusal)
    rmdir(file.path)
    mkfifo(file.path, 0o600)
    #expect(error { _ = try file.read() } == refusal)
  }

  @Test("A file of another user is refused", .enabled(if: geteuid() == 0))
  func foreignOwner() throws {
    _ = try file.create(name: "a", grants: [AccessGrant(.read)])
    chown(file.path, 4242, gid_t.max)
    #expect(error { _ = try file.read() } == .file(.foreignOwner(path: file.path, owner: 4242)))
  }

  @Test("What root writes belongs to the owner of the directory", .enabled(if: geteuid() == 0))
  func rootWrites() throws {
    chown(directory.path, 4242, gid_t.max)
    _ = try file.create(name: "a", grants: [AccessGrant(.read)])
    for name in ["tokens.json", ".tokens.json.lock"] {
      var status = stat()
      lstat(directory.file(name), &status)
      #expect(status.st_uid == 4242)
    }
    #expect(try file.read()?.records.count == 1)
  }

  @Test(
    "Whatever step of a write fails, the file is the old one or the new one, as a whole",
    arguments: PrivateFile.WriteStep.allCases)
  func failingStep(step: PrivateFile.WriteStep) throws {
    _ = try file.create(name: "first", grants: [AccessGrant(.read)])
    let broken = PrivateFileError.system(operation: "test", path: "", errno: EIO)
    let failed = error {
      try file.update(
        before: { now throws(PrivateFileError) in if now == step { throw broken } },
        { $0[0].name = "second" })
    }
    #expect(failed == .file(broken))
    let name = try #require(try file.read()).records[0].name
    #expect(name == (step == .syncDirectory ? "second" : "first"))
    #expect(directory.mode(of: "tokens.json.tmp") == nil)
    try file.update { $0[0].name = "third" }
    #expect(try file.read()?.records[0].name == "third")
  }

  @Test("What a killed writer left beside the file is neither read nor in the way")
  func leftover() throws {
    _ = try file.create(name: "a", grants: [AccessGrant(.read)])
    try directory.write(#"{"format": 1, "to"#, to: "tokens.json.tmp")
    #expect(try file.read()?.records.count == 1)
    _ = try file.create(name: "b", grants: [AccessGrant(.read)])
    #expect(try file.read()?.records.count == 2)
    #expect(directory.mode(of: "tokens.json.tmp") == nil)
  }

  @Test("Writers at the same time lose nothing of each other")
  func concurrentWriters() async throws {
    let path = directory.path
    try await withThrowingTaskGroup(of: Void.self) { group in
      for writer in 0..<4 {
        group.addTask {
          for index in 0..<5 {
            _ = try TokenFile(dataDirectory: path).create(
              name: "\(writer)-\(index)", grants: [AccessGrant(.read)])
          }
        }
      }
      try await group.waitForAll()
    }
    #expect(Set(try #require(try file.read()).records.map(\.name)).count == 20)
  }

  @Test("A token that nothing may be called is refused before anything is written")
  func badRecords() {
    let everything = [AccessGrant(.all)]
    let cases: [(String, [AccessGrant], TokenRecord.Defect)] = [
      ("", everything, .name), ("a\nb", everything, .name),
      (String(repeating: "n", count: 129), everything, .name), ("a", [], .grantCount(0)),
      ("a", [AccessGrant([])], .noAction),
      ("a", Array(repeating: AccessGrant(.read), count: 101), .grantCount(101)),
      ("a", [AccessGrant(.admin, prefix: [1])], .adminWithPrefix),
    ]
    for (name, grants, defect) in cases {
      #expect(error { _ = try file.create(name: name, grants: grants) } == .record(defect))
    }
    #expect(directory.mode(of: "tokens.json") == nil)
  }

  @Test("The first start makes the admin token, mode 0600, and no later start does")
  func adminToken() throws {
    let admin = AdminToken(dataDirectory: directory.path)
    #expect(try admin.createAtFirstStart())
    #expect(directory.mode(of: "admin.token") == 0o600)
    let first = try directory.text(of: "admin.token")
    #expect(first.hasSuffix("\n"))
    #expect(TokenFormat.defect(String(first.dropLast())) == nil)
    #expect(try file.read()?.records.map(\.grants) == [AdminToken.grants])
    unlink(admin.path)
    #expect(try !admin.createAtFirstStart())
    try admin.reset()
    let second = try directory.text(of: "admin.token")
    let records = try #require(try file.read()).records
    #expect(second != first)
    #expect(records.count == 1)
    #expect(records[0].digest == withBytes(String(second.dropLast()), TokenRecord.digest))
  }
}
