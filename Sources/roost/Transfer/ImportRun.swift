import RoostAPI
import TTRPC

/// One import: reads lines, and has a bounded number of entries written at the same time. Confined
/// to the command's task; the writes are tasks of their own.
///
/// 1. At most `maxEntriesInFlight` entries and about `maxBytesInFlight` of their lines wait for
///    answers, one entry of any size apart.
/// 2. Two entries of one key are never in flight together: the later line wins.
/// 3. After the first failure no line is read any more; what is in flight is waited for.
final class ImportRun {
  static let maxEntriesInFlight = 64
  static let maxBytesInFlight = 16 << 20
  /// Lines that are skipped are named up to here, and counted behind it.
  static let maxNotes = 20

  struct Options {
    var skipsInvalid = false
    var isDryRun = false
    /// Calls in a second.
    var rate: Int64
  }

  /// Why it ended early.
  enum Failure: Error {
    case line(number: Int, UsageError)
    case call(lineNumber: Int, RPCError)
  }

  struct Counts {
    /// Lines between header and trailer.
    var lines: Int64 = 0
    /// With `isDryRun`: what would be.
    var written: Int64 = 0
    /// There was one, and it was to be kept.
    var kept: Int64 = 0
    /// Its end had come.
    var expired: Int64 = 0
    var invalid: Int64 = 0
  }

  /// What became of one entry.
  private struct Outcome: Sendable {
    let lineNumber: Int
    let key: [UInt8]
    let bytes: Int
    /// `false`: kept.
    let result: Result<Bool, RPCError>
  }

  private(set) var counts = Counts()
  private(set) var header: ExportHeader?
  private var reader: LineReader
  private let options: Options
  /// `nil`: a dry run.
  private let writer: EntryWriter?
  private let context: CommandContext
  private var progress: TransferProgress
  private var pacer: RatePacer
  private var keysInFlight: Set<[UInt8]> = []
  private var bytesInFlight = 0
  private var callFailure: (lineNumber: Int, error: RPCError)?
  private var noteCount = 0

  init(_ reader: LineReader, _ options: Options, _ writer: EntryWriter?, _ context: CommandContext)
  {
    self.reader = reader
    self.options = options
    self.writer = writer
    self.context = context
    progress = TransferProgress(context, verb: options.isDryRun ? "checking" : "importing")
    pacer = RatePacer(unitsPerSecond: options.rate)
  }

  var elapsedNanos: UInt64 { progress.elapsedNanos }
  var consumedBytes: Int64 { reader.consumedBytes }

  /// To the end of the input. `counts` are right in any case.
  /// - Throws: `Failure`, `Interrupted`, `UsageError` where the input cannot be read.
  func run() async throws {
    defer { progress.clear() }
    let fed = await withTaskGroup(of: Outcome.self) { group in
      let fed: Result<Void, any Error>
      do {
        try await feed(&group)
        fed = .success(())
      } catch {
        fed = .failure(error)
      }
      while let outcome = await group.next() { settle(outcome) }
      return fed
    }
    // A call that failed comes first: its line does, too.
    if let callFailure { throw Failure.call(lineNumber: callFailure.lineNumber, callFailure.error) }
    try fed.get()
  }

  // MARK: Lines

  private func feed(_ group: inout TaskGroup<Outcome>) async throws {
    guard let first = try reader.next() else {
      throw Failure.line(number: 1, UsageError("the input is empty"))
    }
    do throws(UsageError) {
      // What is no JSON at all is most likely another file, or a compressed one.
      let json = (try? JSONValue(parsing: first)) ?? .null
      header = try ImportLine.header(json)
    } catch {
      throw Failure.line(number: 1, error)
    }
    while let bytes = try reader.next() {
      try Interrupt.check()
      switch parsed(bytes) {
      case .success(.trailer(let entryCount)): return try finish(entryCount)
      case .success(.entry(let entry)):
        counts.lines += 1
        await take(entry, bytes: bytes.count, &group)
      case .failure(let error):
        counts.lines += 1
        try skip(reader.lineNumber, error)
      }
      if callFailure != nil { return }
      progress.update(entries: counts.lines, fraction: fraction)
    }
    throw Failure.line(
      number: reader.lineNumber + 1,
      UsageError("the trailer is missing: the export was cut short"))
  }

