import RoostAPI

/// What the server keeps of one token: everything but the secret.
public struct TokenRecord: Sendable, Hashable {
  /// The length of a token's digest, in bytes.
  public static let digestByteCount = SHA256.byteCount
  /// The longest name, in bytes of UTF-8.
  public static let maxNameBytes = 128
  /// The most grants of one token.
  public static let maxGrants = 100

  /// The public part of the token.
  public var id: String
  /// A name for people; not unique.
  public var name: String
  /// SHA-256 of the whole token as it is written. A secret of 256 random bits needs no salt and no
  /// slow hash.
  public var digest: [UInt8]
  /// What the token allows.
  public var grants: [AccessGrant]
  /// Unix time, milliseconds.
  public var createdAtMillis: Int64
  /// Unix time, milliseconds; 0: never.
  public var expiresAtMillis: Int64

  /// Why a record is not one.
  public enum Defect: Error, Sendable, Hashable {
    /// Empty, longer than `maxNameBytes`, or with a control character.
    case name
    /// None at all, or more than `maxGrants`.
    case grantCount(Int)
    /// A grant without an action.
    case noAction
    /// A prefix longer than a key.
    case prefixTooLong(bytes: Int)
    /// ADMIN is not about keys, so it takes no prefix.
    case adminWithPrefix
  }

  /// Makes a token and what is kept of it. The token is in nothing but the first result.
  static func make(
    name: String, grants: [AccessGrant], createdAtMillis: Int64, expiresAtMillis: Int64
  ) throws(Defect) -> (token: String, record: TokenRecord) {
    var generator = SystemRandomNumberGenerator()
    let token = TokenFormat.make(using: &generator)
    let id = String(token.dropFirst(6).prefix(TokenFormat.idByteCount))
    let record = TokenRecord(
      id: id, name: name, digest: Array(token.utf8).withUnsafeBytes(digest), grants: grants,
      createdAtMillis: createdAtMillis, expiresAtMillis: expiresAtMillis)
    try record.check()
    return (token, record)
  }

  /// SHA-256 of a token.
  static func digest(_ token: UnsafeRawBufferPointer) -> [UInt8] {
    SHA256.digest(token).span.withUnsafeBufferPointer { Array($0) }
  }

  /// - Throws: what a record may not be, whoever made it.
  func check() throws(Defect) {
    let isPlain = !name.unicodeScalars.contains { $0.properties.generalCategory == .control }
    guard !name.isEmpty, name.utf8.count <= Self.maxNameBytes, isPlain else { throw .name }
    guard (1...Self.maxGrants).contains(grants.count) else { throw .grantCount(grants.count) }
    for grant in grants {
      if grant.actions.isEmpty { throw .noAction }
      if grant.prefix.count > AccessGrant.maxPrefixBytes {
        throw .prefixTooLong(bytes: grant.prefix.count)
      }
      if grant.actions.contains(.admin) && !grant.prefix.isEmpty { throw .adminWithPrefix }
    }
  }

  /// Whether the token is not valid any more at `millis`, Unix time.
  func isExpired(atMillis millis: Int64) -> Bool {
    expiresAtMillis != 0 && expiresAtMillis <= millis
  }
}

extension TokenRecord.Defect: CustomStringConvertible {
  /// What is wrong.
  public var description: String {
    switch self {
    case .name:
      "a token's name has 1 to \(TokenRecord.maxNameBytes) bytes and no control characters"
    case .grantCount(let count):
      "a token has 1 to \(TokenRecord.maxGrants) grants, not \(count)"
    case .noAction: "a grant names at least one of read, write, admin"
    case .prefixTooLong(let bytes):
      "a grant's prefix has at most \(AccessGrant.maxPrefixBytes) bytes, not \(bytes)"
    case .adminWithPrefix:
      "admin is not about keys: give it as a grant of its own, without a prefix"
    }
  }
}
