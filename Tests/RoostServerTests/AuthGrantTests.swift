import RoostStore
import Testing

@testable import RoostServer

@Suite("Grants")
struct AuthGrantTests {
  private func principal(_ grants: AccessGrant...) -> Principal {
    Principal(tokenID: "00000000", name: "test", grants: grants)
  }

  private func allows(
    _ principal: Principal, _ action: AccessAction = .read, key: [UInt8]
  ) -> Bool {
    key.withUnsafeBytes { principal.allows(action, key: $0) }
  }

  private func allows(
    _ principal: Principal, _ action: AccessAction = .read, prefix: [UInt8] = [],
    start: [UInt8] = [], end: [UInt8] = []
  ) -> Bool {
    prefix.withUnsafeBytes { prefix in
      start.withUnsafeBytes { start in
        end.withUnsafeBytes { end in
          var range = KeyRangeRef(start: start, end: end)
          range.prefix = prefix
          return principal.allows(action, range: range)
        }
      }
    }
  }

  @Test("A key is inside a grant when it begins with the prefix and the action is named")
  func keys() {
    let user = principal(AccessGrant(.read, prefix: Array("user:".utf8)))
    #expect(allows(user, key: Array("user:1".utf8)))
    #expect(allows(user, key: Array("user:".utf8)))
    #expect(!allows(user, key: Array("user".utf8)))
    #expect(!allows(user, key: Array("users:1".utf8)))
    #expect(!allows(user, key: []))
    #expect(!allows(user, .write, key: Array("user:1".utf8)))
    #expect(!allows(user, .admin, key: Array("user:1".utf8)))
  }

  @Test("A grant without a prefix is for every key, but only for its own actions")
  func everyKey() {
    let reader = principal(AccessGrant(.read))
    #expect(allows(reader, key: [0]))
    #expect(allows(reader))
    #expect(allows(reader, start: [1], end: [0]))
    #expect(!allows(reader, .write, key: [0]))
    #expect(!allows(reader, .write))
  }

  @Test("ADMIN allows nothing about keys, and READ and WRITE on every key are not ADMIN")
  func admin() {
    let operations = principal(AccessGrant(.admin))
    #expect(operations.allows(.admin))
    #expect(!allows(operations, key: [1]))
    #expect(!allows(operations, .write))
    let everything = principal(AccessGrant([.read, .write]))
    #expect(!everything.allows(.admin))
    #expect(everything.allows(.write))
  }

  @Test("Two grants side by side do not allow a range over both")
  func twoGrants() {
    let both = principal(
      AccessGrant(.read, prefix: [0x61]), AccessGrant(.read, prefix: [0x62]))
    #expect(allows(both, prefix: [0x61]))
    #expect(allows(both, prefix: [0x62, 0]))
    #expect(allows(both, start: [0x62], end: [0x63]))
    #expect(!allows(both, start: [0x61], end: [0x63]))
    #expect(!allows(both))
  }

  @Test("A range up to the last key is inside a grant only if the prefix is all 0xFF")
  func emptyEnd() {
    let last = principal(AccessGrant(.read, prefix: [0xFF, 0xFF]))
    #expect(allows(last, start: [0xFF, 0xFF]))
    #expect(allows(last, start: [0xFF, 0xFF, 1], end: [0xFF, 0xFF, 0xFF, 9]))
    #expect(!allows(last, start: [0xFF]))
    let almost = principal(AccessGrant(.read, prefix: [0x61, 0xFF]))
    #expect(!allows(almost, start: [0x61, 0xFF]))
    #expect(allows(almost, start: [0x61, 0xFF], end: [0x62]))
    #expect(!allows(almost, start: [0x61, 0xFF], end: [0x62, 0]))
    #expect(allows(almost, start: [0x61, 0xFF, 1], end: [0x61, 0xFF, 0xFF, 0xFF]))
  }

  @Test("A range with a prefix and bounds has to be inside by both")
  func prefixAndBounds() {
    let user = principal(AccessGrant(.read, prefix: [0x61]))
    #expect(allows(user, prefix: [0x61, 0], start: [0x61], end: [0x62]))
    #expect(!allows(user, prefix: [0x61], start: [0x62], end: [0x63]))
    #expect(!allows(user, prefix: [0x62], start: [0x61], end: [0x62]))
    #expect(!allows(user, prefix: [0x61], end: [0x62]))
  }

  /// Every text of up to `length` bytes over an alphabet.
  private static func texts(of alphabet: [UInt8], upTo length: Int) -> [[UInt8]] {
    var result: [[UInt8]] = [[]]
    var last = result
    for _ in 0..<length {
      last = last.flatMap { text in alphabet.map { text + [$0] } }
      result += last
    }
    return result
  }

  @Test("Of all small ranges exactly those inside the prefix are allowed", arguments: 0...2)
  func exhaustive(prefixLength: Int) {
    let bounds = Self.texts(of: [0, 0x61, 0xFE, 0xFF], upTo: 2)
    // Longer than any bound and with each byte's successor, so that where a range has a key
    // outside the prefix there is one of these.
    let keys = Self.texts(of: [0, 1, 0x61, 0x62, 0xFE, 0xFF], upTo: 3).dropFirst()
    for prefix in bounds where prefix.count == prefixLength {
      let user = principal(AccessGrant(.read, prefix: prefix))
      for start in bounds {
        for end in bounds {
          let isAllowed = allows(user, start: start, end: end)
          let escaping = keys.first { key in
            !key.starts(with: prefix) && !key.lexicographicallyPrecedes(start)
              && (end.isEmpty || key.lexicographicallyPrecedes(end))
          }
          if isAllowed {
            #expect(escaping == nil, "\(prefix): [\(start), \(end))")
          } else if start.starts(with: prefix), !(start.isEmpty && end.isEmpty) {
            #expect(escaping != nil, "\(prefix): [\(start), \(end))")
          }
        }
      }
    }
  }

  @Test(
    "A grant is written as it is read",
    arguments: [
      "read", "read,write", "all", "admin", "read:user:", "write:a:b:", #"read:\x00\xff"#,
      #"read,write:back\\slash"#, "read:ключ/",
    ])
  func roundTrip(text: String) throws {
    #expect(GrantText.format(try GrantText.parse(text)) == text)
  }

  @Test("A grant that is mistyped is refused with what to write instead")
  func badGrants() {
    func defect(_ text: String) -> GrantText.Defect? {
      do throws(GrantText.Defect) {
        _ = try GrantText.parse(text)
        return nil
      } catch { return error }
    }
    #expect(defect("") == .unknownAction(""))
    #expect(defect("raed:x") == .unknownAction("raed"))
    #expect(defect("read,:x") == .unknownAction(""))
    #expect(defect("READ") == .unknownAction("READ"))
    #expect(defect("read:") == .emptyPrefix)
    #expect(defect(#"read:\n"#) == .badEscape)
    #expect(defect(#"read:\x1"#) == .badEscape)
    #expect(defect(#"read:\"#) == .badEscape)
    #expect(defect("admin:x") == .record(.adminWithPrefix))
    #expect(defect("all:x") == .record(.adminWithPrefix))
    let long = String(repeating: "p", count: 4097)
    #expect(defect("read:" + long) == .record(.prefixTooLong(bytes: 4097)))
    #expect(defect("read:" + long.dropLast()) == nil)
  }
}
