import RoostStore
import Testing

@Suite("Glob patterns over keys") struct PatternGlobTests {
  @Test(
    "A glob takes the whole key",
    arguments: [
      ("user:*", "user:", true), ("user:*", "user:1", true), ("user:*", "xuser:1", false),
      ("*", "a", true), ("abc", "abc", true), ("abc", "abcd", false), ("abc", "ab", false),
      ("a?c", "abc", true), ("a?c", "ac", false), ("a?c", "a\nc", true),
      ("?", "é", false), ("??", "é", true),  // bytes, as in Redis
      ("a*c*e", "abcde", true), ("a*c*e", "abcd", false), ("a*a", "a", false),
      ("a*a", "aa", true), ("**a**", "a", true), ("*abc", "ababc", true),
      ("*ab*ab*", "ab", false), ("*ab*ab*", "abab", true), ("*.?", "a.b.c", true),
    ])
  func wholeKey(pattern: String, key: String, expected: Bool) throws {
    #expect(try matches(.glob, pattern, key) == expected)
  }

  @Test(
    "A class takes one byte of a set, a range, or not of them",
    arguments: [
      ("h[ae]llo", "hallo", true), ("h[ae]llo", "hillo", false),
      ("[a-c]", "b", true), ("[a-c]", "d", false), ("[c-a]", "b", true),
      ("[^a-c]", "b", false), ("[^a-c]", "d", true), ("[^a]", "", false),
      ("[a-]", "-", true), ("[-a]", "-", true), ("[a\\-c]", "b", false), ("[a\\-c]", "-", true),
      ("[\\]]", "]", true), ("[\\^a]", "^", true), ("[a^]", "^", true), ("[\\\\]", "\\", true),
      ("[*?]", "*", true), ("[*?]", "x", false), ("[[]", "[", true), ("[a-c]*[0-9]", "bxx7", true),
    ])
  func classes(pattern: String, key: String, expected: Bool) throws {
    #expect(try matches(.glob, pattern, key) == expected)
  }

  @Test(
    "A backslash takes the meaning from the byte after it",
    arguments: [
      ("\\*", "*", true), ("\\*", "x", false), ("a\\?b", "a?b", true), ("a\\?b", "axb", false),
      ("\\[a]", "[a]", true), ("\\\\", "\\", true), ("\\a", "a", true), ("]", "]", true),
    ])
  func escapes(pattern: String, key: String, expected: Bool) throws {
    #expect(try matches(.glob, pattern, key) == expected)
  }

  @Test("Any byte can stand in a pattern and in a key, also NUL and what is not UTF-8")
  func anyByte() throws {
    for byte in UInt8.min...UInt8.max where !"*?[\\".utf8.contains(byte) {
      let pattern = try KeyPattern(bytes: .glob, [byte, UInt8(ascii: "*"), byte])
      #expect(pattern.matches(bytes: [byte, 0xff, 0, byte]))
      #expect(!pattern.matches(bytes: [byte, 0xff, 0, byte &+ 1]))
    }
    #expect(try KeyPattern(bytes: .glob, [91, 0x80, 45, 0xff, 93]).matches(bytes: [0xc3]))
    #expect(try !KeyPattern(bytes: .glob, [91, 0x80, 45, 0xff, 93]).matches(bytes: [0x7f]))
  }

  @Test(
    "A bad glob is refused with its reason and its place",
    arguments: [
      ("", "empty"), ("a[bc", "byte 1: the class has no ]"),
      ("ab[]c", "byte 2: the class is empty"),
      ("[^]", "byte 0: the class is empty"), ("abc\\", "byte 3: nothing follows"),
      ("[a\\", "byte 2: nothing follows"), ("[a-\\", "byte 3: nothing follows"),
      (String(repeating: "a", count: 257), "257 bytes, the limit is 256"),
    ])
  func refused(pattern: String, reason: String) throws {
    #expect(try refusal(.glob, pattern).contains(reason))
  }

  @Test(
    "The literal prefix of a glob is what stands before its first wildcard",
    arguments: [
      ("user:*", "user:", true), ("user:*x", "user:", false), ("user:?", "user:", false),
      ("*", "", true), ("**", "", true), ("abc", "abc", false), ("a\\*b*", "a*b", true),
      ("a[b]c*", "a", false), ("?abc", "", false),
    ])
  func literalPrefix(pattern: String, prefix: String, isPrefixOnly: Bool) throws {
    let compiled = try KeyPattern(bytes: .glob, Array(pattern.utf8))
    #expect(compiled.literalPrefix == Array(prefix.utf8))
    #expect(compiled.isPrefixOnly == isPrefixOnly)
  }

  @Test("The longest patterns work, past one machine word of states")
  func longest() throws {
    for count in [62, 63, 64, 65, 127, 128, 129, 254, 255] {
      let any = try KeyPattern(
        bytes: .glob, [UInt8](repeating: UInt8(ascii: "?"), count: count) + [UInt8(ascii: "*")])
      #expect(any.matches(bytes: [UInt8](repeating: 7, count: count)))
      #expect(any.matches(bytes: [UInt8](repeating: 7, count: 4096)))
      #expect(!any.matches(bytes: [UInt8](repeating: 7, count: count - 1)))
      let exact = try KeyPattern(bytes: .glob, [UInt8](repeating: UInt8(ascii: "?"), count: count))
      #expect(exact.matches(bytes: [UInt8](repeating: 7, count: count)))
      #expect(!exact.matches(bytes: [UInt8](repeating: 7, count: count + 1)))
    }
  }

  @Test("A glob that would make a backtracking matcher run for ages takes linear time")
  func linearTime() throws {
    let pattern = try KeyPattern(
      bytes: .glob, Array((String(repeating: "*a", count: 127) + "*b").utf8))
    let key = [UInt8](repeating: UInt8(ascii: "a"), count: 4096)
    let elapsed = cpuTime {
      for _ in 0..<10 { #expect(!pattern.matches(bytes: key)) }
    }
    #expect(elapsed < .seconds(5))
  }

  @Test("A glob agrees with a plain recursive matcher", arguments: [seed()])
  func agreesWithReference(seed: UInt64) throws {
    var random = SeededRandom(seed)
    for _ in 0..<3_000 {
      let pattern = (0..<random.int(1...12)).map { _ in random.pick("ab*?*b".utf8) }
      let key = (0..<random.int(0...12)).map { _ in random.pick("ab".utf8) }
      let expected = recursiveMatch(pattern[...], key[...])
      let compiled = try KeyPattern(bytes: .glob, pattern)
      #expect(compiled.matches(bytes: key) == expected, "\(pattern) over \(key), seed \(seed)")
      if expected { #expect(key.starts(with: compiled.literalPrefix)) }
    }
  }

  private func recursiveMatch(_ pattern: ArraySlice<UInt8>, _ key: ArraySlice<UInt8>) -> Bool {
    guard let first = pattern.first else { return key.isEmpty }
    if first == UInt8(ascii: "*") {
      return recursiveMatch(pattern.dropFirst(), key)
        || (!key.isEmpty && recursiveMatch(pattern, key.dropFirst()))
    }
    guard let byte = key.first, first == UInt8(ascii: "?") || first == byte else { return false }
    return recursiveMatch(pattern.dropFirst(), key.dropFirst())
  }
}
