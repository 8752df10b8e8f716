import RoostAPI

/// Reads the text form of a transaction: a condition or a step a line.
///
///     if stock revision 1763712345678901    # exists, absent, revision N, = VALUE
///     if lock absent
///     then
///     incr stock -1
///     set "last order" 'no 7' --ttl 1h
///     else
///     get stock
///
/// Conditions come first and must all hold; `then` may be left out. See ``TransactionStep`` for
/// the steps.
struct TransactionText {
  /// What the lines up to now belong to.
  private enum Section { case conditions, success, failure }

  private let arguments: ArgumentReader
  private var section = Section.conditions
  private var request = TransactRequest()

  /// - Parameter lines: Numbered from 1 in errors.
  static func request(
    _ lines: [some StringProtocol], _ arguments: ArgumentReader
  ) throws(UsageError) -> TransactRequest {
    var reader = TransactionText(arguments: arguments)
    for (index, line) in lines.enumerated() {
      do { try reader.read(try TransactionWords.split(line)[...]) } catch {
        throw UsageError("line \(index + 1) of the transaction: \(error.message)")
      }
    }
    return reader.request
  }

  private init(arguments: ArgumentReader) { self.arguments = arguments }

  private mutating func read(_ words: ArraySlice<String>) throws(UsageError) {
    guard let first = words.first else { return }
    switch first {
    case "if":
      guard section == .conditions else { throw UsageError("'if' belongs before the steps") }
      request.compares.append(try compare(Array(words.dropFirst())))
    case "then":
      guard section == .conditions else { throw UsageError("'then' is there twice") }
      section = .success
      try read(words.dropFirst())
    case "else":
      guard section != .failure else { throw UsageError("'else' is there twice") }
      if request.compares.isEmpty { throw UsageError("'else' needs an 'if' before it") }
      section = .failure
      try read(words.dropFirst())
    default:
      if section == .conditions { section = .success }
      let step = try TransactionStep.operation(Array(words), arguments)
      if section == .success { request.success.append(step) } else { request.failure.append(step) }
    }
  }

  private func compare(_ words: [String]) throws(UsageError) -> Compare {
    var words = try StepWords(words, of: "if", valued: ["--type"])
    let reader = words.reader(arguments)
    let key = try reader.key(try words.next("the key"))
    let condition: Condition
    switch (try words.next("exists, absent, revision or ="), words.nextIfAny()) {
    case ("exists", nil): condition = Condition(kind: .exists(true))
    case ("absent", nil): condition = Condition(kind: .exists(false))
    case ("revision", let operand?):
      condition = Condition(kind: .revision(try StepWords.revision(operand)))
    case ("=", let operand?):
      let type = try words.type()
      condition = Condition(
        kind: .value(try ValueType.value(try reader.bytes(operand), type: type)))
    default:
      throw UsageError(
        "write: if KEY exists, if KEY absent, if KEY revision N, or if KEY = VALUE [--type TYPE]")
    }
    try words.finish()
    return Compare(key: key, condition: condition)
  }
}
