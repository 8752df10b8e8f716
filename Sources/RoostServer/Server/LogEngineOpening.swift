import Glibc
import Logging
import RoostStore

extension LogEngine {
  /// A process whose log cannot be trusted any more ends with this: EX_IOERR of sysexits.h.
  static let ioErrorStatus: Int32 = 74

  /// Opens the engine that a configuration describes, and tells what it finds.
  static func open(
    _ configuration: ServerConfiguration, _ logger: Logger
  ) throws(LogError) -> LogEngine {
    var settings = LogEngineConfiguration(directory: configuration.dataDirectory)
    settings.memory = MemoryEngineConfiguration(configuration, logger)
    settings.policy = configuration.sync
    settings.intervalMillis = Int64(configuration.syncInterval / .milliseconds(1))
    settings.snapshotLogBytes = configuration.snapshotLogBytes
    settings.snapshotBytesPerSecond = Int(configuration.snapshotBytesPerSecond)
    settings.loopCount = configuration.threads
    settings.onFatal = { error in
      // Nothing may be acknowledged from here on, not even by another thread.
      let text = "roostd: the log failed and is not trusted any more: \(error)\n"
      _ = text.withCString { write(STDERR_FILENO, $0, strlen($0)) }
      _exit(ioErrorStatus)
    }
    settings.onEvent = { logger.log($0) }
    let progress = RecoveryProgressLines("loading")
    settings.onProgress = { progress.note($0) }
    let engine = try LogEngine(settings)
    logger.log(engine.report)
    return engine
  }
}

extension Logger {
  /// What an engine does beside its calls.
  fileprivate func log(_ event: EngineEvent) {
    switch event {
    case .snapshotTaken(let summary):
      info(
        "snapshot taken",
        metadata: [
          "file": "\(summary.name)", "entries": "\(summary.entryCount)",
          "bytes": "\(summary.fileBytes)", "milliseconds": "\(summary.durationMillis)",
        ])
    case .snapshotFailed(let reason):
      error("no snapshot could be taken", metadata: ["reason": "\(reason)"])
    case .writesRefused(let reason):
      error("writes are refused until the disk takes them", metadata: ["reason": "\(reason)"])
    case .writesTaken: notice("the disk takes writes again")
    case .slowSync(let millis):
      warning("a sync of the log was slow", metadata: ["milliseconds": "\(millis)"])
    }
  }

  /// What a start found.
  fileprivate func log(_ report: RecoveryReport) {
    for damage in report.damagedSnapshots {
      error("a damaged snapshot was passed over", metadata: ["reason": "\(damage)"])
    }
    if let cut = report.cut {
      warning(
        "the end of the log was cut off: nobody was told that it is durable",
        metadata: [
          "file": "\(cut.file)", "offset": "\(cut.offset)", "bytes": "\(cut.bytes)",
          "reason": "\(cut.reason)",
        ])
    }
    info(
      "data loaded",
      metadata: [
        "entries": "\(report.entryCount)", "snapshot": "\(report.snapshot ?? "none")",
        "records": "\(report.recordCount)",
        "milliseconds": "\(Int(report.duration / .milliseconds(1)))",
      ])
  }
}
