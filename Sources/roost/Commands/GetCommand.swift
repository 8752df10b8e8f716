import ArgumentParser
import RoostAPI
import TTRPC

/// `roost get`
struct GetCommand: StoreCommand {
  static let configuration = CommandConfiguration(
    commandName: "get",
    abstract: "Prints the value of a key.",
    usage: "roost get <key> [--keys-only] [options]",
    discussion: """
      A text or bytes value is written as it is, and a line break behind it; -o raw leaves \
      the line break out. A list has a line for each item. On a terminal control characters \
      are shown as escapes.

      EXAMPLES:
        roost get greeting
        roost get logo -o raw > logo.png
        roost get user:1 -o json          with type, revision and expiry
        roost get ff00 --hex              a key that is not text
        printf 'a\\0b' | roost get -       the key from standard input
      """)

  @Argument(help: "The key; - reads it from standard input.")
  var key: String

  @Flag(help: "The entry without its value.")
  var keysOnly = false

  @OptionGroup(title: "Global options") var options: GlobalOptions

  func execute(_ context: CommandContext) async throws -> ExitStatus {
    let key = try context.arguments.key(key)
    let request = GetRequest(key: key, keysOnly: keysOnly)
    let response: GetResponse
    do {
      response = try await context.kv.get(request, options: context.callOptions)
    } catch let error as RPCError where error.code == .resourceExhausted {
      throw CommandFailure(
        .exhausted, error.message, advice: "Read it in parts: roost len KEY, roost range KEY 0 999")
    }
    guard response.found, var entry = response.entry else {
      let presentation = context.presentation()
      if presentation.format == .json { try write([(key, nil)], presentation, context) }
      context.noteMissing(key)
      return .notFound
    }
    entry.key = key
    let presentation = context.presentation()
    switch presentation.format {
    case .json, .table: try write([(key, entry)], presentation, context)
    case .simple, .raw:
      if keysOnly {
        try write([(key, entry)], presentation, context)
      } else {
        try ValuePrinter(presentation).write(entry.value, to: &context.output)
      }
    }
    return .success
  }

  private func write(
    _ entries: [(key: [UInt8], entry: Entry?)], _ presentation: Presentation,
    _ context: CommandContext
  ) throws {
    var printer = EntryPrinter(
      presentation, keysOnly: keysOnly, saysFound: true, nowMillis: WallClock.nowMillis())
    try context.output.write(printer.rendered(entries))
  }
}
