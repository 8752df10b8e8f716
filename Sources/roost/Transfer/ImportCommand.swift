import ArgumentParser
import RoostAPI

/// `roost import`
struct ImportCommand: StoreCommand {
  static let defaultRate: Int64 = 50_000
  static let maxRate: Int64 = 10_000_000

  static let configuration = CommandConfiguration(
    commandName: "import",
    abstract: "Writes the entries that export wrote.",
    usage: "roost import [<path> | -] [--if-absent] [--rate <count>] [--dry-run] [options]",
    discussion: """
      Each entry gets its value, its type and the moment when it ends; entries whose end has \
      come are left out. Revisions, versions and times of creation and change are the server's \
      own: no client can set them, so the imported entries have new ones. What is there under \
      a key is overwritten, or with --if-absent kept; other keys stay as they are.

      A line that is wrong ends the import, with exit status 2 and the number of the line; \
      nothing behind it is written. So does an input without its trailer, at its end. --dry-run \
      finds both first. After an interruption the same command again completes the import.

      EXAMPLES:
        roost import backup.ndjson --dry-run && roost import backup.ndjson
        zstd -dc users.ndjson.zst | roost import -
        roost import backup.ndjson --if-absent --rate 1000 --durability memory
        roost import backup.ndjson -o json | jq .written
      """)

  @Argument(
    help: "The export; - reads standard input, and so does nothing at all off a terminal.",
    completion: .file())
  var path: String?

  @Flag(help: "Keep the entries that there are.")
  var ifAbsent = false

  @Option(
    help: ArgumentHelp(
      "At most this many calls a second, one for most entries.", valueName: "count"))
  var rate: Int64 = defaultRate

  @Flag(help: "Check every line and write nothing; needs no server.")
  var dryRun = false

  @Flag(help: "Name lines that are wrong, and go on.")
  var skipInvalid = false

  @OptionGroup var durability: DurabilityOptions
  @OptionGroup(title: "Global options") var options: GlobalOptions

  func validate() throws {
    guard (1...Self.maxRate).contains(rate) else {
      throw ValidationError("--rate: from 1 to \(Self.maxRate) calls a second")
    }
  }

  func execute(_ context: CommandContext) async throws -> ExitStatus {
    if path == nil, context.terminal.inputIsTerminal {
      throw UsageError("name the file to import, or - to type it")
    }
    let writer =
      dryRun
      ? nil
      : EntryWriter(
        kv: try context.kv, callOptions: try context.callOptions, ifAbsent: ifAbsent,
        writeOptions: durability.writeOptions)
    let runOptions = ImportRun.Options(
      skipsInvalid: skipInvalid, isDryRun: dryRun, rate: rate)
    let run = ImportRun(try LineReader(path: path ?? "-"), runOptions, writer, context)
    Interrupt.watch()
    do { try await run.run() } catch {
      try report(run, isWhole: false, context)
      throw failure(error, context)
    }
    try report(run, isWhole: true, context)
    return .success
  }

  private func failure(_ error: any Error, _ context: CommandContext) -> any Error {
    switch error {
    case ImportRun.Failure.line(let number, let error):
      return CommandFailure(.usage, ImportRun.text(number, error.message))
    case ImportRun.Failure.call(let lineNumber, let error):
      let failure = context.failure(error)
      return CommandFailure(
        failure.status, "line \(lineNumber): \(failure.message)", advice: failure.advice)
    case is Interrupted:
      return CommandFailure(
        .other, "interrupted", advice: dryRun ? nil : "The same command again completes the import."
      )
    default: return error
    }
  }

  private func report(_ run: ImportRun, isWhole: Bool, _ context: CommandContext) throws {
    let counts = run.counts
    let elapsedNanos = run.elapsedNanos
    var sentence =
      (dryRun ? "checked " : "imported ") + TransferRate.text(counts.written, elapsedNanos)
    if counts.kept > 0 { sentence += ", \(counts.kept) kept as they were" }
    if counts.expired > 0 { sentence += ", \(counts.expired) had ended" }
    if counts.invalid > 0 {
      sentence += ", \(counts.invalid) invalid \(counts.invalid == 1 ? "line" : "lines") skipped"
    }
    if dryRun { sentence += "; nothing was written" }
    if !isWhole { sentence += "; not the whole export" }
    let summary = TransferSummary(
      sentence: sentence,
      fields: [
        ("complete", .bool(isWhole)), ("dryRun", .bool(dryRun)),
        ("written", .integer(counts.written)), ("kept", .integer(counts.kept)),
        ("expired", .integer(counts.expired)), ("invalid", .integer(counts.invalid)),
        ("bytes", .integer(run.consumedBytes)),
        ("elapsedMs", .integer(Int64(elapsedNanos / 1_000_000))),
      ])
    try summary.report(context, outputIsFree: true)
  }
}
