import FoundationEssentials
import RoostAPI

/// What is wrong with one part of a stored file.
struct FormatDamage: Error {
  var reason: String
  init(_ reason: String) { self.reason = reason }
}

/// `tokens.json` as JSON has it.
struct StoredTokens: Codable {
  var format: Int
  var tokens: [StoredToken]

  enum CodingKeys: String, CodingKey, CaseIterable { case format, tokens }

  init(format: Int, tokens: [StoredToken]) {
    self.format = format
    self.tokens = tokens
  }

  init(from decoder: any Decoder) throws {
    try rejectUnknownFields(of: decoder, known: CodingKeys.self)
    let container = try decoder.container(keyedBy: CodingKeys.self)
    format = try container.decode(Int.self, forKey: .format)
    tokens = try container.decode([StoredToken].self, forKey: .tokens)
  }
}

/// One token of `tokens.json`.
struct StoredToken: Codable {
  var id: String
  var name: String
  var sha256: String
  var grants: [StoredGrant]
  var createdAtMillis: Int64
  var expiresAtMillis: Int64

  enum CodingKeys: String, CodingKey, CaseIterable {
    case id, name, sha256, grants
    case createdAtMillis = "created_at_ms"
    case expiresAtMillis = "expires_at_ms"
  }

  init(_ record: TokenRecord) {
    id = record.id
    name = record.name
    sha256 = HexText.encode(record.digest)
    grants = record.grants.map(StoredGrant.init)
    createdAtMillis = record.createdAtMillis
    expiresAtMillis = record.expiresAtMillis
  }

  init(from decoder: any Decoder) throws {
    try rejectUnknownFields(of: decoder, known: CodingKeys.self)
    let container = try decoder.container(keyedBy: CodingKeys.self)
    id = try container.decode(String.self, forKey: .id)
    name = try container.decode(String.self, forKey: .name)
    sha256 = try container.decode(String.self, forKey: .sha256)
    grants = try container.decode([StoredGrant].self, forKey: .grants)
    createdAtMillis = try container.decode(Int64.self, forKey: .createdAtMillis)
    expiresAtMillis = try container.decode(Int64.self, forKey: .expiresAtMillis)
  }

  /// The record, checked as one that is just being made.
  func record() throws -> TokenRecord {
    guard TokenFormat.isID(id) else { throw FormatDamage("a token's ID is none") }
    guard let digest = HexText.decode(sha256), digest.count == TokenRecord.digestByteCount else {
      throw FormatDamage("the SHA-256 of token \(id) is none")
    }
    let record = TokenRecord(
      id: id, name: name, digest: digest, grants: try grants.map { try $0.grant(of: id) },
      createdAtMillis: createdAtMillis, expiresAtMillis: expiresAtMillis)
    do { try record.check() } catch { throw FormatDamage("token \(id): \(error)") }
    return record
  }
}

/// One grant of `tokens.json`.
struct StoredGrant: Codable {
  var actions: [String]
  var prefix: String?
  var prefixBase64: String?

  enum CodingKeys: String, CodingKey, CaseIterable {
    case actions, prefix
    case prefixBase64 = "prefix_base64"
  }

  init(_ grant: AccessGrant) {
    actions = grant.actions.actions.map(\.name)
    if let text = String(validating: grant.prefix, as: UTF8.self) {
      prefix = text
    } else {
      prefixBase64 = Data(grant.prefix).base64EncodedString()
    }
  }

  init(from decoder: any Decoder) throws {
    try rejectUnknownFields(of: decoder, known: CodingKeys.self)
    let container = try decoder.container(keyedBy: CodingKeys.self)
    actions = try container.decode([String].self, forKey: .actions)
    prefix = try container.decodeIfPresent(String.self, forKey: .prefix)
    prefixBase64 = try container.decodeIfPresent(String.self, forKey: .prefixBase64)
  }

  /// The grant. Exactly one of the two prefixes has to be there, so that a lost one does not become
  /// a grant on every key.
  func grant(of id: String) throws -> AccessGrant {
    var set: AccessActions = []
    for name in actions {
      guard let action = AccessAction.allCases.first(where: { $0.name == name }) else {
        throw FormatDamage("token \(id) has an action that is not known")
      }
      set.formUnion(AccessActions(action))
    }
    switch (prefix, prefixBase64) {
    case (let text?, nil): return AccessGrant(set, prefix: Array(text.utf8))
    case (nil, let text?):
      guard let data = Data(base64Encoded: text) else {
        throw FormatDamage("token \(id) has a prefix that is not base64")
      }
      return AccessGrant(set, prefix: Array(data))
    default: throw FormatDamage("token \(id) has a grant without one prefix")
    }
  }
}

/// Bytes as hexadecimal digits in lower case.
enum HexText {
  static func encode(_ bytes: [UInt8]) -> String {
    let digits = Array("0123456789abcdef".utf8)
    return String(
      decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
  }

  /// - Returns: `nil` where the text is not pairs of digits.
  static func decode(_ text: String) -> [UInt8]? {
    let digits = text.utf8.map { Character(UnicodeScalar($0)).hexDigitValue }
    guard digits.count % 2 == 0, !digits.contains(nil) else { return nil }
    return stride(from: 0, to: digits.count, by: 2).map {
      UInt8(digits[$0]! << 4 | digits[$0 + 1]!)
    }
  }
}

/// Any name of a field.
private struct FieldName: CodingKey {
  var stringValue: String
  var intValue: Int? { nil }
  init(stringValue: String) { self.stringValue = stringValue }
  init?(intValue: Int) { nil }
}

private func rejectUnknownFields<Keys: CodingKey & CaseIterable>(
  of decoder: any Decoder, known: Keys.Type
) throws {
  let names = Set(Keys.allCases.map(\.stringValue))
  for key in try decoder.container(keyedBy: FieldName.self).allKeys
  where !names.contains(key.stringValue) {
    throw FormatDamage("there is a field that format \(TokenFileFormat.version) does not have")
  }
}
