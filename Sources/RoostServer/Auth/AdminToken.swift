import Glibc
import RoostAPI

/// The token with every right, which the first start makes and leaves in `admin.token` for the
/// owner of the data directory.
public struct AdminToken: Sendable {
  /// The name of the file in the data directory.
  public static let fileName = "admin.token"
  /// The name of the token. No other token may have it.
  public static let name = "admin"
  /// Every action, on every key.
  public static let grants = [AccessGrant(.all)]

  /// `admin.token` in the data directory.
  public var path: String { file.path }
  private let file: PrivateFile
  private let tokens: TokenFile

  /// The admin token of a data directory, which has to exist.
  public init(dataDirectory: String) {
    file = PrivateFile(path: dataDirectory + "/" + Self.fileName, maxBytes: 4096)
    tokens = TokenFile(dataDirectory: dataDirectory)
  }

  /// Makes the token where the data directory has no `tokens.json` yet. A process that is killed
  /// midway is a first start again.
  /// - Returns: whether it was made.
  public func createAtFirstStart() throws -> Bool {
    if try tokens.read() != nil { return false }
    return try replace { $0.isEmpty }
  }

  /// Makes a new admin token, writes it to `admin.token`, and revokes the one before.
  public func reset() throws {
    _ = try replace { _ in true }
  }

  /// `admin.token` is written before `tokens.json`, under the lock of the latter: whoever is killed
  /// between the two leaves the old tokens valid, and a file that the next try replaces.
  private func replace(if isWanted: ([TokenRecord]) -> Bool) throws -> Bool {
    try tokens.update { records in
      guard isWanted(records) else { return false }
      let (token, record) = try TokenRecord.make(
        name: Self.name, grants: Self.grants, createdAtMillis: WallClock.nowMillis(),
        expiresAtMillis: 0)
      records.removeAll { $0.name == Self.name || $0.id == record.id }
      records.append(record)
      try file.replace(with: Array((token + "\n").utf8))
      return true
    }
  }
}
