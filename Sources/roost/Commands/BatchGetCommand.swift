import ArgumentParser
import RoostAPI

/// `roost mget`
struct BatchGetCommand: StoreCommand {
  /// The server's limit for one batch, which sees one instant.
  static let batchKeyCount = 1000

  static let configuration = CommandConfiguration(
    commandName: "mget",
    abstract: "Prints several keys with their values.",
    usage: "roost mget (<key> ... | -) [--keys-only] [options]",
    discussion: """
      A line for each key that is there: the key, a tab, the value (a list has a tab before \
      each item), with \\t, \\n, \\\\ and \\xHH for what would break the line. Missing keys are \
      named on standard error, and the exit status is 1. A list that is larger than any answer \
      is shown as (too large), and the exit status is 6. - reads keys from standard input, \
      one a line, or each ended by a zero byte with --null. Up to 1,000 keys are read at one \
      instant.

      EXAMPLES:
        roost mget user:1 user:2
        roost mget user:1 user:2 -o json
        roost scan --prefix user: --keys-only -o raw -0 | roost mget - -0
      """)

  @Argument(help: "The keys; - reads them from standard input.")
  var keys: [String]

  @Flag(help: "Entries without their values.")
  var keysOnly = false

  @OptionGroup var separator: SeparatorOptions
  @OptionGroup(title: "Global options") var options: GlobalOptions

  func execute(_ context: CommandContext) async throws -> ExitStatus {
    var presentation = context.presentation(terminalDefault: .table)
    presentation.rawTerminator = separator.terminator
    var printer = EntryPrinter(
      presentation, keysOnly: keysOnly, saysFound: true, nowMillis: WallClock.nowMillis())
    let keys = try allKeys(context)
    var missingCount = 0
    var omittedCount = 0
    for start in stride(from: 0, to: keys.count, by: Self.batchKeyCount) {
      let batch = Array(keys[start..<min(start + Self.batchKeyCount, keys.count)])
      let entries = try await EntryFetcher(context).entries(batch, keysOnly: keysOnly)
      try context.output.write(printer.rendered(Array(zip(batch, entries).map { ($0, $1) })))
      omittedCount += entries.count { $0?.valueOmitted == true && !keysOnly }
      for (key, entry) in zip(batch, entries) where entry == nil {
        missingCount += 1
        if presentation.format != .json { context.noteMissing(key) }
      }
    }
    if omittedCount > 0 { return .exhausted }
    return missingCount == 0 ? .success : .notFound
  }

  private func allKeys(_ context: CommandContext) throws -> [[UInt8]] {
    var keys: [[UInt8]] = []
    for argument in self.keys {
      guard argument == "-" else {
        keys.append(try context.arguments.key(argument))
        continue
      }
      let input = try context.input.take()
      keys += try separator.items(input).filter { !$0.isEmpty }.map { line in
        options.hex && !separator.null
          ? try HexText.bytes(String(decoding: line, as: UTF8.self)) : line
      }
    }
    return keys
  }
}
