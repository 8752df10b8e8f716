/// A compiled glob over whole keys, byte by byte as Redis has it: `*` any bytes, also none; `?` one
/// byte; `[a-z]` one byte of the class, `[^a]` one that is not in it; `\x` the byte x itself.
///
/// It simulates the pattern's automaton with one bit for each state, so that the time for a key
/// grows with the key's length and never with how the pattern's stars could share it.
///
/// 1. `tokens` are what takes exactly one byte of a key each, in order; a star is no token.
/// 2. State i means: tokens 0 ..< i have taken what was read so far. State 0 is the start, state
///    `tokens.count` accepts.
/// 3. Bit i of `accepting[byte]` says whether token i takes the byte; bit i of `stars` says that
///    a star stands before token i, so state i takes any byte and stays.
struct GlobPattern: Sendable {
  /// Every key that matches begins with these bytes.
  let literalPrefix: [UInt8]
  /// `true` for `prefix*`: then nothing else is to be checked.
  let isPrefixOnly: Bool

  private let tokenCount: Int
  private let hasStar: Bool
  /// Of one state set: enough for states 0 ... tokenCount.
  private let wordCount: Int
  private let accepting: [UInt64]  // 256 state sets
  private let stars: [UInt64]

  init(_ pattern: UnsafeRawBufferPointer) throws(StoreError) {
    var parser = GlobParser(pattern)
    try parser.parse()
    let tokens = parser.tokens[parser.literalCount...]
    let starts = parser.starPositions.map { $0 - parser.literalCount }

    literalPrefix = parser.tokens[..<parser.literalCount].map { $0.first! }
    isPrefixOnly = tokens.isEmpty && !starts.isEmpty
    tokenCount = tokens.count
    hasStar = !starts.isEmpty
    wordCount = tokens.count / 64 + 1

    var accepting = [UInt64](repeating: 0, count: 256 * wordCount)
    for (index, token) in tokens.enumerated() {
      for byte in 0..<256 where token.contains(UInt8(byte)) {
        accepting[byte * wordCount + index / 64] |= 1 << UInt64(index % 64)
      }
    }
    self.accepting = accepting
    var stars = [UInt64](repeating: 0, count: wordCount)
    for state in starts { stars[state / 64] |= 1 << UInt64(state % 64) }
    self.stars = stars
  }

  func matches(_ key: UnsafeRawBufferPointer) -> Bool {
    guard key.starts(with: literalPrefix) else { return false }
    if isPrefixOnly { return true }
    let rest = UnsafeRawBufferPointer(rebasing: key[literalPrefix.count...])
    guard hasStar ? rest.count >= tokenCount : rest.count == tokenCount else { return false }
    return wordCount == 1 ? runOneWord(rest) : runWords(rest)
  }

  private func runOneWord(_ bytes: UnsafeRawBufferPointer) -> Bool {
    accepting.withUnsafeBufferPointer { accepting in
      let stars = stars[0]
      var states: UInt64 = 1
      for byte in bytes {
        states = (states & accepting[Int(byte)]) << 1 | (states & stars)
        if states == 0 { return false }
      }
      return states >> UInt64(tokenCount) & 1 == 1
    }
  }

  private func runWords(_ bytes: UnsafeRawBufferPointer) -> Bool {
    withUnsafeTemporaryAllocation(of: UInt64.self, capacity: wordCount) { states in
      states.initialize(repeating: 0)
      states[0] = 1
      for byte in bytes where !step(states, byte) { return false }
      return states[tokenCount / 64] >> UInt64(tokenCount % 64) & 1 == 1
    }
  }

  /// Takes one byte; `false` where no state is left.
  private func step(_ states: UnsafeMutableBufferPointer<UInt64>, _ byte: UInt8) -> Bool {
    var carry: UInt64 = 0
    var any: UInt64 = 0
    for word in 0..<wordCount {
      let taken = states[word] & accepting[Int(byte) * wordCount + word]
      states[word] = taken << 1 | carry | (states[word] & stars[word])
      carry = taken >> 63
      any |= states[word]
    }
    return any != 0
  }
}
