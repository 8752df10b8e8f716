import Synchronization

#if canImport(Glibc)
  import Glibc
#endif

/// What a start found in a data directory.
public struct RecoveryReport: Sendable, Hashable {
  /// The snapshot that was loaded; `nil`: there is none.
  public var snapshot: String?
  /// Snapshots that were passed over because they are damaged, each with the reason.
  public var damagedSnapshots: [String] = []
  /// Entries of the snapshot.
  public var snapshotEntries: UInt64 = 0
  /// Records of the log that were replayed.
  public var recordCount: UInt64 = 0
  /// Where the log was cut: what a crash had left of records that nobody was told of.
  public var cut: Cut?
  /// Entries that there are now.
  public var entryCount: Int = 0
  /// How long it took.
  public var duration: Duration = .zero

  /// The end of a log that was not whole.
  public struct Cut: Sendable, Hashable {
    /// The segment.
    public var file: String
    /// Where the first record began that is not whole.
    public var offset: Int64
    /// What was cut off there and in later segments, in bytes.
    public var bytes: Int64
    /// What is wrong with the record.
    public var reason: String
  }
}

/// How far a start has got.
public struct RecoveryProgress: Sendable {
  /// Read so far, of snapshot and log.
  public var bytesDone: Int64
  /// To be read in all.
  public var bytesTotal: Int64
  /// Entries and records so far.
  public var itemCount: UInt64
}

/// Loads a data directory into an engine's shards. With `isReadOnly` nothing on the disk is
/// touched.
struct Recovery: ~Copyable {
  /// What the log goes on with.
  struct Outcome {
    var storeID: StoreID?
    var nextSequence: UInt64 = 1
    var lastRevision: Int64 = 0
    var revisionLimit: Int64 = 0
    /// The segment to go on with, and where it ends; `nil`: a new one.
    var openSegment: (firstSequence: UInt64, endOffset: Int64)?
    var finishedBytes: Int64 = 0
    var snapshotBytes: Int64 = 0
    var snapshotStart: UInt64?
    var report = RecoveryReport()
  }

  private let folder: DataFolder
  private let isReadOnly: Bool
  private let makeShards: () -> ShardArray
  private let keepAnswer: (UnsafeRawBufferPointer, Int64) -> Void
  private let onProgress: @Sendable (RecoveryProgress) -> Void
  private(set) var outcome = Outcome()
  private var shards: ShardArray
  private var startSequence: UInt64 = 1
  private var snapshotRevision: Int64 = 0
  /// What is below was durable when the snapshot was taken.
  private var snapshotEnd: UInt64 = 0
  private var bytesDone: Int64 = 0
  private var bytesTotal: Int64 = 0

  /// - Parameters:
  ///   - makeShards: gives the shards to load into, empty each time.
  ///   - keepAnswer: takes each answer that the log or a snapshot kept, with its revision.
  init(
    _ path: String, isReadOnly: Bool, makeShards: @escaping () -> ShardArray,
    keepAnswer: @escaping (UnsafeRawBufferPointer, Int64) -> Void,
    onProgress: @escaping @Sendable (RecoveryProgress) -> Void
  ) throws(LogError) {
    folder = try DataFolder(path)
    self.isReadOnly = isReadOnly
    self.makeShards = makeShards
    self.keepAnswer = keepAnswer
    self.onProgress = onProgress
    shards = makeShards()
  }

  /// Loads everything.
  mutating func run() throws(LogError) -> Outcome {
    let names = try folder.names()
    let segments = names.compactMap(LogFormat.firstSequence(ofSegment:)).sorted()
    let snapshots = names.compactMap(SnapshotFormat.startSequence(ofName:)).sorted()
    if !isReadOnly { try folder.remove(SnapshotFormat.temporaryName) }
    for segment in segments {
      let name = LogFormat.segmentName(firstSequence: segment)
      bytesTotal += try DataFile(folder, name, flags: O_RDONLY).byteCount()
    }
    try loadNewestSnapshot(snapshots.reversed(), segments)
    if segments.isEmpty && snapshots.isEmpty { return outcome }
    try replay(segments)
    for index in 0..<shards.count { outcome.report.entryCount += shards[index].pointee.table.count }
    return outcome
  }

