import ArgumentParser
import RoostAPI

/// `roost push`
struct PushCommand: StoreCommand {
  /// The server's limit for one call.
  static let batchItemCount = 1000

  static let configuration = CommandConfiguration(
    commandName: "push",
    abstract: "Puts items at the end of a list, which it makes where there is none.",
    usage: "roost push <key> (<item> ... | - | --lines) [--front] [options]",
    discussion: """
      Items go to the back, one after the other; --front puts each before the ones that are \
      there. Off a terminal it prints the length of the list. - is one item, all of standard \
      input; --lines makes an item of each line (with --null, of what ends with a zero byte), \
      1,000 a call.

      EXAMPLES:
        roost push jobs one two three
        roost push recent /home --front --max-length 10
        seq 100000 | roost push numbers --lines
        roost push thumbs --file cat.png --if-exists
        roost push jobs resize --idempotency-key job-17     repeated, it adds nothing
      """)

  @Argument(help: "The key.")
  var key: String

  @Argument(help: "The items; - reads one from standard input.")
  var items: [String] = []

  @Flag(help: "Every line of standard input is an item.")
  var lines = false

  @Option(help: ArgumentHelp("The file is an item.", valueName: "path"), completion: .file())
  var file: String?

  @Flag(help: "To the front of the list.")
  var front = false

  @Option(
    help: ArgumentHelp("Drop items at the other end over this length.", valueName: "count"))
  var maxLength: Int64 = 0

  @Flag(help: "Only where there is such a list.")
  var ifExists = false

  @Option(help: ArgumentHelp("The list ends after this; else as before.", valueName: "span"))
  var ttl: String?

  @OptionGroup var separator: SeparatorOptions
  @OptionGroup var durability: DurabilityOptions
  @OptionGroup(title: "Global options") var options: GlobalOptions

  func validate() throws {
    if [!items.isEmpty, lines, file != nil].count(where: \.self) != 1 {
      throw ValidationError("give items as arguments, or - , or --lines, or --file")
    }
    if lines, durability.idempotencyKey != nil {
      throw ValidationError("--idempotency-key: it is about one call, --lines makes several")
    }
    if maxLength < 0 { throw ValidationError("--max-length: at least 1") }
    _ = try ttl.map(LifetimeText.milliseconds)
  }

  func execute(_ context: CommandContext) async throws -> ExitStatus {
    var request = try request(context.arguments)
    if request.items.isEmpty { throw UsageError("standard input holds no items") }
    var pushed = 0
    var length: Int64 = 0
    var revision: Int64 = 0
    var batches = PushBatches(request.items)
    while let batch = batches.next() {
      request.items = batch
      let response: PushResponse
      do { response = try await context.kv.push(request, options: context.callOptions) } catch {
        if pushed > 0 { context.note("\(pushed) items were pushed before it failed\n") }
        throw error
      }
      pushed += batch.count
      length = response.length
      revision = response.revision
    }
    let record = Record(key: request.key, plain: String(length), sentence: "OK length \(length)")
      .with("length", .integer(length)).with("revision", .integer(revision))
    try context.write(record)
    return .success
  }

  /// With all items; `execute` sends them in batches.
  func request(_ arguments: ArgumentReader) throws -> PushRequest {
    PushRequest(
      key: try arguments.key(key), items: try allItems(arguments), end: front ? .front : .back,
      expiration: try ttl.map { Expiration(kind: .ttlMs(try LifetimeText.milliseconds($0))) },
      mustExist: ifExists, maxLength: maxLength, options: durability.writeOptions)
  }

  private func allItems(_ arguments: ArgumentReader) throws -> [[UInt8]] {
    if let file { return [try ByteSource.file(file)] }
    if lines { return separator.items(try arguments.input.take()) }
    return try items.map { try arguments.bytes($0) }
  }
}

/// Items in the portions of one call: at most `PushCommand.batchItemCount`, and of about
/// `maxBytes`, unless a single item is larger.
struct PushBatches {
  static let maxBytes = 1 << 20

  private var rest: ArraySlice<[UInt8]>

  init(_ items: [[UInt8]]) { rest = items[...] }

  mutating func next() -> [[UInt8]]? {
    if rest.isEmpty { return nil }
    var bytes = 0
    var count = 0
    for item in rest.prefix(PushCommand.batchItemCount) {
      bytes += item.count
      if count > 0, bytes > Self.maxBytes { break }
      count += 1
    }
    defer { rest = rest.dropFirst(count) }
    return Array(rest.prefix(count))
  }
}
