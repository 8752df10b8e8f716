import Glibc
import Synchronization

/// When the log is synced without being asked to.
public enum SyncPolicy: String, Sendable, Hashable, CaseIterable {
  /// Before any answer that depends on it.
  case always
  /// Once in an interval.
  case interval
  /// When the operating system likes.
  case never
}

/// Writes the log's batches to its segments, and syncs them. Safe from any thread.
///
/// 1. `writeLock` guards the open segment and the batch; `syncLock` is held over a sync, and
///    taken before `writeLock`.
/// 2. A batch stays until all of it is written; nothing is written behind one that is not.
/// 3. After one failed sync nothing is acknowledged any more: `onFatal` ends the process.
///
/// `@unchecked Sendable`: guarded as said, or constant.
final class LogWriter: @unchecked Sendable {
  /// A segment is finished once it has grown to this.
  static let segmentBytes: Int64 = 64 << 20
  /// A sync that takes as long is told of.
  static let slowSyncMillis: Int64 = 500
  /// Room that is reserved ahead where the disk has it.
  private static let aheadBytes = 2 << 20

  let log: ChangeLog
  let path: String
  private let folder: DataFolder
  private let onFatal: @Sendable (LogError) -> Void
  private let onTrouble: @Sendable (String?) -> Void
  private let onSlowSync: @Sendable (Int64) -> Void

  private let writeLock: UnsafeMutablePointer<pthread_mutex_t>
  private let syncLock: UnsafeMutablePointer<pthread_mutex_t>

  // Guarded by `writeLock`.
  private var segment: OpenSegment
  private var batch = ChangeLog.Batch()
  /// What the batch's mark says; `nil`: it has none.
  private var batchMark: UInt64?
  private var retired: [OpenSegment] = []
  private var folderIsDirty: Bool
  private var loggedSequence: UInt64
  private var loggedRevision: Int64
  /// The end of the last batch that held more than a mark.
  private var changedSequence: UInt64
  private var markedSequence: UInt64
  private var durableSequence: UInt64
  private var finishedBytes: Int64

  private let totalBytes: Atomic<Int64>
  private let durableEnd: Atomic<UInt64>

  /// - Parameters:
  ///   - segment: empty, or recovered; everything in it is durable.
  ///   - finishedBytes: what the other segments take.
  ///   - onFatal: the log cannot be trusted any more.
  ///   - onTrouble: nothing can be written for a reason; `nil`: it can again. May be called with
  ///     locks held, so it must not call back.
  ///   - onSlowSync: a sync took so many milliseconds, by which more than the policy's interval may
  ///     be lost with the power.
  init(
    log: ChangeLog, folder: consuming DataFolder, segment: OpenSegment, nextSequence: UInt64,
    finishedBytes: Int64, onFatal: @escaping @Sendable (LogError) -> Void,
    onTrouble: @escaping @Sendable (String?) -> Void,
    onSlowSync: @escaping @Sendable (_ millis: Int64) -> Void
  ) {
    self.log = log
    path = folder.path
    self.folder = folder
    self.segment = segment
    self.onFatal = onFatal
    self.onTrouble = onTrouble
    self.onSlowSync = onSlowSync
    self.finishedBytes = finishedBytes
    folderIsDirty = true
    loggedSequence = nextSequence
    changedSequence = nextSequence
    markedSequence = 0
    durableSequence = nextSequence
    durableEnd = Atomic(nextSequence)
    loggedRevision = log.loggedRevision
    totalBytes = Atomic(finishedBytes + segment.endOffset)
    writeLock = Self.makeLock()
    syncLock = Self.makeLock()
    log.space.connect(
      makeRoom: { [unowned self] in makeRoom($0) }, writeOut: { [unowned self] in flush() })
  }

  deinit {
    for lock in [writeLock, syncLock] {
      pthread_mutex_destroy(lock)
      lock.deallocate()
    }
  }

