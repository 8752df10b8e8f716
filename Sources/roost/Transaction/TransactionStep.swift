import RoostAPI

/// Reads one step of a transaction. It is written as the command of its name, and has these of
/// its options; each takes `--hex` too:
///
///     get KEY [--keys-only]
///     set KEY VALUE [--type T] [--ttl D | --keep-ttl]
///         [--if-absent | --if-exists | --if-revision N]
///     del KEY [--if-revision N]
///     incr KEY [DELTA] [--initial N] [--ttl D]
///     push KEY ITEM ... [--front] [--max-length N] [--if-exists] [--ttl D]
///     pop KEY [COUNT] [--front]
///
/// (A text can have hundreds of steps: the parser of the command line takes milliseconds each.)
enum TransactionStep {
  static func operation(
    _ line: [String], _ arguments: ArgumentReader
  ) throws(UsageError) -> Operation {
    let rest = Array(line.dropFirst())
    switch line[0] {
    case "get": return Operation(kind: .get(try get(rest, arguments)))
    case "set": return Operation(kind: .set(try set(rest, arguments)))
    case "del": return Operation(kind: .delete(try delete(rest, arguments)))
    case "incr": return Operation(kind: .increment(try increment(rest, arguments)))
    case "push": return Operation(kind: .push(try push(rest, arguments)))
    case "pop": return Operation(kind: .pop(try pop(rest, arguments)))
    case let other:
      throw UsageError("'\(other)' is not a step: use get, set, del, incr, push or pop")
    }
  }

  private static func get(
    _ rest: [String], _ arguments: ArgumentReader
  ) throws(UsageError) -> GetRequest {
    var words = try StepWords(rest, of: "get", flags: ["--keys-only"])
    let key = try words.reader(arguments).key(try words.next("the key"))
    try words.finish()
    return GetRequest(key: key, keysOnly: words.has("--keys-only"))
  }

  private static func set(
    _ rest: [String], _ arguments: ArgumentReader
  ) throws(UsageError) -> SetRequest {
    var words = try StepWords(
      rest, of: "set", flags: ["--keep-ttl", "--if-absent", "--if-exists"],
      valued: ["--type", "--ttl", "--if-revision"])
    let reader = words.reader(arguments)
    let key = try reader.key(try words.next("the key"))
    let bytes = try reader.bytes(try words.next("the value"))
    try words.finish()
    return SetRequest(
      key: key, value: try ValueType.value(bytes, type: try words.type()),
      expiration: try words.expiration(), condition: try words.condition())
  }

  private static func delete(
    _ rest: [String], _ arguments: ArgumentReader
  ) throws(UsageError) -> DeleteRequest {
    var words = try StepWords(rest, of: "del", valued: ["--if-revision"])
    let key = try words.reader(arguments).key(try words.next("the key"))
    try words.finish()
    return DeleteRequest(key: key, condition: try words.condition())
  }

  private static func increment(
    _ rest: [String], _ arguments: ArgumentReader
  ) throws(UsageError) -> IncrementRequest {
    var words = try StepWords(rest, of: "incr", valued: ["--initial", "--ttl"])
    let key = try words.reader(arguments).key(try words.next("the key"))
    let delta = try words.nextIfAny().map(StepWords.integer) ?? 1
    try words.finish()
    return IncrementRequest(
      key: key, delta: delta, initial: try words.value("--initial").map(StepWords.integer) ?? 0,
      expiration: try words.expiration())
  }

  private static func push(
    _ rest: [String], _ arguments: ArgumentReader
  ) throws(UsageError) -> PushRequest {
    var words = try StepWords(
      rest, of: "push", flags: ["--front", "--if-exists"], valued: ["--max-length", "--ttl"])
    let reader = words.reader(arguments)
    let key = try reader.key(try words.next("the key"))
    var items = [try reader.bytes(try words.next("an item"))]
    while let item = words.nextIfAny() { items.append(try reader.bytes(item)) }
    return PushRequest(
      key: key, items: items, end: words.end, expiration: try words.expiration(),
      mustExist: words.has("--if-exists"),
      maxLength: try words.value("--max-length").map(StepWords.count) ?? 0)
  }

  private static func pop(
    _ rest: [String], _ arguments: ArgumentReader
  ) throws(UsageError) -> PopRequest {
    var words = try StepWords(rest, of: "pop", flags: ["--front"])
    let key = try words.reader(arguments).key(try words.next("the key"))
    let count = try words.nextIfAny().map(StepWords.count) ?? 1
    try words.finish()
    return PopRequest(key: key, end: words.end, count: count)
  }
}
