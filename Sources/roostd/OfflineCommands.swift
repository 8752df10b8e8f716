import ArgumentParser
import RoostServer
import RoostStore

/// `roostd check`.
struct Check: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "check",
    abstract: "Verify the data of a server that is stopped, to the last byte.",
    discussion: """
      Reads the snapshots and the log as a start would, and changes nothing.
      Exits 0 where all is right, and 65 where data is damaged.

      Examples:
        roostd check ~/.local/state/roost
        roostd check /backup/roost-2026-11-21
      """)

  @Argument(help: ArgumentHelp("The data directory, or a copy of one.", valueName: "DIR"))
  var directory: String

  func run() throws {
    let lines = RecoveryProgressLines("checking")
    let report = try reportingLog { () throws(LogError) in
      try StoreFiles.check(directory) { lines.note($0) }
    }
    let recovery = report.recovery
    for damage in recovery.damagedSnapshots { say("roostd: \(damage)") }
    try answer("entries    \(recovery.entryCount)")
    try answer("revision   \(report.revision)")
    try answer("snapshots  \(report.snapshots.count), \(recovery.damagedSnapshots.count) damaged")
    try answer("log        \(report.segmentCount) segments, \(recovery.recordCount) records")
    if let cut = recovery.cut {
      try answer(
        "cut        \(cut.bytes) bytes from offset \(cut.offset) of \(cut.file) on were never"
          + " durable: \(cut.reason)")
    }
    if !recovery.damagedSnapshots.isEmpty { throw ExitStatus.damagedData }
  }
}

/// `roostd repair`.
struct Repair: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "repair",
    abstract: "Save what is valid of damaged data into a new directory.",
    discussion: """
      The damaged directory is not touched. What is lost is listed: file, offset,
      bytes, reason. Prefer a backup where there is one.

      Examples:
        roostd repair ~/.local/state/roost --into /srv/roost-repaired
      """)

  @Argument(help: ArgumentHelp("The damaged data directory.", valueName: "DIR"))
  var directory: String

  @Option(help: ArgumentHelp("A directory that is not there yet, or empty.", valueName: "NEW"))
  var into: String

  func run() throws {
    let report = try reportingLog { () throws(LogError) in
      try StoreFiles.repair(directory, into: into)
    }
    for loss in report.losses {
      try answer("lost  \(loss.file) at \(loss.offset), \(loss.bytes) bytes: \(loss.reason)")
    }
    try answer(
      "saved \(report.copy.entryCount) entries, \(report.recordCount) records of the log,"
        + " into \(into)")
    say("Tokens are not data: copy tokens.json and admin.token yourself.")
  }
}

/// `roostd restore`.
struct Restore: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "restore",
    abstract: "Make a data directory of one snapshot file.",
    discussion: """
      The result is the store at the moment when the snapshot was finished.

      Examples:
        roostd restore /backup/snapshot-000000000001a2b3 --data-dir /srv/roost
      """)

  @Argument(help: ArgumentHelp("A snapshot file.", valueName: "SNAPSHOT"))
  var snapshot: String

  @Option(help: ArgumentHelp("A directory that is not there yet, or empty.", valueName: "NEW"))
  var dataDir: String

  func run() throws {
    let copy = try reportingLog { () throws(LogError) in
      try StoreFiles.restore(snapshot: snapshot, into: dataDir)
    }
    try answer("restored \(copy.entryCount) entries into \(dataDir)")
    say("Start it with: roostd --data-dir \(dataDir)")
  }
}

/// Runs what works on the data's files; its errors become a message and an exit code.
private func reportingLog<Value>(
  _ body: () throws(LogError) -> Value
) throws -> Value {
  do throws(LogError) {
    return try body()
  } catch {
    throw failure(exitStatus(of: error), error.description)
  }
}
