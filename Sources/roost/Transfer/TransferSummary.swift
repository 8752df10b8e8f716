/// What an export or an import did: a sentence on standard error, or with `-o json` an object.
struct TransferSummary {
  let sentence: String
  let fields: [(name: StaticString, value: Record.Field)]

  /// - Parameter outputIsFree: Standard output holds nothing else, so the object goes there.
  func report(_ context: CommandContext, outputIsFree: Bool) throws {
    guard context.options.output == .json else {
      context.note(sentence + "\n")
      return
    }
    var record = Record(plain: sentence, sentence: sentence)
    for field in fields { record = record.with(field.name, field.value) }
    if outputIsFree {
      try context.write(record)
      try context.output.flush()
    } else {
      context.note(String(decoding: record.rendered(context.presentation()), as: UTF8.self))
    }
  }
}
