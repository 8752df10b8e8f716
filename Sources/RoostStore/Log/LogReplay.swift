/// Applies a log's records to an engine's shards, at a start. What can go on side by side does:
/// each worker takes the keys of its own shards, in their order.
///
/// 1. A change is applied only above its entry's revision, and one that depends on what was
///    before only to that; so applying any part of a log twice changes nothing.
/// 2. Above `snapshotRevision` each such change must find what it depends on.
final class LogReplay {
  private let shards: ShardArray
  private let workers: Int
  private let snapshotRevision: Int64
  /// What came before the changes that the log's answers belong to.
  private let keepAnswer: (UnsafeRawBufferPointer, Int64) -> Void
  /// The newest revision of any record.
  private(set) var lastRevision: Int64
  /// The last reservation of revisions.
  private(set) var revisionLimit: Int64
  private(set) var recordCount: UInt64 = 0
  private var hashes: [UInt64] = []
  private var changes: [LoggedChange] = []

  /// - Parameters:
  ///   - snapshotRevision: the newest that may be in the shards already.
  ///   - keepAnswer: takes an answer that the log kept, with its revision.
  init(
    _ shards: ShardArray, snapshotRevision: Int64, revisionLimit: Int64,
    keepAnswer: @escaping (UnsafeRawBufferPointer, Int64) -> Void
  ) {
    self.shards = shards
    self.snapshotRevision = snapshotRevision
    self.revisionLimit = revisionLimit
    self.keepAnswer = keepAnswer
    lastRevision = 0
    workers = ParallelWork.workerCount(limit: shards.count)
  }

  /// Applies a batch of records.
  func apply(
    _ positions: [SegmentReader.Position], of reader: SegmentReader
  ) throws(LogError) {
    hashes.removeAll(keepingCapacity: true)
    changes.removeAll(keepingCapacity: true)
    var first = 0
    for (index, position) in positions.enumerated() {
      let change = try Self.read(
        position.kind, reader.body(position), reader.name, position.fileOffset)
      if let key = change.key, let base = key.baseAddress {
        hashes.append(shards.hasher.hash(base, key.count))
        changes.append(change)
        continue
      }
      try applyCollected(positions[first..<index], reader)
      first = index + 1
      try applyAlone(change, reader.name, position.fileOffset)
    }
    try applyCollected(positions[first...], reader)
    recordCount += UInt64(positions.count)
  }

  /// Applies one record, with its header; its checksum was looked at.
  /// - Parameter file: where it was found, for errors.
  func apply(
    _ record: UnsafeRawBufferPointer, file: String, offset: Int64 = 0
  ) throws(LogError) {
    let body = UnsafeRawBufferPointer(rebasing: record[LogFormat.recordHeaderBytes...])
    let change = try Self.read(record[LogFormat.kindOffset], body, file, offset)
    recordCount += 1
    guard let key = change.key, let base = key.baseAddress else {
      return try applyAlone(change, file, offset)
    }
    let revision = change.ownRevision
    lastRevision = max(lastRevision, revision)
    let hash = shards.hasher.hash(base, key.count)
    if !apply(change, hash, revision: revision, isForced: false) {
      throw Self.withoutBase(file, offset)
    }
  }

  private static func read(
    _ kind: UInt8, _ body: UnsafeRawBufferPointer, _ file: String, _ offset: Int64
  ) throws(LogError) -> LoggedChange {
    guard let known = LogFormat.Kind(rawValue: kind) else {
      throw .unknownRecord(file: file, offset: offset, kind: kind)
    }
    do throws(LoggedChange.Fault) {
      return try LoggedChange(known, body)
    } catch {
      throw .damaged(file: file, offset: offset, reason: error.reason)
    }
  }

  /// Applies changes of single keys, and forgets them.
  private func applyCollected(
    _ positions: ArraySlice<SegmentReader.Position>, _ reader: SegmentReader
  ) throws(LogError) {
    guard !changes.isEmpty else { return }
    let count = changes.count
    let isParallel = workers > 1 && count >= 512
    let outcomes = WorkerOutcomes(count: isParallel ? workers : 1)
    changes.withUnsafeBufferPointer { changes in
      hashes.withUnsafeBufferPointer { hashes in
        let body = { (worker: Int) in
          self.work(changes, hashes, worker, of: outcomes.count, &outcomes[worker])
        }
        if isParallel { ParallelWork.run(workers: workers, body) } else { body(0) }
      }
    }
    for index in 0..<outcomes.count {
      lastRevision = max(lastRevision, outcomes[index].lastRevision)
      if let fault = outcomes[index].faultIndex {
        let position = positions[positions.startIndex + fault]
        throw Self.withoutBase(reader.name, position.fileOffset)
      }
    }
    changes.removeAll(keepingCapacity: true)
    hashes.removeAll(keepingCapacity: true)
  }

