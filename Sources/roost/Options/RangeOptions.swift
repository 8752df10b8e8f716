import ArgumentParser
import RoostAPI

/// Which keys a command is about. Nothing given: every key.
struct RangeOptions: ParsableArguments {
  @Option(help: ArgumentHelp("Keys that begin with this.", valueName: "text"))
  var prefix: String?

  @Option(help: ArgumentHelp("Keys from this one on, in byte order.", valueName: "key"))
  var start: String?

  @Option(help: ArgumentHelp("Keys before this one.", valueName: "key"))
  var end: String?

  func validate() throws {
    if prefix != nil, start != nil || end != nil {
      throw ValidationError("--prefix cannot be combined with --start or --end")
    }
  }

  func range(_ context: CommandContext) throws -> KeyRange {
    KeyRange(
      prefix: try prefix.map(context.arguments.bytes) ?? [],
      start: try start.map(context.arguments.bytes) ?? [],
      end: try end.map(context.arguments.bytes) ?? [])
  }
}

/// Which of those keys, by their form.
struct PatternOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp("Keys of this form: * ? [a-z] and \\x for x itself.", valueName: "glob"))
  var match: String?

  @Option(
    help: ArgumentHelp("Keys in which this regular expression (RE2) is found.", valueName: "regex"))
  var regex: String?

  func validate() throws {
    if match != nil, regex != nil {
      throw ValidationError("--match and --regex cannot be combined")
    }
  }

  var isGiven: Bool { match != nil || regex != nil }

  /// A pattern is text, with `--hex` too.
  var kind: MatchKind { match != nil ? .glob : regex != nil ? .regex : .unspecified }
  var pattern: [UInt8] { Array((match ?? regex ?? "").utf8) }
}
