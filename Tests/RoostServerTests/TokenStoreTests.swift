import Glibc
import Testing

@testable import RoostServer

@Suite("Tokens in force")
struct TokenStoreTests {
  let directory = ScratchDirectory()
  let log = LogRecorder()
  var file: TokenFile { TokenFile(dataDirectory: directory.path) }

  private func store() throws -> TokenStore {
    try TokenStore(dataDirectory: directory.path, logger: log.logger)
  }

  private func refusal(
    _ store: TokenStore, _ token: String, nowMillis: Int64 = 10_000
  ) -> TokenRefusal? {
    do {
      _ = try withBytes(token) { try store.table.verify($0, nowMillis: nowMillis) }
      return nil
    } catch { return error as? TokenRefusal }
  }

  @Test("A token is verified by its whole text and gives its principal")
  func verify() throws {
    let made = try file.create(
      name: "billing", grants: [AccessGrant(.read)], expiresAtMillis: 20_000, nowMillis: 9_000)
    let principal = try withBytes(made.token) {
      try store().table.verify($0, nowMillis: 10_000)
    }
    #expect(principal.tokenID == made.record.id)
    #expect(principal.name == "billing")
    #expect(principal.grants == [AccessGrant(.read)])
    #expect(principal.createdAtMillis == 9_000)
    #expect(principal.lastUsedAtMillis == 0)
  }

  @Test("Wrong tokens are told apart for the log")
  func refusals() throws {
    let made = try file.create(
      name: "a", grants: [AccessGrant(.read)], expiresAtMillis: 20_000)
    let other = try TokenRecord.make(
      name: "b", grants: [AccessGrant(.read)], createdAtMillis: 0, expiresAtMillis: 0)
    let store = try store()
    #expect(refusal(store, made.token) == nil)
    #expect(refusal(store, "") == .malformed)
    #expect(refusal(store, String(made.token.dropLast())) == .malformed)
    #expect(refusal(store, other.token) == .unknownID)
    #expect(refusal(store, TokenForger.sameID(as: made.token)) == .wrongSecret)
    #expect(refusal(store, made.token, nowMillis: 19_999) == nil)
    #expect(refusal(store, made.token, nowMillis: 20_000) == .expired)
  }

  @Test("A revoked token is refused from the next look at the file on; others stay as they were")
  func revoke() throws {
    let revoked = try file.create(name: "a", grants: [AccessGrant(.read)])
    let kept = try file.create(name: "b", grants: [AccessGrant(.read)])
    let store = try store()
    let before = try withBytes(kept.token) { try store.table.verify($0, nowMillis: 0) }
    let generation = store.generation
    #expect(!store.reloadIfChanged())
    #expect(store.generation == generation)
    #expect(try file.revoke(id: revoked.record.id))
    #expect(store.reloadIfChanged())
    #expect(store.generation == generation + 1)
    #expect(refusal(store, revoked.token) == .unknownID)
    let after = try withBytes(kept.token) { try store.table.verify($0, nowMillis: 0) }
    #expect(before === after)
    #expect(try !file.revoke(id: revoked.record.id))
    #expect(!store.reloadIfChanged())
  }

  @Test("A file that is damaged, loose or gone changes nothing, and the log says so once")
  func badFile() throws {
    let made = try file.create(name: "a", grants: [AccessGrant(.read)])
    let good = try directory.text(of: "tokens.json")
    let store = try store()
    let breakages: [() throws -> Void] = [
      { try directory.write("{", to: "tokens.json") },
      { chmod(file.path, 0o666) },
      { unlink(file.path) },
    ]
    for (index, breakage) in breakages.enumerated() {
      try breakage()
      #expect(!store.reloadIfChanged())
      #expect(!store.reloadIfChanged())
      #expect(refusal(store, made.token) == nil)
      #expect(log.lines.count { $0.hasPrefix("error") } == index + 1)
    }
    try directory.write(good, to: "tokens.json")
    #expect(store.reloadIfChanged())
    #expect(refusal(store, made.token) == nil)
  }

  @Test("When a token was last used outlives the server; a lost note is no error")
  func usage() throws {
    let made = try file.create(name: "a", grants: [AccessGrant(.read)])
    let first = try store()
    let principal = try withBytes(made.token) { try first.table.verify($0, nowMillis: 0) }
    principal.usage.mark(5_000)
    principal.usage.mark(4_000)
    #expect(principal.lastUsedAtMillis == 5_000)
    first.saveUsage()
    #expect(directory.mode(of: "tokens.usage.json") == 0o600)
    #expect(try TokenListing(dataDirectory: directory.path).json().contains(": 5000"))
    let second = try store()
    let again = try withBytes(made.token) { try second.table.verify($0, nowMillis: 0) }
    #expect(again.lastUsedAtMillis == 5_000)
    try directory.write("nonsense", to: "tokens.usage.json")
    #expect(throws: Never.self) { try store() }
  }

  @Test("No log line has a secret")
  func noSecrets() throws {
    let made = try file.create(name: "a", grants: [AccessGrant(.read)])
    let store = try store()
    _ = try file.revoke(id: made.record.id)
    store.reloadIfChanged()
    #expect(!log.lines.isEmpty)
    #expect(!log.lines.contains { $0.contains(made.token.suffix(49)) })
  }
}

/// Makes tokens that look right.
enum TokenForger {
  /// A well-formed token with the ID of another one and a secret of its own.
  static func sameID(as token: String) -> String {
    var generator = SystemRandomNumberGenerator()
    while true {
      var bytes = Array(token.utf8)
      for index in 15..<58 {
        bytes[index] = Array("0123456789abcdefXYZ".utf8).randomElement(using: &generator)!
      }
      if let forged = withChecksum(bytes), forged != token { return forged }
    }
  }

  private static func withChecksum(_ bytes: [UInt8]) -> String? {
    let digits = Array("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz".utf8)
    var check = CRC.of(Array(bytes[6..<58]))
    var result = bytes
    for index in (58..<64).reversed() {
      result[index] = digits[Int(check % 62)]
      check /= 62
    }
    return String(decoding: result, as: UTF8.self)
  }

  /// CRC-32 once more, written in another way than the one under test.
  private enum CRC {
    static func of(_ bytes: [UInt8]) -> UInt32 {
      let table: [UInt32] = (0..<256).map { index in
        (0..<8).reduce(UInt32(index)) { value, _ in
          value & 1 == 1 ? 0xEDB8_8320 ^ (value >> 1) : value >> 1
        }
      }
      return ~bytes.reduce(UInt32.max) { table[Int(($0 ^ UInt32($1)) & 0xFF)] ^ ($0 >> 8) }
    }
  }
}