  // MARK: Snapshots

  private mutating func loadNewestSnapshot(
    _ newestFirst: [UInt64], _ segments: [UInt64]
  ) throws(LogError) {
    var firstFault: LogError?
    for start in newestFirst {
      do throws(LogError) {
        return try load(SnapshotFormat.name(startSequence: start))
      } catch {
        guard case .damaged = error else { throw error }
        outcome.report.damagedSnapshots.append("\(error)")
        firstFault = firstFault ?? error
        shards = makeShards()
        outcome.snapshotStart = nil
      }
    }
    // Without a snapshot all of the log is needed.
    if let first = segments.first, first > 1 || newestFirst.isEmpty == false && first != 1 {
      throw firstFault
        ?? .missingSegment(
          firstSequence: 1, before: LogFormat.segmentName(firstSequence: first))
    }
    if segments.isEmpty, let firstFault { throw firstFault }
  }

  private mutating func load(_ name: String) throws(LogError) {
    let snapshot = try SnapshotFile(in: folder, name)
    try checkStore(snapshot.header.storeID, name)
    bytesTotal += snapshot.fileBytes
    let (shards, total, onProgress) = (shards, bytesTotal, onProgress)
    let entries = snapshot.footer.entryCount
    let bytes = max(snapshot.fileBytes, 1)
    let answers = AnswerCollector()
    try snapshot.readBlocks(threads: ParallelWork.workerCount()) {
      (_, block) throws(LogError) in
      switch block.kind {
      case .entries: try Self.restore(block, name, into: shards)
      case .answers: answers.add(block.raw)
      case .records: break
      }
    } progress: { done in
      let share = UInt64(Double(entries) * Double(done) / Double(bytes))
      onProgress(RecoveryProgress(bytesDone: done, bytesTotal: total, itemCount: share))
    }
    answers.forEach { keepAnswer($0, 0) }
    bytesDone += snapshot.fileBytes
    startSequence = snapshot.header.startSequence
    snapshotRevision = snapshot.footer.lastRevision
    snapshotEnd = snapshot.footer.endSequence
    outcome.report.snapshot = name
    outcome.report.snapshotEntries = entries
    outcome.snapshotBytes = snapshot.fileBytes
    outcome.snapshotStart = startSequence
    outcome.lastRevision = snapshotRevision
    outcome.revisionLimit = snapshot.footer.revisionLimit
  }

  private mutating func checkStore(_ id: StoreID, _ name: String) throws(LogError) {
    if let known = outcome.storeID, known != id { throw .foreignFile(file: name) }
    outcome.storeID = id
  }

  /// Puts the entries of a block; on any thread.
  static func restore(
    _ block: SnapshotBlock, _ name: String, into shards: ShardArray
  ) throws(LogError) {
    var rest = block.raw
    for _ in 0..<block.entryCount {
      let image: EntryImage
      do throws(LoggedChange.Fault) {
        image = try EntryImage(prefixOf: rest)
      } catch {
        throw .damaged(file: name, offset: block.offset, reason: error.reason)
      }
      let key = image.key
      let hash = shards.hasher.hash(key.baseAddress.unsafelyUnwrapped, key.count)
      let index = shards.index(hash)
      shards.lock(index)
      shards[index].pointee.restore(image, hash: hash, revision: image.revision)
      shards.unlock(index)
      rest = UnsafeRawBufferPointer(rebasing: rest[image.bytes.count...])
    }
    if !rest.isEmpty {
      throw .damaged(file: name, offset: block.offset, reason: "bytes behind the entries")
    }
  }

