import RoostStore
import Testing

@Suite("Regular expressions over keys") struct PatternRegexTests {
  @Test(
    "A regex is found anywhere in the key, unless it is anchored",
    arguments: [
      ("er:[0-9]+", "user:12:x", true), ("^er", "user", false), ("^user:", "user:1", true),
      ("1$", "user:1", true), ("1$", "user:12", false), ("^a|b$", "xb", true),
      ("(?i)USER", "user:1", true), ("a.c", "a\nc", false), ("(?s)a.c", "a\nc", true),
      ("\\d{3}", "ab123", true), ("\\d{3}", "ab12", false), ("a\\x00b", "a\0b", true),
      ("^(foo|bar):\\w+$", "bar:x_1", true), ("^(foo|bar):\\w+$", "baz:x", false),
    ])
  func search(pattern: String, key: String, expected: Bool) throws {
    #expect(try matches(.regex, pattern, key) == expected)
  }

  @Test("A character is a code point where the key is UTF-8")
  func codePoints() throws {
    #expect(try matches(.regex, "^.$", "é"))
    #expect(try matches(.regex, "^[à-ü]+$", "éè"))
    #expect(try matches(.regex, "^\\p{Greek}$", "λ"))
    #expect(try matches(.regex, "(?i)^É$", "é"))
  }

  @Test("A character is a byte where the key is not UTF-8")
  func bytes() throws {
    #expect(try KeyPattern(bytes: .regex, "^.$".utf8Array).matches(bytes: [0xff]))
    #expect(try KeyPattern(bytes: .regex, "^a.b$".utf8Array).matches(bytes: [97, 0xc3, 98]))
    #expect(try KeyPattern(bytes: .regex, "^\\xff".utf8Array).matches(bytes: [0xff, 1]))
    #expect(try KeyPattern(bytes: .regex, "user".utf8Array).matches(bytes: [0xff] + "user".utf8))
    #expect(try KeyPattern(bytes: .regex, "é".utf8Array).matches(bytes: [0xff] + "é".utf8))
    let unrepresentable = try KeyPattern(bytes: .regex, "\\x{4e2d}|a".utf8Array)
    #expect(unrepresentable.matches(bytes: [0xff, 97]))
    #expect(!unrepresentable.matches(bytes: [0xff, 98]))
  }

  @Test("A pattern that is not UTF-8 is one over bytes")
  func patternBytes() throws {
    let pattern = try KeyPattern(bytes: .regex, [UInt8(ascii: "^"), 0xff, 0xfe])
    #expect(pattern.matches(bytes: [0xff, 0xfe, 1]))
    #expect(!pattern.matches(bytes: [0xff, 0xfd]))
    #expect(pattern.literalPrefix == [0xff, 0xfe])
  }

  @Test(
    "A bad regex is refused with its reason and its place",
    arguments: [
      ("", "empty"), ("a(b", "byte 1: missing )"), ("ab)c", "byte 2: unexpected )"),
      ("(a)(b", "byte 3: missing )"), ("a[bc", "byte 1: missing ]"), ("ab\\", "byte 2: \\ at"),
      ("a\\8", "byte 1: unknown escape"), ("*a", "byte 0: nothing to repeat"),
      ("ab**", "byte 2: repetition of a repetition"), ("[z-a]", "byte 1: bad character range"),
      ("(?<=a)b", "byte 0: unknown (?...) group"), ("a\\1", "byte 1: unknown escape"),
      ("[[:nope:]]", "byte 1: bad character range"),
      (String(repeating: "a", count: 257), "257 bytes, the limit is 256"),
    ])
  func refused(pattern: String, reason: String) throws {
    #expect(try refusal(.regex, pattern).contains(reason))
  }

  @Test(
    "A pattern whose automaton would be huge is refused",
    arguments: [
      "((a{100}){100}){100}", "a{1001}", "(\\pL{3}){300}", "\\pL{900}", "(.{30}){30}{30}",
      "((a{1,30}){1,30}b){1,30}",
    ])
  func hugePatterns(pattern: String) throws {
    let elapsed = try cpuTime {
      let reason = try refusal(.regex, pattern)
      #expect(reason.contains("memory") || reason.contains("repe"))
    }
    #expect(elapsed < .seconds(1))
  }

