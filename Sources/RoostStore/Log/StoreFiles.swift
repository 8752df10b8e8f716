#if canImport(Glibc)
  import Glibc
#endif

/// What can be done with a data directory that no server has open. The original is never touched.
public enum StoreFiles {
  /// Reads everything in a directory as a start would, and both snapshots to their last byte.
  /// - Throws: `LogError`, what would keep a server from starting.
  public static func check(
    _ path: String, onProgress: @escaping @Sendable (RecoveryProgress) -> Void = { _ in }
  ) throws(LogError) -> CheckReport {
    let folder = try DataFolder(path)
    let lock = try DirectoryLock(folder, creates: false)
    defer { withExtendedLifetime(lock) {} }
    let names = try folder.names()
    let snapshots = names.filter { SnapshotFormat.startSequence(ofName: $0) != nil }
    let segments = names.filter { LogFormat.firstSequence(ofSegment: $0) != nil }
    if snapshots.isEmpty && segments.isEmpty {
      throw .notPossible("\(path) holds no data: there is neither a log nor a snapshot in it")
    }
    let sizes = try snapshots.map { name throws(LogError) in try size(of: name, in: folder) }
    let snapshotBytes = sizes.reduce(0, +)
    var progress = RecoveryProgress(
      bytesDone: 0, bytesTotal: snapshotBytes + (sizes.last ?? 0), itemCount: 0)
    for name in segments { progress.bytesTotal += try size(of: name, in: folder) }
    var damaged: [String] = []
    for name in snapshots {
      do throws(LogError) {
        try SnapshotFile(in: folder, name).forEachBlock { block throws(LogError) in
          progress.bytesDone += Int64(block.fileBytes)
          if block.kind == .entries { progress.itemCount += UInt64(block.entryCount) }
          onProgress(progress)
        }
      } catch {
        guard case .damaged = error else { throw error }
        damaged.append("\(error)")
      }
    }
    let memory = RestartableEngine(MemoryEngineConfiguration())
    var recovery = try Recovery(
      path, isReadOnly: true, makeShards: { memory.restart() }, keepAnswer: { _, _ in },
      onProgress: { step in
        var step = step
        step.bytesDone += snapshotBytes
        step.bytesTotal += snapshotBytes
        onProgress(step)
      })
    let outcome = try recovery.run()
    var report = CheckReport(
      recovery: outcome.report, snapshots: snapshots, segmentCount: segments.count,
      revision: outcome.lastRevision)
    report.recovery.damagedSnapshots = damaged
    return report
  }

  /// Makes a data directory of one snapshot file: the store as it was when that was finished.
  /// - Parameter target: must not be there, or be empty.
  public static func restore(
    snapshot path: String, into target: String
  ) throws(LogError) -> StoreCopy {
    let (directory, name) = split(path)
    let snapshot = try SnapshotFile(in: try DataFolder(directory), name)
    let memory = RestartableEngine(MemoryEngineConfiguration())
    let shards = memory.restart()
    let replay = LogReplay(
      shards, snapshotRevision: snapshot.footer.lastRevision,
      revisionLimit: snapshot.footer.revisionLimit,
      keepAnswer: { memory.keepAnswer($0, revision: $1) })
    try snapshot.forEachBlock { block throws(LogError) in
      switch block.kind {
      case .entries: try Recovery.restore(block, name, into: shards)
      case .answers:
        SnapshotFormat.forEachAnswer(in: block.raw) { memory.keepAnswer($0, revision: 0) }
      case .records:
        for record in LoggedRecords(block.raw) { try replay.apply(record, file: name) }
      }
    }
    return try write(
      memory.engine, into: target,
      lastRevision: max(replay.lastRevision, snapshot.footer.revisionLimit))
  }

  private static func size(
    of name: String, in folder: borrowing DataFolder
  ) throws(LogError) -> Int64 {
    try DataFile(folder, name, flags: O_RDONLY).byteCount()
  }

  /// A path's folder and its last part.
  static func split(_ path: String) -> (directory: String, name: String) {
    guard let slash = path.lastIndex(of: "/") else { return (".", path) }
    let directory = slash == path.startIndex ? "/" : String(path[..<slash])
    return (directory, String(path[path.index(after: slash)...]))
  }

  /// Writes an engine's entries, and the answers that it keeps, as a new store.
  static func write(
    _ engine: MemoryEngine, into target: String, lastRevision: Int64
  ) throws(LogError) -> StoreCopy {
    try DataFolder.create(target)
    let folder = try DataFolder(target)
    guard try folder.names().isEmpty else {
      throw .notPossible("\(target) is not empty: name a directory that is not there yet")
    }
    let lock = try DirectoryLock(folder)
    defer { withExtendedLifetime(lock) {} }
    let header = SnapshotHeader(
      storeID: .random(), startSequence: 1, createdAtMillis: SystemStoreClock().wallMillis)
    let segment = try OpenSegment(in: folder, storeID: header.storeID, firstSequence: 1)
    try segment.file.sync()
    let file = try SnapshotWriter(in: folder, header, bytesPerSecond: 0)
    do throws(LogError) {
      var walk = SnapshotWalk(engine.shards, engine.time)
      try walk.run { image throws(LogError) in try file.append(.entries, image) }
      engine.answers.finishLoading(now: engine.time.now)
      try file.append(answersOf: engine.answers)
      let footer = try file.finish(
        lastRevision: lastRevision, endSequence: 1, revisionLimit: lastRevision)
      _ = try file.publish()
      return StoreCopy(entryCount: Int(footer.entryCount), revision: lastRevision)
    } catch {
      file.abandon()
      throw error
    }
  }
}

/// What a check found.
public struct CheckReport: Sendable, Hashable {
  /// What a start would find.
  public var recovery: RecoveryReport
  /// The snapshots' names.
  public var snapshots: [String]
  /// Of the log.
  public var segmentCount: Int
  /// The newest revision.
  public var revision: Int64
}

/// What was written to a new data directory.
public struct StoreCopy: Sendable, Hashable {
  /// Entries in it.
  public var entryCount: Int
  /// The newest revision that may have been issued.
  public var revision: Int64
}

/// Records one behind the other, each with its header. Ends before what is no whole record.
struct LoggedRecords: Sequence, IteratorProtocol {
  private var rest: UnsafeRawBufferPointer

  init(_ bytes: UnsafeRawBufferPointer) { rest = bytes }

  mutating func next() -> UnsafeRawBufferPointer? {
    guard rest.count >= LogFormat.recordHeaderBytes else { return nil }
    let bodyBytes = Int(rest.loadUnaligned(as: UInt32.self))
    let bytes = LogFormat.recordHeaderBytes + bodyBytes
    guard bodyBytes <= LogFormat.maxBodyBytes, rest.count >= bytes else { return nil }
    defer { rest = UnsafeRawBufferPointer(rebasing: rest[bytes...]) }
    return UnsafeRawBufferPointer(rebasing: rest[..<bytes])
  }
}
