import ArgumentParser
import RoostAPI

/// `roost export`
struct ExportCommand: StoreCommand {
  static let configuration = CommandConfiguration(
    commandName: "export",
    abstract: "Writes entries as lines of JSON that import reads.",
    usage: "roost export [--prefix <text>] [--file <path>] [options]",
    discussion: """
      A header, a line for each entry with type, times and revisions, and a trailer, so that a \
      file that is cut short is noticed. Any key and value comes back as it was: bytes that are \
      not UTF-8 are {"base64":"…"}. --file writes <path>.tmp, and gives it its name once it is \
      whole and on the disk.

      A key that is there all the time is written exactly once. Keys that change meanwhile are \
      written as they were at some moment of the export: for one instant of the whole store \
      take a snapshot. The summary goes to standard error; -o json makes it JSON, on standard \
      output where the export goes to a file.

      EXAMPLES:
        roost export --file backup.ndjson
        roost export --prefix user: | zstd > users.ndjson.zst
        roost export | jq -r 'select(.type == "int") | .key'
        roost export --endpoint old:7667 | roost import --endpoint new:7667
      """)

  @Option(help: ArgumentHelp("Keys that begin with this.", valueName: "text"))
  var prefix: String?

  @Option(
    help: ArgumentHelp("Write to this file, not to standard output.", valueName: "path"),
    completion: .file())
  var file: String?

  @OptionGroup(title: "Global options") var options: GlobalOptions

  func execute(_ context: CommandContext) async throws -> ExitStatus {
    let range = KeyRange(prefix: try prefix.map(context.arguments.bytes) ?? [])
    // Asked first: a server that refuses leaves no file behind.
    let status = try await context.admin.status(StatusRequest(), options: context.callOptions)
    let header = ExportHeader(
      serverVersion: status.version, revision: status.revision,
      exportedAtMs: WallClock.nowMillis(), prefix: range.prefix)
    let isOnScreen = (file == nil || file == "-") && context.terminal.outputIsTerminal
    var progress = isOnScreen ? nil : TransferProgress(context, verb: "exporting")
    var total: Int64 = 0
    if progress != nil, TransferProgress.isPossible(context) {
      total = try await context.kv.count(CountRequest(range: range), options: context.callOptions)
        .count
    }
    var output = try ExportFile(path: file)
    Interrupt.watch()
    let startNanos = MonotonicClock.nowNanos()
    var count: Int64 = 0
    do {
      try output.write(Self.line { $0.exportHeader(header) })
      var pages = ScanPages(context, request: ScanRequest(range: range), limit: 0)
      let large = try LargeValueReader(context)
      while let page = try await pages.next() {
        for entry in page {
          try Interrupt.check()
          guard let entry = entry.valueOmitted ? try await large.entry(entry.key) : entry else {
            continue
          }
          try output.write(try Self.line(entry))
          count += 1
          progress?.update(
            entries: count, fraction: total > 0 ? Double(count) / Double(total) : nil)
        }
        // Whoever reads a pipe gets what there is.
        try output.flush()
      }
      try output.write(Self.line { $0.exportTrailer(entryCount: count) })
      try output.commit()
    } catch {
      progress?.clear()
      output.abandon()
      throw failure(error, count, context)
    }
    progress?.clear()
    try report(count, output.byteCount, MonotonicClock.nowNanos() - startNanos, context)
    return .success
  }

  private static func line(_ body: (inout JSONWriter) -> Void) -> [UInt8] {
    var json = JSONWriter()
    body(&json)
    return json.bytes + [0x0a]
  }

  private static func line(_ entry: Entry) throws(CommandFailure) -> [UInt8] {
    guard let kind = entry.value?.kind else {
      throw CommandFailure(
        .other, "'\(EscapedText.line(entry.key))' has a value of a type that roost does not know",
        advice: "The server is newer: export with a roost of its version.")
    }
    return line { $0.exportEntry(entry, kind) }
  }

  /// What ended the export early, with what became of the output.
  private func failure(_ error: any Error, _ count: Int64, _ context: CommandContext) -> any Error {
    if error is OutputClosed { return error }
    let isFile = file != nil && file != "-"
    context.note(
      "the export ended after \(count) entries: "
        + (isFile ? "no file was written\n" : "its output has no trailer\n"))
    return error is Interrupted ? CommandFailure(.other, "interrupted") : error
  }

  private func report(
    _ count: Int64, _ bytes: Int64, _ elapsedNanos: UInt64, _ context: CommandContext
  ) throws {
    let summary = TransferSummary(
      sentence: "exported \(TransferRate.text(count, elapsedNanos)), \(ByteCount.text(bytes))",
      fields: [
        ("entries", .integer(count)), ("bytes", .integer(bytes)),
        ("elapsedMs", .integer(Int64(elapsedNanos / 1_000_000))),
      ])
    try summary.report(context, outputIsFree: file != nil && file != "-")
  }
}
