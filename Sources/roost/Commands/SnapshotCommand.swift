import ArgumentParser
import RoostAPI

/// `roost snapshot`
struct SnapshotCommand: StoreCommand {
  static let configuration = CommandConfiguration(
    commandName: "snapshot",
    abstract: "Takes a snapshot of all data now, and waits for it.",
    usage: "roost snapshot [options]",
    discussion: """
      Needs a token with the admin action. The server keeps the two newest snapshots in its data \
      directory; copy one elsewhere for a backup. Simple output is a line for each field, with a \
      tab before the value. Waits for up to an hour unless --timeout says otherwise.

      EXAMPLES:
        roost snapshot
        roost snapshot -o json
      """)

  @OptionGroup(title: "Global options") var options: GlobalOptions

  func execute(_ context: CommandContext) async throws -> ExitStatus {
    var callOptions = try context.callOptions
    if options.timeout == nil { callOptions.timeout = .seconds(3600) }
    let snapshot = try await context.admin.snapshot(SnapshotRequest(), options: callOptions)
    let sheet = FieldSheet([
      .init("revision", .integer(snapshot.revision)),
      .init("entryCount", .integer(snapshot.entryCount)),
      .init(
        "fileBytes", .integer(snapshot.fileBytes), shown: ByteCount.text(snapshot.fileBytes)),
      .init(
        "durationMs", .integer(snapshot.durationMs),
        shown: DurationText.text(milliseconds: snapshot.durationMs)),
    ])
    try context.output.write(sheet.rendered(context.presentation(terminalDefault: .table)))
    return .success
  }
}
