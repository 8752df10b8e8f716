/// A set of bytes: what one place of a glob takes.
struct ByteSet: Sendable, Hashable {
  private var words: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)

  static let all = ByteSet().inverted

  init() {}
  init(_ byte: UInt8) { insert(byte) }

  mutating func insert(_ byte: UInt8) {
    let bit: UInt64 = 1 << UInt64(byte & 63)
    switch byte >> 6 {
    case 0: words.0 |= bit
    case 1: words.1 |= bit
    case 2: words.2 |= bit
    default: words.3 |= bit
    }
  }

  func contains(_ byte: UInt8) -> Bool {
    let word =
      switch byte >> 6 {
      case 0: words.0
      case 1: words.1
      case 2: words.2
      default: words.3
      }
    return word >> UInt64(byte & 63) & 1 == 1
  }

  var inverted: ByteSet {
    var result = ByteSet()
    result.words = (~words.0, ~words.1, ~words.2, ~words.3)
    return result
  }

  /// The smallest byte of the set.
  var first: UInt8? {
    for byte in UInt8.min...UInt8.max where contains(byte) { return byte }
    return nil
  }

  static func == (left: ByteSet, right: ByteSet) -> Bool { left.words == right.words }

  func hash(into hasher: inout Hasher) {
    hasher.combine(words.0)
    hasher.combine(words.1)
    hasher.combine(words.2)
    hasher.combine(words.3)
  }
}

/// Reads a glob's text. What Redis leaves to chance is refused: a class without its `]`, an empty
/// class, a `\` with nothing after it. A reversed range (`[z-a]`) means the range, as in Redis.
struct GlobParser {
  /// What takes one byte each, in order.
  private(set) var tokens: [ByteSet] = []
  /// `tokens.count` at each star, without repetitions.
  private(set) var starPositions: [Int] = []
  /// How many of the first tokens are literal bytes with no star before them.
  private(set) var literalCount = 0

  private let pattern: UnsafeRawBufferPointer
  private var offset = 0

  init(_ pattern: UnsafeRawBufferPointer) { self.pattern = pattern }

  mutating func parse() throws(StoreError) {
    while offset < pattern.count {
      switch pattern[offset] {
      case UInt8(ascii: "*"):
        if starPositions.last != tokens.count { starPositions.append(tokens.count) }
        offset += 1
      case UInt8(ascii: "?"):
        tokens.append(.all)
        offset += 1
      case UInt8(ascii: "["):
        tokens.append(try parseClass())
      default:
        let isLiteralSoFar = starPositions.isEmpty && literalCount == tokens.count
        tokens.append(ByteSet(try parseByte()))
        if isLiteralSoFar { literalCount += 1 }
      }
    }
  }

  /// One byte that stands for itself, after a `\` or plain.
  private mutating func parseByte() throws(StoreError) -> UInt8 {
    if pattern[offset] == UInt8(ascii: "\\") {
      guard offset + 1 < pattern.count else {
        throw invalid("nothing follows the \\ (write \\\\ for the byte itself)", at: offset)
      }
      offset += 1
    }
    defer { offset += 1 }
    return pattern[offset]
  }

  private mutating func parseClass() throws(StoreError) -> ByteSet {
    let opening = offset
    offset += 1
    let isNegated = offset < pattern.count && pattern[offset] == UInt8(ascii: "^")
    if isNegated { offset += 1 }
    var set = ByteSet()
    var isEmpty = true
    while offset < pattern.count, pattern[offset] != UInt8(ascii: "]") {
      let low = try parseByte()
      let high = try parseRangeEnd() ?? low
      for byte in min(low, high)...max(low, high) { set.insert(byte) }
      isEmpty = false
    }
    guard offset < pattern.count else { throw invalid("the class has no ]", at: opening) }
    if isEmpty { throw invalid("the class is empty (write \\] for that byte)", at: opening) }
    offset += 1
    return isNegated ? set.inverted : set
  }

  /// The byte after a `-`, unless that `-` is the last of its class and so stands for itself.
  private mutating func parseRangeEnd() throws(StoreError) -> UInt8? {
    guard offset + 1 < pattern.count, pattern[offset] == UInt8(ascii: "-"),
      pattern[offset + 1] != UInt8(ascii: "]")
    else { return nil }
    offset += 1
    return try parseByte()
  }

  private func invalid(_ reason: String, at offset: Int) -> StoreError {
    .invalidPattern("bad glob at byte \(offset): \(reason)")
  }
}
