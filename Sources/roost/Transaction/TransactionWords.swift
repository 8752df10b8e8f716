/// Splits a line of a transaction into words as a shell does: by white space, with `'…'` for
/// exact text, and `"…"` in which `\n`, `\t`, `\r`, `\\` and `\"` are escapes. A word that
/// begins with `#` opens a comment.
enum TransactionWords {
  static func split(_ line: some StringProtocol) throws(UsageError) -> [String] {
    var words: [String] = []
    var word: String? = nil
    var rest = Substring(line)
    while let character = rest.popFirst() {
      switch character {
      case "'":
        guard let end = rest.firstIndex(of: "'") else { throw unclosed("'") }
        word = (word ?? "") + rest[..<end]
        rest = rest[rest.index(after: end)...]
      case "\"": word = (word ?? "") + (try quoted(&rest))
      case "\\":
        guard let next = rest.popFirst() else { throw UsageError("a line ends with a backslash") }
        word = (word ?? "") + String(next)
      case "#" where word == nil: return words
      case let space where space.isWhitespace:
        if let complete = word { words.append(complete) }
        word = nil
      default: word = (word ?? "") + String(character)
      }
    }
    if let word { words.append(word) }
    return words
  }

  private static func quoted(_ rest: inout Substring) throws(UsageError) -> String {
    var text = ""
    while let character = rest.popFirst() {
      switch character {
      case "\"": return text
      case "\\":
        switch rest.popFirst() {
        case "n": text += "\n"
        case "t": text += "\t"
        case "r": text += "\r"
        case "\\": text += "\\"
        case "\"": text += "\""
        case let other?:
          throw UsageError("'\\\(other)' is no escape: use \\n, \\t, \\r, \\\\ or \\\"")
        case nil: throw unclosed("\"")
        }
      default: text.append(character)
      }
    }
    throw unclosed("\"")
  }

  private static func unclosed(_ quote: String) -> UsageError {
    UsageError("a \(quote) has no partner on its line")
  }
}
