import FoundationEssentials
import RoostAPI

/// Why `tokens.json` was refused. A refused file is never overwritten.
public enum TokenFileError: Error, Sendable, Hashable {
  /// The file itself: permissions, owner, the system.
  case file(PrivateFileError)
  /// Not JSON, or not as this version writes it.
  case damaged(path: String, String)
  /// Written by a newer version.
  case newerFormat(path: String, found: Int, newest: Int)
  /// Full: revoke tokens that nobody uses.
  case tooManyTokens(limit: Int)
  /// What was to be added is not a token's record.
  case record(TokenRecord.Defect)
}

extension TokenFileError: CustomStringConvertible {
  /// What is wrong and what to do.
  public var description: String {
    switch self {
    case .file(let error): error.description
    case .damaged(let path, let why):
      "\(path) is damaged (\(why)): restore it, or move it away to start without tokens"
    case .newerFormat(let path, let found, let newest):
      "\(path) has format \(found), and this roostd knows formats up to \(newest): use a newer one"
    case .tooManyTokens(let limit): "there are \(limit) tokens already: revoke some"
    case .record(let defect): defect.description
    }
  }
}

/// `tokens.json`, version 1: an object with `format` and `tokens`. The fields of a token are named
/// as in `roost.v1.TokenInfo`, beside `sha256` in hexadecimal digits. A prefix that is not UTF-8 is
/// `prefix_base64`. A field that is not known is damage: it might be a restriction.
enum TokenFileFormat {
  /// The newest version, and the only one so far.
  static let version = 1
  /// The most tokens of one file.
  static let maxTokens = 10_000

  private struct Version: Decodable { var format: Int }

  /// Decodes the file at `path`, which is named in errors only.
  static func decode(
    _ bytes: [UInt8], path: String
  ) throws(TokenFileError) -> [TokenRecord] {
    do {
      let data = Data(bytes)
      let found = try JSONDecoder().decode(Version.self, from: data).format
      if found > version {
        throw TokenFileError.newerFormat(path: path, found: found, newest: version)
      }
      guard found == version else { throw FormatDamage("there is no format \(found)") }
      let records = try JSONDecoder().decode(StoredTokens.self, from: data).tokens.map {
        try $0.record()
      }
      if Set(records.map(\.id)).count < records.count {
        throw FormatDamage("two tokens have one ID")
      }
      return records
    } catch let error as TokenFileError {
      throw error
    } catch let error as FormatDamage {
      throw .damaged(path: path, error.reason)
    } catch let error as DecodingError {
      throw .damaged(path: path, reason(error))
    } catch {
      throw .damaged(path: path, "it cannot be read as JSON")
    }
  }

  /// Encodes the file; the same records give the same bytes.
  static func encode(_ records: [TokenRecord]) -> [UInt8] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    let stored = StoredTokens(format: version, tokens: records.map(StoredToken.init))
    // These types are strings and integers: there is nothing that JSON cannot hold.
    guard let data = try? encoder.encode(stored) else { fatalError("tokens are not encodable") }
    return Array(data) + [UInt8(ascii: "\n")]
  }

  /// The place and kind of the damage, without anything of the contents.
  private static func reason(_ error: DecodingError) -> String {
    func place(_ context: DecodingError.Context) -> String {
      let path = context.codingPath.map { $0.intValue.map(String.init) ?? $0.stringValue }
      return path.isEmpty ? "the top level" : path.joined(separator: ".")
    }
    switch error {
    case .keyNotFound(let key, let context):
      return "\(place(context)) lacks \(key.stringValue)"
    case .typeMismatch(_, let context): return "\(place(context)) is of another type"
    case .valueNotFound(_, let context): return "\(place(context)) is null"
    case .dataCorrupted(let context):
      return context.codingPath.isEmpty ? "it is not JSON" : "\(place(context)) is wrong"
    @unknown default: return "it cannot be decoded"
    }
  }
}
