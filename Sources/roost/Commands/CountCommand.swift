import ArgumentParser
import RoostAPI

/// `roost count`
struct CountCommand: StoreCommand {
  static let configuration = CommandConfiguration(
    commandName: "count",
    abstract: "Prints how many keys there are.",
    usage: "roost count [--prefix <text>] [--match <glob> | --regex <regex>] [options]",
    discussion: """
      The count of a range costs the server next to nothing. With --match or --regex the keys \
      are scanned.

      EXAMPLES:
        roost count
        roost count --prefix user:
        roost count --match '*:email'
      """)

  @OptionGroup var range: RangeOptions
  @OptionGroup var pattern: PatternOptions
  @OptionGroup(title: "Global options") var options: GlobalOptions

  func execute(_ context: CommandContext) async throws -> ExitStatus {
    let range = try range.range(context)
    let count = try await pattern.isGiven ? scanned(range, context) : counted(range, context)
    try context.write(
      Record(plain: String(count), sentence: String(count)).with("count", .integer(count)))
    return .success
  }

  private func counted(_ range: KeyRange, _ context: CommandContext) async throws -> Int64 {
    try await context.kv.count(CountRequest(range: range), options: context.callOptions).count
  }

  private func scanned(_ range: KeyRange, _ context: CommandContext) async throws -> Int64 {
    let request = ScanRequest(
      range: range, matchKind: pattern.kind, pattern: pattern.pattern, keysOnly: true)
    var pages = ScanPages(context, request: request, limit: 0)
    var count: Int64 = 0
    while let page = try await pages.next() { count += Int64(page.count) }
    return count
  }
}
