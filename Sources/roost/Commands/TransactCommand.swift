import ArgumentParser
import RoostAPI

/// `roost txn`
struct TransactCommand: StoreCommand {
  static let configuration = CommandConfiguration(
    commandName: "txn",
    abstract: "Checks conditions and takes steps, all at one instant or none.",
    usage: "roost txn (<line> ... | - | --file <path>) [options]",
    discussion: """
      Each argument, or each line of the file, is a condition or a step:
        if KEY exists|absent     if KEY revision N     if KEY = VALUE [--type T]
        then
        get KEY [--keys-only]
        set KEY VALUE [--type T] [--ttl D | --keep-ttl]
            [--if-absent | --if-exists | --if-revision N]
        del KEY [--if-revision N]
        incr KEY [DELTA] [--initial N] [--ttl D]
        push KEY ITEM ... [--front] [--max-length N] [--if-exists] [--ttl D]
        pop KEY [COUNT] [--front]
        else
        (steps for where a condition does not hold)
      A line with --hex has its keys and values in hexadecimal. Words are split as in a shell, \
      with 'single' and "double" quotes, and # for a comment. A text that begins with { is JSON: \
        {"if":[{"key":"k","revision":1}],
         "then":[{"set":{"key":"k","value":"v"}}],"else":[]}

      Exit status 4 where a condition did not hold (the steps behind else were taken then). A \
      step that fails fails the transaction: nothing has happened.

      EXAMPLES:
        roost txn 'incr from -10' 'incr to 10'
        roost txn 'if lock absent' then 'set lock me --ttl 30s' else 'get lock'
        roost txn --file order.txn --idempotency-key order-4711
        jq -n '{then:[{set:{key:"a",value:1}}]}' | roost txn - -o json
      """)

  @Argument(help: "The lines; - reads them from standard input.")
  var lines: [String] = []

  @Option(
    help: ArgumentHelp("Read the lines from this file.", valueName: "path"), completion: .file())
  var file: String?

  @OptionGroup var durability: DurabilityOptions
  @OptionGroup(title: "Global options") var options: GlobalOptions

  func validate() throws {
    if lines.isEmpty == (file == nil) {
      throw ValidationError("give the transaction as arguments, as - or with --file")
    }
  }

  func execute(_ context: CommandContext) async throws -> ExitStatus {
    var request = try request(context.arguments)
    if request.success.isEmpty, request.failure.isEmpty {
      throw UsageError("the transaction has no steps")
    }
    request.options = durability.writeOptions
    let response = try await context.kv.transact(request, options: context.callOptions)
    let printer = TransactionPrinter(context.presentation(terminalDefault: .table))
    try context.output.write(printer.rendered(request, response))
    return response.succeeded ? .success : .precondition
  }

  private func request(_ arguments: ArgumentReader) throws -> TransactRequest {
    let text: [UInt8]
    if let file {
      text = try ByteSource.file(file)
    } else if lines == ["-"] {
      text = try arguments.input.take()
    } else if lines.count == 1, lines[0].utf8.first == UInt8(ascii: "{") {
      text = Array(lines[0].utf8)
    } else {
      return try TransactionText.request(lines, arguments)
    }
    let isSpace: (UInt8) -> Bool = { $0 == 0x20 || (0x09...0x0d).contains($0) }
    if text.first(where: { !isSpace($0) }) == UInt8(ascii: "{") {
      return try TransactionJSON.request(text)
    }
    guard let script = String(validating: text, as: UTF8.self) else {
      throw UsageError("the transaction is not UTF-8: use --hex on the lines that need it")
    }
    let lines = script.split(omittingEmptySubsequences: false) { $0 == "\n" || $0 == "\r\n" }
    return try TransactionText.request(lines, arguments)
  }
}
