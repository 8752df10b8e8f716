import FoundationEssentials

/// The tokens of a data directory, for people and programs. Nothing in it is secret.
public struct TokenListing: Sendable {
  private let records: [TokenRecord]
  private let lastUsedAtMillis: [String: Int64]
  private let nowMillis: Int64

  /// Reads what is on disk; a running server notes the last use once a minute.
  public init(
    dataDirectory: String, nowMillis: Int64 = WallClock.nowMillis()
  ) throws(TokenFileError) {
    self.init(
      records: try TokenFile(dataDirectory: dataDirectory).read()?.records ?? [],
      lastUsedAtMillis: TokenUsageFile(dataDirectory: dataDirectory).read(), nowMillis: nowMillis)
  }

  /// A listing of these tokens.
  public init(
    records: [TokenRecord], lastUsedAtMillis: [String: Int64] = [:],
    nowMillis: Int64 = WallClock.nowMillis()
  ) {
    self.records = records
    self.lastUsedAtMillis = lastUsedAtMillis
    self.nowMillis = nowMillis
  }

  /// Columns under a heading, without a line feed at the end.
  public func table() -> String {
    let rows =
      [["ID", "NAME", "GRANTS", "CREATED", "EXPIRES", "LAST USED"]]
      + records.map { record in
        [
          record.id, record.name, record.grants.map(GrantText.format).joined(separator: " "),
          time(record.createdAtMillis, or: "unknown"),
          record.isExpired(atMillis: nowMillis)
            ? "expired" : time(record.expiresAtMillis, or: "never"),
          time(lastUsedAtMillis[record.id] ?? 0, or: "never"),
        ]
      }
    let widths = rows[0].indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
    return rows.map { row in
      zip(row, widths).enumerated().map { column, cell in
        let isLast = column == row.count - 1
        return cell.0 + (isLast ? "" : String(repeating: " ", count: cell.1 - cell.0.count))
      }.joined(separator: "  ")
    }.joined(separator: "\n")
  }

  /// A JSON array whose objects have the fields of `roost.v1.TokenInfo`.
  public func json() -> String { Self.encode(records.map(info)) }

  /// A JSON object with the fields of `roost.v1.CreateTokenResponse`.
  public static func json(token: String, record: TokenRecord) -> String {
    encode(Created(token: token, info: TokenListing(records: [record]).info(record)))
  }

  private func info(_ record: TokenRecord) -> Info {
    Info(
      id: record.id, name: record.name, grants: record.grants.map(StoredGrant.init),
      createdAtMillis: record.createdAtMillis, expiresAtMillis: record.expiresAtMillis,
      lastUsedAtMillis: lastUsedAtMillis[record.id] ?? 0)
  }

  private func time(_ millis: Int64, or word: String) -> String {
    millis == 0 ? word : String(LogText.timestamp(millis: millis).dropLast(5)) + "Z"
  }

  private struct Created: Encodable {
    var token: String
    var info: Info
  }

  private struct Info: Encodable {
    var id: String
    var name: String
    var grants: [StoredGrant]
    var createdAtMillis: Int64
    var expiresAtMillis: Int64
    var lastUsedAtMillis: Int64

    enum CodingKeys: String, CodingKey {
      case id, name, grants
      case createdAtMillis = "created_at_ms"
      case expiresAtMillis = "expires_at_ms"
      case lastUsedAtMillis = "last_used_at_ms"
    }
  }

  private static func encode(_ value: some Encodable) -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    guard let data = try? encoder.encode(value) else { fatalError("tokens are not encodable") }
    return String(decoding: data, as: UTF8.self)
  }
}
