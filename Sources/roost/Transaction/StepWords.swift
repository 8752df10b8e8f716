import RoostAPI

/// The words of one line of a transaction behind its first: plain ones in their order, and
/// options anywhere among them. `--` makes every later word a plain one.
struct StepWords {
  /// The first word of the line, for messages.
  private let name: String
  private var plain: ArraySlice<String>
  private var options: [String: String] = [:]

  /// - Parameters:
  ///   - flags: The options that this line may have, `--hex` apart.
  ///   - valued: Those that take the next word.
  init(
    _ words: [String], of name: String, flags: Set<String> = [], valued: Set<String> = []
  ) throws(UsageError) {
    self.name = name
    var plain: [String] = []
    var rest = words[...]
    while let word = rest.popFirst() {
      if word == "--" {
        plain += rest
        break
      }
      guard word.hasPrefix("-"), word != "-", !ArgumentOrder.isNegativeNumber(word) else {
        plain.append(word)
        continue
      }
      guard options[word] == nil else { throw UsageError("\(word) is there twice") }
      if flags.contains(word) || word == "--hex" {
        options[word] = ""
      } else if valued.contains(word) {
        guard let value = rest.popFirst() else { throw UsageError("\(word) needs a value") }
        options[word] = value
      } else {
        throw UsageError("'\(name)' has no option \(word) here (-- goes before such a value)")
      }
    }
    self.plain = plain[...]
  }

  /// - Parameter what: Is missing where there is no other word.
  mutating func next(_ what: String) throws(UsageError) -> String {
    guard let word = plain.popFirst() else { throw UsageError("'\(name)' needs \(what)") }
    return word
  }

  mutating func nextIfAny() -> String? { plain.popFirst() }

  /// No plain words may be left.
  func finish() throws(UsageError) {
    guard let word = plain.first else { return }
    throw UsageError("'\(word)' is too much for '\(name)'")
  }

  func has(_ flag: String) -> Bool { options[flag] != nil }

  func value(_ option: String) -> String? { options[option] }

  /// Reads the line's bytes: hexadecimal where it, or the whole command, says `--hex`.
  func reader(_ arguments: ArgumentReader) -> ArgumentReader {
    ArgumentReader(isHex: arguments.isHex || has("--hex"), input: arguments.input)
  }

  func type() throws(UsageError) -> ValueType? {
    guard let name = value("--type") else { return nil }
    guard let type = ValueType(rawValue: name) else {
      throw UsageError("--type '\(name)': use text, bytes, int, double or bool")
    }
    return type
  }

  var end: ListEnd { has("--front") ? .front : .back }

  func expiration() throws(UsageError) -> Expiration? {
    guard let ttl = value("--ttl") else {
      return has("--keep-ttl") ? Expiration(kind: .keep(true)) : nil
    }
    if has("--keep-ttl") { throw UsageError("use one of --ttl and --keep-ttl") }
    return Expiration(kind: .ttlMs(try DurationText.positiveMilliseconds(ttl)))
  }

  func condition() throws(UsageError) -> Condition? {
    var kinds: [Condition.Kind] = []
    if has("--if-absent") { kinds.append(.exists(false)) }
    if has("--if-exists") { kinds.append(.exists(true)) }
    if let revision = value("--if-revision") {
      kinds.append(.revision(try Self.revision(revision)))
    }
    if kinds.count > 1 {
      throw UsageError("use one of --if-absent, --if-exists and --if-revision")
    }
    return kinds.first.map { Condition(kind: $0) }
  }

  static func integer(_ word: String) throws(UsageError) -> Int64 {
    guard let number = Int64(word) else {
      throw UsageError("'\(word)' is not a whole number of at most 64 bits")
    }
    return number
  }

  static func count(_ word: String) throws(UsageError) -> Int64 {
    let count = try integer(word)
    guard count > 0 else { throw UsageError("'\(word)' must be at least 1") }
    return count
  }

  static func revision(_ word: String) throws(UsageError) -> Int64 {
    guard let revision = Int64(word), revision > 0 else {
      throw UsageError("'\(word)' is not a revision: write a whole number from 1 on")
    }
    return revision
  }
}
