import CLinux

#if canImport(Glibc)
  import Glibc
#endif

/// What a repair could save, and what it could not.
public struct RepairReport: Sendable, Hashable {
  /// What was written.
  public var copy: StoreCopy
  /// Records of the log that were applied.
  public var recordCount: UInt64 = 0
  /// Each place that was lost: file, offset, bytes, reason.
  public var losses: [Loss] = []

  /// Bytes that nothing could be read from.
  public struct Loss: Sendable, Hashable {
    /// The file's name.
    public var file: String
    /// Where they begin.
    public var offset: Int64
    /// How many there are; 0 where what is missing is not in the file.
    public var bytes: Int64
    /// What is wrong.
    public var reason: String
  }
}

extension StoreFiles {
  /// Saves what is valid in a damaged directory into a new one. What depended on lost records may
  /// be older than it was; nothing that was not written before comes up.
  public static func repair(
    _ path: String, into target: String
  ) throws(LogError) -> RepairReport {
    let folder = try DataFolder(path)
    let lock = try DirectoryLock(folder, creates: false)
    defer { withExtendedLifetime(lock) {} }
    var repair = StoreRepair(folder)
    try repair.readSnapshot()
    try repair.readLog()
    let copy = try write(repair.engine, into: target, lastRevision: repair.lastRevision)
    return RepairReport(
      copy: copy, recordCount: repair.recordCount, losses: repair.losses)
  }
}

/// Collects what is valid in a directory. One thread's.
private struct StoreRepair: ~Copyable {
  private let folder: DataFolder
  private let memory = RestartableEngine(MemoryEngineConfiguration())
  private var shards: ShardArray
  private var startSequence: UInt64 = 1
  private(set) var lastRevision: Int64 = 0
  private(set) var recordCount: UInt64 = 0
  private(set) var losses: [RepairReport.Loss] = []

  var engine: MemoryEngine { memory.engine }

  init(_ folder: consuming DataFolder) {
    self.folder = folder
    shards = memory.restart()
  }

  /// Takes the newest snapshot that is whole, else what is valid of the newest.
  mutating func readSnapshot() throws(LogError) {
    let names = try folder.names().filter { SnapshotFormat.startSequence(ofName: $0) != nil }
    for name in names.reversed() {
      if try read(name) { return }
    }
    if let newest = names.last, names.count > 1 { _ = try read(newest, keepsLosses: true) }
  }

  /// - Returns: whether the snapshot is whole, or its losses are to be lived with.
  private mutating func read(_ name: String, keepsLosses: Bool = false) throws(LogError) -> Bool {
    shards = memory.restart()
    let (target, memory) = (shards, memory)
    let salvage = try SnapshotFile.salvageBlocks(in: folder, name) { block throws(LogError) in
      switch block.kind {
      case .entries: try Recovery.restore(block, name, into: target)
      case .answers:
        SnapshotFormat.forEachAnswer(in: block.raw) { memory.keepAnswer($0, revision: 0) }
      case .records: break
      }
    }
    for loss in salvage.losses where !keepsLosses {
      losses.append(
        RepairReport.Loss(
          file: name, offset: loss.offset, bytes: loss.byteCount, reason: loss.reason))
    }
    startSequence = salvage.header?.startSequence ?? SnapshotFormat.startSequence(ofName: name) ?? 1
    lastRevision = max(
      salvage.footer?.revisionLimit ?? 0, salvage.footer?.lastRevision ?? 0, lastRevision)
    return salvage.losses.isEmpty || keepsLosses
  }

  /// Applies each valid record from the snapshot's start on.
  mutating func readLog() throws(LogError) {
    let replay = LogReplay(
      shards, snapshotRevision: .max, revisionLimit: lastRevision,
      keepAnswer: { [memory] in memory.keepAnswer($0, revision: $1) })
    var expected = startSequence
    for name in try folder.names() {
      guard let first = LogFormat.firstSequence(ofSegment: name) else { continue }
      if first > expected, expected > 0 {
        losses.append(
          RepairReport.Loss(
            file: name, offset: 0, bytes: 0,
            reason: "records \(expected) to \(first - 1), which come before it, are missing"))
      }
      expected = max(expected, try read(name, from: first, replay))
    }
    recordCount = replay.recordCount
    lastRevision = max(lastRevision, replay.lastRevision, replay.revisionLimit)
  }

  /// - Returns: the sequence behind the last record.
  private mutating func read(
    _ name: String, from first: UInt64, _ replay: LogReplay
  ) throws(LogError) -> UInt64 {
    let file = try DataFile(folder, name, flags: O_RDONLY)
    let byteCount = Int(try file.byteCount())
    let memory = UnsafeMutableRawBufferPointer.allocate(
      byteCount: max(byteCount, 1), alignment: 64)
    defer { memory.deallocate() }
    let count = try file.read(
      into: UnsafeMutableRawBufferPointer(rebasing: memory[..<byteCount]), at: 0)
    let bytes = UnsafeRawBufferPointer(rebasing: memory[..<count])
    var expected = first
    var offset = min(LogFormat.segmentHeaderBytes, count)
    var lossStart: Int?
    while offset < count {
      guard let (record, sequence) = Self.record(in: bytes, at: offset, from: expected) else {
        lossStart = lossStart ?? offset
        offset += 1
        continue
      }
      noteLoss(name, &lossStart, offset)
      expected = sequence + 1
      if sequence >= startSequence { apply(record, name, offset, replay) }
      offset += record.count
    }
    noteLoss(name, &lossStart, count)
    return expected
  }

  private mutating func noteLoss(_ name: String, _ start: inout Int?, _ end: Int) {
    guard let from = start else { return }
    start = nil
    losses.append(
      RepairReport.Loss(
        file: name, offset: Int64(from), bytes: Int64(end - from),
        reason: "there is no whole record"))
  }

  private mutating func apply(
    _ record: UnsafeRawBufferPointer, _ name: String, _ offset: Int, _ replay: LogReplay
  ) {
    do throws(LogError) {
      try replay.apply(record, file: name, offset: Int64(offset))
    } catch {
      losses.append(
        RepairReport.Loss(
          file: name, offset: Int64(offset), bytes: Int64(record.count), reason: "\(error)"))
    }
  }

  /// The record at an offset, where there is a whole one that comes after those before.
  private static func record(
    in bytes: UnsafeRawBufferPointer, at offset: Int, from expected: UInt64
  ) -> (UnsafeRawBufferPointer, UInt64)? {
    let left = bytes.count - offset
    guard left >= LogFormat.recordHeaderBytes, let base = bytes.baseAddress else { return nil }
    let start = base + offset
    let bodyBytes = Int(start.loadUnaligned(as: UInt32.self))
    let sequence = start.loadUnaligned(
      fromByteOffset: LogFormat.sequenceOffset, as: UInt64.self)
    // Cheap tests first: this is asked at each byte of what is damaged.
    guard bodyBytes <= left - LogFormat.recordHeaderBytes, bodyBytes <= LogFormat.maxBodyBytes,
      sequence >= expected, sequence - expected < 1 << 32,
      LogFormat.Kind(
        rawValue: start.load(fromByteOffset: LogFormat.kindOffset, as: UInt8.self)) != nil,
      LogFormat.checksum(unsafe: start, bodyBytes: bodyBytes)
        == start.loadUnaligned(fromByteOffset: LogFormat.checksumOffset, as: UInt32.self)
    else { return nil }
    let count = LogFormat.recordHeaderBytes + bodyBytes
    return (UnsafeRawBufferPointer(start: start, count: count), sequence)
  }
}