  // MARK: The log

  private mutating func replay(_ segments: [UInt64]) throws(LogError) {
    // A snapshot's start begins a segment, which is durable before the snapshot is.
    guard let first = segments.firstIndex(of: startSequence) else {
      let next = segments.first { $0 > startSequence }
      throw .missingSegment(
        firstSequence: startSequence,
        before: next.map { LogFormat.segmentName(firstSequence: $0) } ?? "the end")
    }
    let replay = LogReplay(
      shards, snapshotRevision: snapshotRevision, revisionLimit: outcome.revisionLimit,
      keepAnswer: keepAnswer)
    var expected = segments[first]
    var index = first
    while index < segments.count {
      if segments[index] != expected {
        try endAtGap(expected, segments, index)
        break
      }
      guard let end = try replaySegment(segments, index, replay) else { break }
      expected = end
      index += 1
    }
    if outcome.nextSequence < max(startSequence, snapshotEnd) {
      throw .missingSegment(firstSequence: outcome.nextSequence, before: "the end")
    }
    outcome.lastRevision = max(outcome.lastRevision, replay.lastRevision)
    outcome.revisionLimit = replay.revisionLimit
    guard max(outcome.lastRevision, outcome.revisionLimit) < LogFormat.maxRevision else {
      throw .damaged(
        file: LogFormat.segmentName(firstSequence: segments[first]), offset: 0,
        reason: "it holds a revision that no store ever reaches")
    }
    outcome.report.recordCount = replay.recordCount
    try countFinished(segments)
  }

  /// - Returns: the next segment's first sequence; `nil`: the log ends in this one.
  private mutating func replaySegment(
    _ segments: [UInt64], _ index: Int, _ replay: LogReplay
  ) throws(LogError) -> UInt64? {
    let name = LogFormat.segmentName(firstSequence: segments[index])
    let reader: SegmentReader
    do throws(LogError) {
      reader = try SegmentReader(in: folder, name)
    } catch {
      guard case .damaged(_, let offset, let reason) = error else { throw error }
      try cut(segments, index, at: offset, reason, sequence: segments[index], nil)
      return nil
    }
    try checkStore(reader.header.storeID, name)
    guard reader.header.firstSequence == segments[index] else {
      throw .damaged(file: name, offset: 32, reason: "the name is not that of its first sequence")
    }
    var positions: [SegmentReader.Position] = []
    while try reader.readBatch(&positions) {
      let skipped = positions.prefix { $0.sequence < startSequence }.count
      if skipped > 0 { positions.removeFirst(skipped) }
      try replay.apply(positions, of: reader)
      let done = bytesDone + reader.nextOffset
      onProgress(
        RecoveryProgress(
          bytesDone: done, bytesTotal: bytesTotal,
          itemCount: outcome.report.snapshotEntries + replay.recordCount))
    }
    bytesDone += reader.fileBytes
    outcome.nextSequence = reader.nextSequence
    outcome.openSegment = (segments[index], reader.nextOffset)
    if case .invalid(let offset, let reason) = reader.end {
      try cut(segments, index, at: offset, reason, sequence: reader.nextSequence, reader)
      return nil
    }
    return reader.nextSequence
  }

  /// The log does not go on at a sequence: fine where nobody was told of what came there.
  private mutating func endAtGap(
    _ sequence: UInt64, _ segments: [UInt64], _ index: Int
  ) throws(LogError) {
    let next = LogFormat.segmentName(firstSequence: segments[index])
    if segments[index] < sequence {
      throw .damaged(file: next, offset: 32, reason: "the segment begins within the one before")
    }
    if try max(highestMark(segments, from: index), snapshotEnd) > sequence {
      throw .missingSegment(firstSequence: sequence, before: next)
    }
    let bytes = try removeSegments(segments[index...])
    outcome.report.cut = RecoveryReport.Cut(
      file: next, offset: 0, bytes: bytes, reason: "the records before it are missing")
  }