  private func parsed(_ bytes: [UInt8]) -> Result<ImportLine, UsageError> {
    do throws(UsageError) {
      return .success(
        try ImportLine(try JSONValue(parsing: bytes, firstLine: reader.lineNumber)))
    } catch {
      return .failure(error)
    }
  }

  private var fraction: Double? {
    guard let total = reader.totalBytes, total > 0 else { return nil }
    return Double(reader.consumedBytes) / Double(total)
  }

  private func finish(_ entryCount: Int64) throws {
    let number = reader.lineNumber
    guard entryCount == counts.lines else {
      throw Failure.line(
        number: number,
        UsageError("the trailer counts \(entryCount) entries, and there were \(counts.lines)"))
    }
    if try reader.next() != nil {
      throw Failure.line(number: number + 1, UsageError("nothing may follow the trailer"))
    }
  }

  private func skip(_ lineNumber: Int, _ error: UsageError) throws {
    guard options.skipsInvalid else { throw Failure.line(number: lineNumber, error) }
    noteSkipped(lineNumber, error.message)
  }

  private func noteSkipped(_ lineNumber: Int, _ message: String) {
    counts.invalid += 1
    noteCount += 1
    guard noteCount <= Self.maxNotes else { return }
    progress.clear()
    let shown = EscapedText.line(Array(ImportRun.text(lineNumber, message).utf8))
    context.note("skipped: \(shown)\n")
    if noteCount == Self.maxNotes { context.note("further ones are only counted\n") }
  }

  /// Names the line where the message does not do so by itself.
  static func text(_ lineNumber: Int, _ message: String) -> String {
    message.hasPrefix("JSON, line ") ? message : "line \(lineNumber): \(message)"
  }

  // MARK: Entries

  private func take(
    _ entry: ImportEntry, bytes: Int, _ group: inout TaskGroup<Outcome>
  ) async {
    if entry.expiresAtMs != 0, entry.expiresAtMs <= WallClock.nowMillis() {
      counts.expired += 1
      return
    }
    guard let writer else {
      counts.written += 1
      return
    }
    await makeRoom(for: entry.key, bytes, &group)
    if callFailure != nil { return }
    keysInFlight.insert(entry.key)
    bytesInFlight += bytes
    let lineNumber = reader.lineNumber
    group.addTask {
      let result: Result<Bool, RPCError>
      do throws(RPCError) {
        result = .success(try await writer.write(entry))
      } catch {
        result = .failure(error)
      }
      return Outcome(lineNumber: lineNumber, key: entry.key, bytes: bytes, result: result)
    }
    let delay = pacer.delayNanos(
      after: EntryWriter.callCount(entry), nowNanos: MonotonicClock.nowNanos())
    // A shorter sleep than a timer's step would take longer than asked for.
    if delay >= 1_000_000 { try? await Task.sleep(nanoseconds: delay) }
  }

  private func makeRoom(
    for key: [UInt8], _ bytes: Int, _ group: inout TaskGroup<Outcome>
  ) async {
    while keysInFlight.count >= Self.maxEntriesInFlight || keysInFlight.contains(key)
      || (bytesInFlight > 0 && bytesInFlight + bytes > Self.maxBytesInFlight)
    {
      guard let outcome = await group.next() else { return }
      settle(outcome)
    }
  }

  private func settle(_ outcome: Outcome) {
    keysInFlight.remove(outcome.key)
    bytesInFlight -= outcome.bytes
    switch outcome.result {
    case .success(true): counts.written += 1
    case .success(false): counts.kept += 1
    case .failure(let error) where error.code == .invalidArgument && options.skipsInvalid:
      noteSkipped(outcome.lineNumber, error.message)
    case .failure(let error):
      if outcome.lineNumber < callFailure?.lineNumber ?? .max {
        callFailure = (outcome.lineNumber, error)
      }
    }
  }
}
