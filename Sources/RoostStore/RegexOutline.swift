/// What a regular expression's text shows without its automaton: the bytes that every match must
/// begin with, and where a group is left open.
///
/// RE2 decides what a pattern means. This reads only as much of the syntax as it needs, and says
/// less rather than too much: an empty `literalPrefix` is always right.
struct RegexOutline {
  /// Not empty only for a pattern that is anchored by a leading `^` or `\A`.
  private(set) var literalPrefix: [UInt8] = []
  /// Where the first `)` without a `(` stands.
  private var unexpectedParen: Int?
  /// Where the groups begin that nothing closes.
  private var openParens: [Int] = []
  /// A `|` outside every group: the branches after it need not begin like the first.
  private var hasAlternatives = false
  /// `\Q`: from there on this reader does not know what a byte means.
  private var isOpaque = false

  private let pattern: [UInt8]

  init(_ pattern: UnsafeRawBufferPointer) {
    self.pattern = Array(pattern)
    let literals = readLiterals()
    readGroups()
    if !hasAlternatives && !isOpaque { literalPrefix = literals }
  }

  /// The byte at which an error of RE2's is found, where that can be told.
  func errorOffset(reason: String, fragment: [UInt8]) -> Int? {
    switch reason {
    case "missing )": return isOpaque ? nil : openParens.last
    case "unexpected )": return isOpaque ? nil : unexpectedParen
    case "\\ at the end": return pattern.count - 1
    default:
      guard !fragment.isEmpty, fragment.count <= pattern.count else { return nil }
      return (0...pattern.count - fragment.count).first { pattern[$0...].starts(with: fragment) }
    }
  }

  private func readLiterals() -> [UInt8] {
    var offset = 0
    if pattern.starts(with: Array("^".utf8)) {
      offset = 1
    } else if pattern.starts(with: Array("\\A".utf8)) {
      offset = 2
    } else {
      return []
    }
    var literals: [UInt8] = []
    var lastCharacter = 0  // where the last character of `literals` begins
    while offset < pattern.count {
      switch pattern[offset] {
      case UInt8(ascii: "*"), UInt8(ascii: "?"), UInt8(ascii: "{"):
        // They may repeat what is before them no time at all.
        return Array(literals[..<lastCharacter])
      case UInt8(ascii: "(") where pattern[offset...].starts(with: Array("(?".utf8)):
        // A group that only sets flags is nothing to repeat: in `a(?i)?` it is the `a`.
        return Array(literals[..<lastCharacter])
      case UInt8(ascii: "\\"):
        guard offset + 1 < pattern.count, Self.isPunctuation(pattern[offset + 1]) else {
          return literals
        }
        lastCharacter = literals.count
        literals.append(pattern[offset + 1])
        offset += 2
      case let byte where Self.isPlain(byte):
        if byte & 0xc0 != 0x80 { lastCharacter = literals.count }
        literals.append(byte)
        offset += 1
      default: return literals
      }
    }
    return literals
  }

  private mutating func readGroups() {
    var offset = 0
    while offset < pattern.count {
      switch pattern[offset] {
      case UInt8(ascii: "\\"):
        if offset + 1 < pattern.count, pattern[offset + 1] == UInt8(ascii: "Q") {
          isOpaque = true
          return
        }
        offset += 1
      case UInt8(ascii: "["): offset = endOfClass(offset)
      case UInt8(ascii: "("): openParens.append(offset)
      case UInt8(ascii: ")"):
        if openParens.popLast() == nil && unexpectedParen == nil { unexpectedParen = offset }
      case UInt8(ascii: "|"): if openParens.isEmpty { hasAlternatives = true }
      default: break
      }
      offset += 1
    }
  }

  /// The offset of the `]` that ends the class which begins at `opening`, or the pattern's last.
  private func endOfClass(_ opening: Int) -> Int {
    var offset = opening + 1
    if offset < pattern.count, pattern[offset] == UInt8(ascii: "^") { offset += 1 }
    let first = offset
    while offset < pattern.count {
      if pattern[offset] == UInt8(ascii: "\\") {
        offset += 1
      } else if pattern[offset...].starts(with: Array("[:".utf8)) {
        offset = endOfNamedClass(offset)
      } else if pattern[offset] == UInt8(ascii: "]"), offset > first {
        return offset
      }
      offset += 1
    }
    return pattern.count - 1
  }

  /// The offset of the `]` of `[:name:]`, or `opening` where it is no such thing.
  private func endOfNamedClass(_ opening: Int) -> Int {
    var offset = opening + 2
    while offset + 1 < pattern.count {
      if pattern[offset] == UInt8(ascii: ":"), pattern[offset + 1] == UInt8(ascii: "]") {
        return offset + 1
      }
      offset += 1
    }
    return opening
  }

  private static func isPlain(_ byte: UInt8) -> Bool {
    byte >= 0x80 || !".^$|()[]{}*+?\\".utf8.contains(byte)
  }

  private static func isPunctuation(_ byte: UInt8) -> Bool {
    switch byte {
    case 0x21...0x2f, 0x3a...0x40, 0x5b...0x60, 0x7b...0x7e: true
    default: false
    }
  }
}
