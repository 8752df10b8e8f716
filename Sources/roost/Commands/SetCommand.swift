import ArgumentParser
import RoostAPI

/// `roost set`
struct SetCommand: StoreCommand {
  static let configuration = CommandConfiguration(
    commandName: "set",
    abstract: "Stores a value under a key, whether or not there is one.",
    usage: "roost set <key> (<value> | - | --file <path>) [options]",
    discussion: """
      Without --type the value is text where it is valid UTF-8, and bytes where it is not. \
      Off a terminal it prints the new revision. Without --ttl the key never ends.

      EXAMPLES:
        roost set greeting hello --ttl 1h
        roost set stock 42 --type int
        roost set logo --file logo.png
        date | roost set started -
        roost set lock me --if-absent --ttl 30s     exit status 4 where it is taken
        roost set page 1 --if-absent --idempotency-key page-1     safe to repeat
        r=$(roost set page 1) && roost set page 2 --if-revision $r
      """)

  @OptionGroup var write: WriteArguments

  @OptionGroup(title: "Global options") var options: GlobalOptions

  func execute(_ context: CommandContext) async throws -> ExitStatus {
    try await write.execute(context, condition: write.condition.condition)
  }
}

/// `roost update`
struct UpdateCommand: StoreCommand {
  static let configuration = CommandConfiguration(
    commandName: "update",
    abstract: "Replaces the value of a key that exists.",
    usage: "roost update <key> (<value> | - | --file <path>) [options]",
    discussion: """
      Like set, but exit status 1 where there is no such key. The new value lives as long as \
      --ttl says; --keep-ttl leaves the end of the key as it was.

      EXAMPLES:
        roost update greeting 'good morning'
        roost update session:7 active --keep-ttl
        roost update page 3 --if-revision 1763712345678901
      """)

  @OptionGroup var write: WriteArguments

  @OptionGroup(title: "Global options") var options: GlobalOptions

  func validate() throws {
    if write.condition.ifAbsent {
      throw ValidationError("update needs a key that exists: --if-absent belongs to set")
    }
  }

  func execute(_ context: CommandContext) async throws -> ExitStatus {
    let condition = write.condition.condition ?? Condition(kind: .exists(true))
    return try await write.execute(context, condition: condition)
  }
}

/// What `set` and `update` have in common.
struct WriteArguments: ParsableArguments {
  @Argument(help: "The key.")
  var key: String

  @Argument(help: "The value; - reads it from standard input, byte for byte.")
  var value: String?

  @Option(
    help: ArgumentHelp("Read the value from this file.", valueName: "path"), completion: .file())
  var file: String?

  @Option(help: ArgumentHelp("The type of the value.", valueName: "type"))
  var type: ValueType?

  @OptionGroup var lifetime: LifetimeOptions
  @OptionGroup var condition: ConditionOptions
  @OptionGroup var durability: DurabilityOptions

  func validate() throws {
    if (value == nil) == (file == nil) {
      throw ValidationError(
        value == nil
          ? "the value is missing: give it as an argument, as - or with --file"
          : "give the value as an argument or with --file, not both")
    }
  }

  func execute(
    _ context: CommandContext, condition: Condition?
  ) async throws -> ExitStatus {
    let request = try request(context.arguments, condition: condition)
    let response = try await context.kv.set(request, options: context.callOptions)
    let outcome = response.created ? "created" : "replaced"
    let record = Record(
      key: request.key, plain: String(response.revision),
      sentence: "OK \(outcome) at revision \(response.revision)"
    ).with("revision", .integer(response.revision)).with("created", .bool(response.created))
    try context.write(record)
    return .success
  }

  func request(
    _ arguments: ArgumentReader, condition: Condition?
  ) throws -> SetRequest {
    let key = try arguments.key(key)
    let bytes = try file.map(ByteSource.file) ?? arguments.bytes(value ?? "")
    return SetRequest(
      key: key, value: try ValueType.value(bytes, type: type),
      expiration: try lifetime.expiration, condition: condition,
      options: durability.writeOptions)
  }
}
