import FoundationEssentials
import RoostAPI

/// When each token was last used, in `tokens.usage.json`. It is apart from `tokens.json`, so that
/// the server never writes that file on its own; losing it loses these times and nothing else.
struct TokenUsageFile: Sendable {
  static let fileName = "tokens.usage.json"

  private struct Stored: Codable {
    var format = 1
    var lastUsedAtMillis: [String: Int64]

    enum CodingKeys: String, CodingKey {
      case format
      case lastUsedAtMillis = "last_used_at_ms"
    }
  }

  private let file: PrivateFile

  init(dataDirectory: String) {
    file = PrivateFile(path: dataDirectory + "/" + Self.fileName)
  }

  /// Unix time in milliseconds by token ID; nothing where there is no file that can be used.
  func read() -> [String: Int64] {
    guard let contents = try? file.read(),
      let stored = try? JSONDecoder().decode(Stored.self, from: Data(contents.bytes)),
      stored.format == 1
    else { return [:] }
    return stored.lastUsedAtMillis.filter { TokenFormat.isID($0.key) }
  }

  func write(_ used: [String: Int64]) throws(PrivateFileError) {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
    guard let data = try? encoder.encode(Stored(lastUsedAtMillis: used)) else {
      fatalError("a map of integers is not encodable")
    }
    try file.replace(with: Array(data) + [UInt8(ascii: "\n")])
  }
}
