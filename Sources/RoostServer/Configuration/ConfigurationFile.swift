import Configuration
import FoundationEssentials
import Glibc

/// The file of `--config`: one JSON object whose keys are names of settings. A number is a number
/// or a text with a unit; only repeatable settings take an array.
struct ConfigurationFile {
  /// The largest file, in bytes.
  static let maxBytes = 1 << 20

  let path: String
  let provider: InMemoryProvider

  /// Reads the file. Its values are checked by the loader; its keys are checked here.
  init(path: String) throws(ConfigurationError) {
    self.path = path
    let object: [String: Scalar]
    do {
      object = try JSONDecoder().decode([String: Scalar].self, from: try Self.contents(path))
    } catch let error as ConfigurationError {
      throw error
    } catch {
      throw .badFile(path: path, reason: "not a JSON object of settings")
    }
    var values: [AbsoluteConfigKey: ConfigValue] = [:]
    for key in object.keys.sorted() {
      guard let setting = Setting.named(key) else {
        let nearest = NearestName.of(key, in: Setting.all.map(\.name))
        throw .unknownKey(path: path, key: key, nearest: nearest)
      }
      values[setting.key] = try Self.value(object[key]!, of: setting, path: path)
    }
    provider = InMemoryProvider(name: path, values: values)
  }

  private static func contents(_ path: String) throws(ConfigurationError) -> Data {
    do {
      let data = try Data(contentsOf: URL(filePath: path))
      if data.count <= maxBytes { return data }
    } catch {
      let isThere = access(path, F_OK) == 0
      throw .badFile(path: path, reason: isThere ? "it cannot be read" : "there is no such file")
    }
    throw .badFile(path: path, reason: "it is larger than \(SizeText.format(Int64(maxBytes)))")
  }

  private static func value(
    _ scalar: Scalar, of setting: Setting, path: String
  ) throws(ConfigurationError) -> ConfigValue {
    switch scalar {
    case .text(let text) where setting.isRepeatable:
      return ConfigValue(.stringArray([text]), isSecret: false)
    case .text(let text): return ConfigValue(.string(text), isSecret: false)
    case .list(let texts) where setting.isRepeatable && !texts.isEmpty:
      return ConfigValue(.stringArray(texts), isSecret: false)
    case .list(let texts):
      throw .badValue(
        setting: setting.name, source: .file(path: path),
        value: "[\(texts.joined(separator: ", "))]",
        allowed: setting.isRepeatable ? "at least one \(setting.valueName)" : setting.allowed)
    case .other(let what):
      throw .badValue(
        setting: setting.name, source: .file(path: path), value: what, allowed: setting.allowed)
    }
  }

  /// A value of the file, numbers and booleans as their text.
  private enum Scalar: Decodable {
    case text(String)
    case list([String])
    case other(String)

    init(from decoder: any Decoder) throws {
      let container = try decoder.singleValueContainer()
      if let text = Self.text(container) {
        self = .text(text)
      } else if let texts = try? container.decode([Element].self) {
        self = .list(texts.map(\.text))
      } else {
        self = .other(container.decodeNil() ? "null" : "an object or a mixed array")
      }
    }

    static func text(_ container: any SingleValueDecodingContainer) -> String? {
      if let text = try? container.decode(String.self) { return text }
      if let flag = try? container.decode(Bool.self) { return "\(flag)" }
      if let number = try? container.decode(Int64.self) { return "\(number)" }
      if let number = try? container.decode(Double.self) { return "\(number)" }
      return nil
    }
  }

  private struct Element: Decodable {
    var text: String

    init(from decoder: any Decoder) throws {
      guard let text = Scalar.text(try decoder.singleValueContainer()) else {
        throw FormatDamage("not a scalar")
      }
      self.text = text
    }
  }
}

/// The name that was probably meant.
enum NearestName {
  /// The nearest of `names`; `nil` where none is near: more than a third of it is other letters.
  static func of(_ text: String, in names: [String]) -> String? {
    let wanted = Array(text.lowercased().map { $0 == "_" ? "-" : $0 })
    let ranked = names.map { (name: $0, distance: distance(wanted, Array($0))) }
    guard wanted.count <= 64, let best = ranked.min(by: { $0.distance < $1.distance }) else {
      return nil
    }
    return best.distance <= max(1, best.name.count / 3) ? best.name : nil
  }

  /// Levenshtein's distance: insertions, deletions and replacements of one character.
  static func distance(_ left: [Character], _ right: [Character]) -> Int {
    var row = Array(0...right.count)
    for (i, a) in left.enumerated() {
      var diagonal = row[0]
      row[0] = i + 1
      for (j, b) in right.enumerated() {
        let replaced = diagonal + (a == b ? 0 : 1)
        diagonal = row[j + 1]
        row[j + 1] = min(replaced, row[j] + 1, diagonal + 1)
      }
    }
    return row[right.count]
  }
}