  private static func makeLock() -> UnsafeMutablePointer<pthread_mutex_t> {
    let lock = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    lock.initialize(to: pthread_mutex_t())
    pthread_mutex_init(lock, nil)
    return lock
  }

  /// What all segments take on the disk, in bytes.
  var byteCount: Int64 { totalBytes.load(ordering: .relaxed) }
  /// The first sequence that is not known to be durable.
  var durableSequenceEnd: UInt64 { durableEnd.load(ordering: .acquiring) }

  // MARK: Room

  private func makeRoom(_ bytes: Int) -> Bool {
    pthread_mutex_lock(writeLock)
    defer { pthread_mutex_unlock(writeLock) }
    return reserve(bytes)
  }

  /// Reserves room for `bytes` beside the deletions' reserve.
  @discardableResult
  private func reserve(_ bytes: Int) -> Bool {
    let code = segment.reserve(max(bytes, Self.aheadBytes) + LogSpace.deletionReserveBytes)
    let free = segment.reservedBytes - LogSpace.deletionReserveBytes
    log.space.note(freeBytes: free)
    if free >= bytes { return true }
    log.space.noteFull("the disk of the log is full (\(String(cString: strerror(code))))")
    return false
  }

  // MARK: Writing

  /// Writes all that was appended. Says whether it is written; where it cannot be, it is kept, and
  /// `retry` tries again.
  ///
  /// What another thread is just writing is waited for: nobody would tell this one that it is done.
  @discardableResult
  func flush() -> Bool {
    if log.space.isBroken { return false }
    guard log.hasUnwritten || log.loggedRevision < log.newestRevision else { return true }
    pthread_mutex_lock(writeLock)
    defer { pthread_mutex_unlock(writeLock) }
    return flushLocked()
  }

  private func flushLocked() -> Bool {
    if log.space.isBroken { return false }
    guard log.hasUnwritten else { return true }
    batchMark = durableSequence > markedSequence ? durableSequence : nil
    log.take(&batch, mark: batchMark)
    return writeBatch()
  }

  /// Tries again to write what could not be written, or to get room.
  func retry() {
    pthread_mutex_lock(writeLock)
    let wasBroken = log.space.isBroken
    if batch.isEmpty || writeBatch() { reserve(0) }
    let isMended = wasBroken && !log.space.isBroken
    pthread_mutex_unlock(writeLock)
    if isMended { onTrouble(nil) }
  }

  private func writeBatch() -> Bool {
    do throws(LogError) {
      if segment.endOffset >= Self.segmentBytes { try rotate() }
      try segment.append(batch.bytes)
    } catch {
      try? segment.cutTail()
      let wasBroken = log.space.isBroken
      let reason = "the log cannot be written: \(error)"
      log.space.noteBroken(reason)
      if !wasBroken { onTrouble(reason) }
      return false
    }
    if let batchMark { markedSequence = batchMark }
    loggedSequence = batch.endSequence
    loggedRevision = batch.lastRevision
    if batchMark == nil || batch.endSequence &- batch.firstSequence > 1 {
      changedSequence = loggedSequence
    }
    batch.removeAll()
    if log.space.isBroken { log.space.noteMended() }
    totalBytes.store(finishedBytes + segment.endOffset, ordering: .relaxed)
    reserve(0)
    log.noteLogged(loggedRevision)
    return true
  }

  private func rotate() throws(LogError) {
    let next = try OpenSegment(
      in: folder, storeID: log.storeID, firstSequence: batch.firstSequence)
    try? segment.cutTail()
    finishedBytes += segment.endOffset
    retired.append(segment)
    segment = next
    folderIsDirty = true
  }

  /// Lets a segment begin at the next record, so that those before can go once they are not
  /// needed.
  /// - Returns: the next record's sequence.
  func beginSegment() throws(LogError) -> UInt64 {
    pthread_mutex_lock(writeLock)
    defer { pthread_mutex_unlock(writeLock) }
    guard flushLocked() else { throw .notPossible(log.space.reason) }
    guard segment.endOffset > Int64(LogFormat.segmentHeaderBytes) else { return loggedSequence }
    let next = try OpenSegment(
      in: folder, storeID: log.storeID, firstSequence: loggedSequence)
    try? segment.cutTail()
    finishedBytes += segment.endOffset
    retired.append(segment)
    segment = next
    folderIsDirty = true
    reserve(0)
    return loggedSequence
  }