  private static func withoutBase(_ file: String, _ offset: Int64) -> LogError {
    .damaged(
      file: file, offset: offset,
      reason: "the record changes an entry that is not there as it should be")
  }

  private func work(
    _ changes: UnsafeBufferPointer<LoggedChange>, _ hashes: UnsafeBufferPointer<UInt64>,
    _ worker: Int, of workers: Int, _ outcome: inout WorkerOutcomes.Outcome
  ) {
    for index in 0..<changes.count {
      let shard = shards.index(hashes[index])
      guard workers == 1 || shard % workers == worker else { continue }
      let revision = changes[index].ownRevision
      outcome.lastRevision = max(outcome.lastRevision, revision)
      if !apply(changes[index], hashes[index], revision: revision, isForced: false),
        outcome.faultIndex == nil
      {
        outcome.faultIndex = index
      }
    }
  }

  /// - Returns: `false`: it should have found what it depends on, and has not.
  private func apply(
    _ change: LoggedChange, _ hash: UInt64, revision: Int64, isForced: Bool
  ) -> Bool {
    let shard = shards[shards.index(hash)]
    switch change {
    case .put(let image):
      shard.pointee.restore(image, hash: hash, revision: revision, isForced: isForced)
    case .delete(let key, revision: _):
      shard.pointee.restoreDeletion(
        of: key, hash: hash, revision: revision, isForced: isForced)
    case .touch(let detail), .push(let detail), .pop(let detail):
      let outcome = shard.pointee.restore(
        change, detail, hash: hash, revision: revision, isForced: isForced)
      return outcome != .withoutBase || revision <= snapshotRevision
    case .deleteRange, .group, .durableMark, .revisionLimit: break
    }
    return true
  }

  private func applyAlone(
    _ change: LoggedChange, _ file: String, _ offset: Int64
  ) throws(LogError) {
    switch change {
    case .deleteRange(let range, let revision): delete(range, revision)
    case .group(let group):
      lastRevision = max(lastRevision, group.revision)
      if let answer = group.answer { keepAnswer(answer, group.revision) }
      if !apply(group) { throw Self.withoutBase(file, offset) }
    case .revisionLimit(let limit): revisionLimit = limit
    case .durableMark: break
    case .put, .delete, .touch, .push, .pop: preconditionFailure("a change of one key")
    }
  }

  private func delete(_ range: KeyRangeRef, _ revision: Int64) {
    lastRevision = max(lastRevision, revision)
    let window = KeyWindow(range)
    for index in 0..<shards.count {
      shards[index].pointee.restoreDeletion(of: window, revision: revision)
    }
  }

  /// What a group's first change of a key finds decides for all its changes of the key: either
  /// none was applied before, or all.
  private func apply(_ group: LoggedGroup) -> Bool {
    var isComplete = true
    var decided: [UInt64: Bool] = [:]
    // The group was checked when it was read.
    try? group.forEach { change in
      if case .deleteRange(let range, revision: _) = change {
        return delete(range, group.revision)
      }
      guard let key = change.key, let base = key.baseAddress else { return }
      let hash = shards.hasher.hash(base, key.count)
      let isFirst = decided[hash] == nil
      if isFirst {
        let record = shards[shards.index(hash)].pointee.table.find(key, hash)?.record
        decided[hash] = (record?.revision ?? 0) < group.revision
      }
      guard decided[hash] == true else { return }
      if !apply(change, hash, revision: group.revision, isForced: !isFirst) {
        isComplete = false
      }
    }
    return isComplete
  }
}

/// What each worker found.
private final class WorkerOutcomes {
  struct Outcome {
    var lastRevision: Int64 = 0
    /// The first change that did not find what it depends on.
    var faultIndex: Int?
  }

  let count: Int
  private let outcomes: UnsafeMutablePointer<Outcome>

  init(count: Int) {
    self.count = count
    outcomes = .allocate(capacity: count)
    outcomes.initialize(repeating: Outcome(), count: count)
  }

  deinit { outcomes.deallocate() }

  subscript(index: Int) -> Outcome {
    get { outcomes[index] }
    _modify { yield &outcomes[index] }
  }
}

extension LoggedChange {
  /// The revision that the record says; of a group's change that is not its own.
  fileprivate var ownRevision: Int64 {
    switch self {
    case .put(let image): image.revision
    case .delete(key: _, let revision), .deleteRange(_, let revision): revision
    case .touch(let detail), .push(let detail), .pop(let detail): detail.revision
    case .group(let group): group.revision
    case .durableMark, .revisionLimit: 0
    }
  }
}
