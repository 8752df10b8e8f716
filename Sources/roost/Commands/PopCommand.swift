import ArgumentParser
import RoostAPI

/// `roost pop`
struct PopCommand: StoreCommand {
  static let configuration = CommandConfiguration(
    commandName: "pop",
    abstract: "Takes items from the end of a list and prints them.",
    usage: "roost pop <key> [<count>] [--front] [options]",
    discussion: """
      From the back, or with --front from the front, in the order in which they are taken. \
      Without a count it is one item, which is written byte for byte, and a line break behind \
      it; several have a line each, with \\n, \\\\ and \\xHH for what would break the line. \
      Exit status 1 where the list is empty or missing.

      EXAMPLES:
        roost pop jobs --front
        roost pop jobs 10 --front -o json
        roost pop frames --front -o raw > frame.bin
        roost pop jobs --idempotency-key worker-3-81     repeated, it prints the same item
      """)

  @Argument(help: "The key.")
  var key: String

  @Argument(help: "How many at most, up to 1,000.")
  var count: Int64?

  @Flag(help: "From the front of the list.")
  var front = false

  @OptionGroup var separator: SeparatorOptions
  @OptionGroup var durability: DurabilityOptions
  @OptionGroup(title: "Global options") var options: GlobalOptions

  func validate() throws {
    if let count, !(1...1000).contains(count) {
      throw ValidationError("the count is \(count): it must be from 1 to 1000")
    }
  }

  func execute(_ context: CommandContext) async throws -> ExitStatus {
    let request = try request(context.arguments)
    let key = request.key
    let response = try await context.kv.pop(request, options: context.callOptions)
    var presentation = context.presentation()
    presentation.rawTerminator = separator.terminator
    let printer = ValuePrinter(presentation)
    switch presentation.format {
    case .json: try context.output.write(json(key, response, presentation))
    case .table: try printer.writeTable(response.items, firstIndex: 0, to: &context.output)
    case .simple, .raw:
      if count == nil, let item = response.items.first {
        try printer.writeAlone(item, to: &context.output)
      } else {
        try printer.writeLines(response.items, to: &context.output)
      }
    }
    guard !response.items.isEmpty else {
      context.noteMissing(key)
      return .notFound
    }
    return .success
  }

  func request(_ arguments: ArgumentReader) throws -> PopRequest {
    PopRequest(
      key: try arguments.key(key), end: front ? .front : .back, count: count ?? 1,
      options: durability.writeOptions)
  }

  private func json(
    _ key: [UInt8], _ response: PopResponse, _ presentation: Presentation
  ) -> [UInt8] {
    var json = JSONWriter()
    json.object { json in
      json.key(key, isHex: presentation.isHex)
      json.name("items")
      json.items(response.items, isHex: presentation.isHex)
      json.name("length")
      json.integer(response.length)
      json.name("revision")
      if response.items.isEmpty { json.null() } else { json.integer(response.revision) }
    }
    return json.bytes + [0x0a]
  }
}