  /// Writes a mark where nothing else is there to carry it: after a pause in the writes.
  func markWhenIdle() {
    pthread_mutex_lock(writeLock)
    defer { pthread_mutex_unlock(writeLock) }
    guard !log.space.isBroken, !log.hasUnwritten, durableSequence > markedSequence,
      durableSequence == loggedSequence
    else { return }
    batchMark = durableSequence
    log.take(&batch, mark: batchMark)
    // The mark itself needs none; what another thread has appended beside it does.
    if writeBatch(), changedSequence < loggedSequence { markedSequence = loggedSequence }
  }

  // MARK: Syncing

  /// Whether there are changes that are not durable.
  var needsSync: Bool {
    pthread_mutex_lock(writeLock)
    defer { pthread_mutex_unlock(writeLock) }
    return changedSequence > durableSequence || log.hasUnwritten
  }

  /// Whether finished segments wait for their last sync: each keeps a file open, and no mark says
  /// that it is durable.
  var hasRetired: Bool {
    pthread_mutex_lock(writeLock)
    defer { pthread_mutex_unlock(writeLock) }
    return !retired.isEmpty
  }

  /// Writes and syncs all that was appended before the call, unless a sync is under way.
  /// - Returns: `false`: another sync is under way, which may not include all of it.
  func trySync() -> Bool {
    guard pthread_mutex_trylock(syncLock) == 0 else { return false }
    defer { pthread_mutex_unlock(syncLock) }
    syncLocked()
    return true
  }

  /// Writes and syncs all that was appended before the call.
  func sync() {
    pthread_mutex_lock(syncLock)
    defer { pthread_mutex_unlock(syncLock) }
    syncLocked()
  }

  private func syncLocked() {
    pthread_mutex_lock(writeLock)
    _ = flushLocked()
    let (sequence, revision) = (loggedSequence, loggedRevision)
    let isDone = changedSequence <= durableSequence && !folderIsDirty
    let files = retired + [segment]
    let syncsFolder = folderIsDirty
    if !isDone {
      retired = []
      folderIsDirty = false
    }
    pthread_mutex_unlock(writeLock)
    if isDone { return }
    let start = MonotonicTime.nanos()
    do throws(LogError) {
      for file in files { try file.file.sync() }
      if syncsFolder { try folder.sync() }
    } catch {
      return onFatal(error)
    }
    let millis = Int64((MonotonicTime.nanos() &- start) / 1_000_000)
    if millis >= Self.slowSyncMillis { onSlowSync(millis) }
    pthread_mutex_lock(writeLock)
    durableSequence = max(durableSequence, sequence)
    pthread_mutex_unlock(writeLock)
    durableEnd.store(sequence, ordering: .releasing)
    log.noteDurable(revision)
  }

  // MARK: Segments that are not needed any more

  /// Removes the segments whose records all come before a sequence. One that cannot be removed is
  /// left for the next time.
  func removeSegments(before sequence: UInt64) throws(LogError) {
    let starts = try folder.names().compactMap(LogFormat.firstSequence(ofSegment:)).sorted()
    var freed: Int64 = 0
    for (start, next) in zip(starts, starts.dropFirst()) where next <= sequence {
      let name = LogFormat.segmentName(firstSequence: start)
      let bytes = try DataFile(folder, name, flags: O_RDONLY).byteCount()
      try folder.remove(name)
      freed += bytes
    }
    guard freed > 0 else { return }
    pthread_mutex_lock(writeLock)
    finishedBytes -= freed
    totalBytes.store(finishedBytes + segment.endOffset, ordering: .relaxed)
    pthread_mutex_unlock(writeLock)
  }
}