  /// Ends the log at the first record that is not whole, or refuses to.
  /// - Parameters:
  ///   - sequence: of that record.
  ///   - reader: of the segment; `nil`: not even its header is whole.
  private mutating func cut(
    _ segments: [UInt64], _ index: Int, at offset: Int64, _ reason: String, sequence: UInt64,
    _ reader: SegmentReader?
  ) throws(LogError) {
    let name = LogFormat.segmentName(firstSequence: segments[index])
    var mark = max(try highestMark(segments, from: index + 1), snapshotEnd)
    let file = try DataFile(folder, name, flags: O_RDONLY)
    mark = max(mark, try SegmentReader.highestMark(in: file, from: offset, of: outcome.storeID))
    let isOfSnapshot = outcome.snapshotStart == sequence && reader == nil
    if mark > sequence || isOfSnapshot {
      throw .damaged(file: name, offset: offset, reason: reason)
    }
    var bytes = try removeSegments(segments[(index + 1)...])
    if let reader {
      bytes += reader.fileBytes - offset
      outcome.openSegment = (segments[index], offset)
    } else {
      bytes += try removeSegments(segments[index...index])
    }
    outcome.nextSequence = sequence
    outcome.report.cut = RecoveryReport.Cut(
      file: name, offset: offset, bytes: bytes, reason: reason)
  }

  /// The highest sequence that segments from an index on say was durable.
  private func highestMark(
    _ segments: [UInt64], from index: Int
  ) throws(LogError) -> UInt64 {
    var highest: UInt64 = 0
    for segment in segments.dropFirst(index) {
      let name = LogFormat.segmentName(firstSequence: segment)
      do throws(LogError) {
        let id = try SegmentReader(in: folder, name).header.storeID
        if let known = outcome.storeID, known != id { throw .foreignFile(file: name) }
      } catch {
        // A segment without a header may be one that was begun and not synced.
        guard case .damaged = error else { throw error }
      }
      let file = try DataFile(folder, name, flags: O_RDONLY)
      let mark = try SegmentReader.highestMark(in: file, from: 0, of: outcome.storeID)
      highest = max(highest, mark)
    }
    return highest
  }

  /// Removes them durably before anything is written in their place: else a crash might leave
  /// them behind new records that end where they begin.
  private func removeSegments(_ segments: ArraySlice<UInt64>) throws(LogError) -> Int64 {
    var bytes: Int64 = 0
    for segment in segments.reversed() {
      let name = LogFormat.segmentName(firstSequence: segment)
      bytes += try DataFile(folder, name, flags: O_RDONLY).byteCount()
      if !isReadOnly { try folder.remove(name) }
    }
    if !isReadOnly, !segments.isEmpty { try folder.sync() }
    return bytes
  }

  private mutating func countFinished(_ segments: [UInt64]) throws(LogError) {
    guard !isReadOnly, let open = outcome.openSegment else { return }
    for segment in segments where segment < open.firstSequence {
      let name = LogFormat.segmentName(firstSequence: segment)
      let file = try DataFile(folder, name, flags: O_RDWR)
      outcome.finishedBytes += try file.byteCount()
      // What was replayed will be shown, so it must be durable first.
      if segment >= startSequence || segments.count > 1 { try file.sync() }
    }
  }
}

/// Gathers blocks of answers from several threads.
private final class AnswerCollector: Sendable {
  private let blocks = Mutex<[[UInt8]]>([])

  func add(_ block: UnsafeRawBufferPointer) {
    let copy = [UInt8](block)
    blocks.withLock { $0.append(copy) }
  }

  func forEach(_ body: (UnsafeRawBufferPointer) -> Void) {
    for block in blocks.withLock({ $0 }) {
      block.withUnsafeBytes { SnapshotFormat.forEachAnswer(in: $0, body) }
    }
  }
}