  @Test(
    "A pattern that would make a backtracking matcher run for ages takes linear time",
    arguments: [
      "(a*)*b", "(a+)+$b", "(a|aa)+$b", "(x+x+)+y", "(a?){50}a{50}b", "(a|b)*a(a|b){100}c",
    ])
  func catastrophicPatterns(pattern: String) throws {
    let compiled = try KeyPattern(bytes: .regex, pattern.utf8Array)
    let key = [UInt8](repeating: UInt8(ascii: "a"), count: 4096)
    let elapsed = cpuTime {
      for _ in 0..<10 { #expect(!compiled.matches(bytes: key)) }
    }
    #expect(elapsed < .seconds(5))
  }

  @Test(
    "The literal prefix of an anchored regex is what stands before its first operator",
    arguments: [
      ("^user:", "user:"), ("^user:\\d+", "user:"), ("\\Auser", "user"), ("user", ""),
      ("^ab*", "a"), ("^ab?c", "a"), ("^ab{0,2}", "a"), ("^ab+", "ab"), ("^é?x", ""),
      ("^aé?x", "a"), ("^a\\.b", "a.b"), ("^a.b", "a"), ("^a|b", ""), ("^a(b|c)", "a"),
      ("^a[|]b", "a"), ("^a[^]|]b", "a"), ("^a[[:alpha:]|]", "a"), ("^a\\|b", "a|b"),
      ("^a\\Q|\\E", ""), ("(?i)^abc", ""), ("^(?i)abc", ""), ("^^a", ""), ("(^a)", ""),
      ("^a\\d|b", ""), ("^a[b]|c", ""), ("^a[\\]|]", "a"), ("^a(b|c)|d", ""),
      ("^ab(?i)?c", "a"), ("^ab(?:c)", "a"),
    ])
  func literalPrefix(pattern: String, prefix: String) throws {
    let compiled = try KeyPattern(bytes: .regex, pattern.utf8Array)
    #expect(compiled.literalPrefix == prefix.utf8Array)
    #expect(!compiled.isPrefixOnly)
  }

  @Test("No key that a regex takes lies outside its literal prefix", arguments: [seed()])
  func prefixIsSafe(seed: UInt64) throws {
    var random = SeededRandom(seed)
    var compiledCount = 0
    let atoms = [
      "^", "a", "b", "|", "(", ")", "*", "+", "?", "{0,1}", "[ab]", "[^a]", "[]|]", "\\.", ".",
      "\\Qa|b\\E", "$", "(?i)", "(?:", "[[:alpha:]|]", "é", "\\A",
    ]
    for _ in 0..<4_000 {
      let text = "^" + (0..<random.int(1...6)).map { _ in random.pick(atoms) }.joined()
      guard let compiled = try? KeyPattern(bytes: .regex, text.utf8Array) else { continue }
      guard !compiled.literalPrefix.isEmpty else { continue }
      compiledCount += 1
      // The same pattern, kept from knowing its prefix by a group around it.
      let plain = try KeyPattern(bytes: .regex, "(?:\(text))".utf8Array)
      #expect(plain.literalPrefix.isEmpty)
      for _ in 0..<20 {
        let key = (0..<random.int(1...5)).flatMap { _ in
          random.pick(["a", "b", "A", "|", ".", "é"]).utf8Array
        }
        #expect(
          compiled.matches(bytes: key) == plain.matches(bytes: key),
          "\(text) over \(key), seed \(seed)")
      }
    }
    #expect(compiledCount > 100)
  }

  @Test("One compiled pattern serves many threads at once")
  func manyThreads() async throws {
    let pattern = try KeyPattern(bytes: .regex, "^k[0-9]+.(a|b)*z$".utf8Array)
    await withTaskGroup(of: Int.self) { group in
      for task in 0..<4 {
        group.addTask {
          (0..<500).count { index in
            pattern.matches(bytes: "k\(task)\(index)".utf8Array + [0xff] + "abz".utf8)
              && pattern.matches(bytes: "k\(task)\(index)éabz".utf8Array)
          }
        }
      }
      for await count in group { #expect(count == 500) }
    }
  }
}
