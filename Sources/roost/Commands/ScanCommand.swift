import ArgumentParser
import RoostAPI

/// `roost scan`
struct ScanCommand: StoreCommand {
  /// Where a terminal shows the answer and nobody said how many.
  static let terminalLimit: Int64 = 100
  /// The server's largest page.
  static let maxPageSize: Int64 = 10_000
  static let defaultPageSize: Int64 = 1000

  static let configuration = CommandConfiguration(
    commandName: "scan",
    abstract: "Prints keys with their values, in the order of the keys' bytes.",
    usage: "roost scan [--prefix <text>] [--match <glob> | --regex <regex>] [options]",
    discussion: """
      A line for each key: the key, a tab, the value (a list has a tab before each item), \
      with \\t, \\n, \\\\ and \\xHH for what would break the line. Pages are fetched as they are \
      read, so | head costs one page. --limit 0 is all; that is the default off a terminal, \
      and 100 on one. A key that is there during the whole scan is printed exactly once.

      EXAMPLES:
        roost scan --prefix user:
        roost scan --match 'user:*:email' --limit 0 -o json
        roost scan --regex '^job:[0-9]+$' --keys-only --reverse --limit 10
        roost scan --start a --end b -o table
        roost scan --prefix tmp: --keys-only -o raw -0 | xargs -0 -n 100 roost del
      """)

  @OptionGroup var range: RangeOptions
  @OptionGroup var pattern: PatternOptions

  @Option(help: ArgumentHelp("Print at most this many; 0 is all.", valueName: "count"))
  var limit: Int64?

  @Flag(help: "From the last key to the first.")
  var reverse = false

  @Flag(help: "Entries without their values.")
  var keysOnly = false

  @OptionGroup var separator: SeparatorOptions
  @OptionGroup(title: "Global options") var options: GlobalOptions

  func validate() throws {
    if let limit, limit < 0 { throw ValidationError("--limit: 0 is all; \(limit) is too few") }
  }

  func execute(_ context: CommandContext) async throws -> ExitStatus {
    var presentation = context.presentation(terminalDefault: .table)
    presentation.rawTerminator = separator.terminator
    var printer = EntryPrinter(
      presentation, keysOnly: keysOnly, saysFound: false, nowMillis: WallClock.nowMillis())
    let limit = limit ?? (context.terminal.outputIsTerminal ? Self.terminalLimit : 0)
    var pages = ScanPages(
      context,
      request: ScanRequest(
        range: try range.range(context), matchKind: pattern.kind, pattern: pattern.pattern,
        keysOnly: keysOnly, reverse: reverse),
      limit: limit)
    while let page = try await pages.next() {
      var entries: [(key: [UInt8], entry: Entry?)] = []
      for var entry in page {
        if entry.valueOmitted, printer.needsOmittedValues {
          // Deleted since the page was read: as if it had never been met.
          guard let whole = try await EntryFetcher(context).completed(entry) else { continue }
          entry = whole
        }
        entries.append((entry.key, entry))
      }
      try context.output.write(printer.rendered(entries))
      try context.output.flush()
    }
    if pages.hasMore, context.terminal.errorIsTerminal, self.limit == nil {
      context.note("… the first \(limit) keys; --limit 0 shows all\n")
    }
    return .success
  }
}

/// The pages of one scan, as they are asked for.
struct ScanPages {
  private let context: CommandContext
  private var request: ScanRequest
  /// How many more entries are wanted; `nil`: all.
  private var remaining: Int64?
  private var isFinished = false

  /// The scan ended at its limit, and there are more keys.
  private(set) var hasMore = false

  /// - Parameter limit: 0: all.
  init(_ context: CommandContext, request: ScanRequest, limit: Int64) {
    self.context = context
    self.request = request
    remaining = limit == 0 ? nil : limit
  }

  /// The next page, which may be empty; `nil` at the end.
  mutating func next() async throws -> [Entry]? {
    if isFinished { return nil }
    let largest = request.keysOnly ? ScanCommand.maxPageSize : ScanCommand.defaultPageSize
    request.pageSize = min(remaining ?? largest, largest)
    let response = try await context.kv.scan(request, options: context.callOptions)
    request.pageToken = response.nextPageToken
    isFinished = response.nextPageToken.isEmpty
    if let remaining {
      let rest = remaining - Int64(response.entries.count)
      self.remaining = rest
      if rest <= 0 {
        hasMore = !isFinished
        isFinished = true
      }
    }
    return response.entries
  }
}
