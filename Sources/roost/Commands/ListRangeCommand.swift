import ArgumentParser
import RoostAPI

/// `roost range`
struct ListRangeCommand: StoreCommand {
  static let configuration = CommandConfiguration(
    commandName: "range",
    abstract: "Prints items of a list, which stay there.",
    usage: "roost range <key> [<start> [<stop>]] [options]",
    discussion: """
      Both ends are included and count from 0; negative ones count from the back, -1 is the \
      last item. Without them it is the whole list. A line for each item, with \\n, \\\\ and \\xHH \
      for what would break the line. Exit status 1 where there is no such list.

      EXAMPLES:
        roost range jobs
        roost range jobs 0 9
        roost range jobs -1 -o raw
      """)

  @Argument(help: "The key.")
  var key: String

  @Argument(help: "The first index.")
  var start: Int64 = 0

  @Argument(help: "The last index.")
  var stop: Int64 = -1

  @OptionGroup var separator: SeparatorOptions
  @OptionGroup(title: "Global options") var options: GlobalOptions

  func execute(_ context: CommandContext) async throws -> ExitStatus {
    let key = try context.arguments.key(key)
    let response = try await context.kv.listRange(
      ListRangeRequest(key: key, start: start, stop: stop), options: context.callOptions)
    guard response.found else {
      context.noteMissing(key)
      return .notFound
    }
    var presentation = context.presentation()
    presentation.rawTerminator = separator.terminator
    let printer = ValuePrinter(presentation)
    switch presentation.format {
    case .simple, .raw: try printer.writeLines(response.items, to: &context.output)
    case .json: try context.output.write(json(key, response, presentation))
    case .table:
      let first = start < 0 ? max(0, response.length + start) : start
      try printer.writeTable(response.items, firstIndex: first, to: &context.output)
    }
    return .success
  }

  private func json(
    _ key: [UInt8], _ response: ListRangeResponse, _ presentation: Presentation
  ) -> [UInt8] {
    var json = JSONWriter()
    json.object { json in
      json.key(key, isHex: presentation.isHex)
      json.name("items")
      json.items(response.items, isHex: presentation.isHex)
      json.name("length")
      json.integer(response.length)
      json.name("revision")
      json.integer(response.revision)
    }
    return json.bytes + [0x0a]
  }
}

/// `roost len`
struct ListLengthCommand: StoreCommand {
  static let configuration = CommandConfiguration(
    commandName: "len",
    abstract: "Prints how many items a list has.",
    usage: "roost len <key> [options]",
    discussion: """
      A list that becomes empty is deleted: a missing one prints 0, with exit status 1.

      EXAMPLES:
        roost len jobs
      """)

  @Argument(help: "The key.")
  var key: String

  @OptionGroup(title: "Global options") var options: GlobalOptions

  func execute(_ context: CommandContext) async throws -> ExitStatus {
    let key = try context.arguments.key(key)
    // An empty range: the answer has the length, and no items.
    let response = try await context.kv.listRange(
      ListRangeRequest(key: key, start: 1, stop: 0), options: context.callOptions)
    let record = Record(
      key: key, plain: String(response.length), sentence: String(response.length)
    ).with("length", .integer(response.length)).with("found", .bool(response.found))
    try context.write(record)
    return response.found ? .success : .notFound
  }
}
