/// Lets a negative number be a plain argument: `roost range list 0 -1`, `roost incr stock -5`.
///
/// The argument parser reads `-1` as an option that does not exist. No option of `roost` is a
/// negative number (`-0` is `--null`), so where such a word stands, all plain words move, in their
/// order, behind a `--`, and the options stay in front of it. Words behind a `--` of the caller's
/// own stay there.
enum ArgumentOrder {
  /// The options that take a value as their next word. A test compares this with the commands.
  static let valueOptions: Set<String> = [
    "--endpoint", "--token-file", "--timeout", "-o", "--output", "--type", "--file", "--ttl",
    "--if-revision", "--durability", "--idempotency-key", "--prefix", "--start", "--end",
    "--match", "--regex", "--limit", "--initial", "--max-length", "-d", "--data", "--metadata",
    "-n", "--count", "--rate", "--generate-completion-script",
  ]

  /// The options that are a word alone. A test compares this with the commands, too.
  static let flags: Set<String> = [
    "--hex", "-h", "--help", "--version", "--if-absent", "--if-exists", "--keep-ttl",
    "--keys-only", "-0", "--null", "--front", "--lines", "--reverse", "--yes", "-y", "--list",
    "--template", "--dry-run", "--skip-invalid",
  ]

  /// What to say of a command line that was refused where one of its words begins with a dash and
  /// is no option: it may be meant as a key or a value.
  static func hint(_ arguments: [String]) -> String? {
    var expectsValue = false
    for word in arguments.prefix(while: { $0 != "--" }) {
      let name = String(word.prefix { $0 != "=" })
      let isOption = flags.contains(word) || valueOptions.contains(name)
      let isPlain = expectsValue || !word.hasPrefix("-") || word == "-" || isNegativeNumber(word)
      expectsValue = !expectsValue && valueOptions.contains(word)
      if !isPlain, !isOption {
        let shown = EscapedText.line(Array(word.utf8))
        return "'\(shown)' is not an option. A key or value that begins with a dash needs -- in"
          + " front of it: roost get -- \(shown)"
      }
    }
    return nil
  }

  /// - Parameter arguments: Without the program's name.
  static func normalized(_ arguments: [String]) -> [String] {
    let words = arguments.prefix { $0 != "--" }
    let verbatim = arguments.dropFirst(words.count + 1)
    var options: [String] = []
    var plain: [String] = []
    var hasNegativeNumber = false
    var index = words.startIndex
    while index < words.endIndex {
      let word = words[index]
      index += 1
      if isNegativeNumber(word) {
        hasNegativeNumber = true
        plain.append(word)
      } else if word.hasPrefix("-"), word != "-" {
        options.append(word)
        if valueOptions.contains(word), index < words.endIndex {
          options.append(words[index])
          index += 1
        }
      } else {
        plain.append(word)
      }
    }
    guard hasNegativeNumber, let command = plain.first, !isNegativeNumber(command) else {
      return arguments
    }
    return [command] + options + ["--"] + plain.dropFirst() + verbatim
  }

  /// `-5`, `-0.5`, `-1e9`; not `-`, `-o`, `-0`.
  static func isNegativeNumber(_ word: String) -> Bool {
    guard word.utf8.first == UInt8(ascii: "-"), word != "-0" else { return false }
    guard let next = word.utf8.dropFirst().first else { return false }
    let isDigit = next >= UInt8(ascii: "0") && next <= UInt8(ascii: "9")
    return (isDigit || next == UInt8(ascii: ".")) && Double(word) != nil
  }
}
