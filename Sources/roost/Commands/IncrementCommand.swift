import ArgumentParser
import RoostAPI

/// `roost incr`
struct IncrementCommand: StoreCommand {
  static let configuration = CommandConfiguration(
    commandName: "incr",
    abstract: "Adds to an int and prints the sum.",
    usage: "roost incr <key> [<delta>] [options]",
    discussion: """
      The delta is 1 where there is none, and may be negative. A missing key starts at \
      --initial, 0 by default, before the delta is added. The end of the key stays as it was \
      unless --ttl says otherwise.

      EXAMPLES:
        roost incr visits
        roost incr stock -5
        roost incr tickets 1 --initial 1000 --ttl 1d
        roost incr visits --idempotency-key request-9     repeated, it counts once
      """)

  @Argument(help: "The key.")
  var key: String

  @Argument(help: "What to add.")
  var delta: Int64 = 1

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("What a missing key starts at.", valueName: "int"))
  var initial: Int64 = 0

  @Option(help: ArgumentHelp("The key ends after this.", valueName: "span"))
  var ttl: String?

  @OptionGroup var durability: DurabilityOptions
  @OptionGroup(title: "Global options") var options: GlobalOptions

  func validate() throws { _ = try ttl.map(LifetimeText.milliseconds) }

  func execute(_ context: CommandContext) async throws -> ExitStatus {
    let request = try request(context.arguments)
    let response = try await context.kv.increment(request, options: context.callOptions)
    let sum = String(response.value)
    let record = Record(key: request.key, plain: sum, sentence: sum)
      .with("value", .integer(response.value)).with("revision", .integer(response.revision))
    try context.write(record)
    return .success
  }

  func request(_ arguments: ArgumentReader) throws -> IncrementRequest {
    IncrementRequest(
      key: try arguments.key(key), delta: delta, initial: initial,
      expiration: try ttl.map { Expiration(kind: .ttlMs(try LifetimeText.milliseconds($0))) },
      options: durability.writeOptions)
  }
}
