import CLinux
import Glibc
import Synchronization

/// The log as a running store appends to it: takes changes from any thread, in one order for all
/// of them, and writes them in batches.
///
/// 1. A change gets its revision and its place in the log in one step, under `appendLock`; so the
///    order of revisions is the order of the log, and what is written is a prefix of it.
/// 2. `durableRevision <= loggedRevision <=` the newest revision; the first two end prefixes
///    that are synced, and written, without a gap. All three only grow.
/// 3. Lock order: a shard's, `writer`'s, `appendLock`. Nothing waits for a shard's lock here.
/// 4. No revision above `revisionLimit` is issued; the limit was durable before it was raised.
///
/// `@unchecked Sendable`: what is not constant is atomic or guarded by the lock that it names.
final class ChangeLog: @unchecked Sendable {
  /// Revisions that are reserved at once: so many may be skipped by a start after a crash.
  static let usualRevisionBlock: Int64 = 1 << 22
  /// Writes are refused where fewer reserved revisions are left: more than one call takes.
  private static let spareRevisions: Int64 = 65_536
  /// A buffer that has grown to this is written at once, by whoever appends.
  static let maxBufferBytes = 32 << 20
  private static let initialBufferBytes = 1 << 20

  let storeID: StoreID
  let space: LogSpace
  let time: EngineTime
  let revisionBlock: Int64
  /// The newest revision; the shards' own.
  private let revisions: UnsafeMutablePointer<Atomic<Int64>>

  // Guarded by `appendLock`.
  private let appendLock: UnsafeMutablePointer<pthread_mutex_t>
  private var buffer: UnsafeMutableRawPointer
  private var capacity: Int
  private var used = 0
  private var nextSequence: UInt64
  private var bufferFirstSequence: UInt64

  /// Everything up to here is written: it survives the end of the process.
  private let logged: Atomic<Int64>
  /// Everything up to here survives power loss.
  private let durable: Atomic<Int64>
  private let limit: Atomic<Int64>
  /// Bytes that wait to be written, as of the last append.
  private let waiting = Atomic<Int>(0)

  /// - Parameters:
  ///   - nextSequence: of the first record to be appended.
  ///   - revisions: the newest revision that was issued, and durable.
  init(
    storeID: StoreID, nextSequence: UInt64, revisionLimit: Int64, revisionBlock: Int64,
    space: LogSpace, revisions: UnsafeMutablePointer<Atomic<Int64>>, time: EngineTime
  ) {
    self.storeID = storeID
    self.space = space
    self.revisionBlock = revisionBlock
    self.revisions = revisions
    self.time = time
    self.nextSequence = nextSequence
    bufferFirstSequence = nextSequence
    let revision = revisions.pointee.load(ordering: .relaxed)
    logged = Atomic(revision)
    durable = Atomic(revision)
    limit = Atomic(revisionLimit)
    capacity = Self.initialBufferBytes
    buffer = .allocate(byteCount: capacity, alignment: 64)
    appendLock = .allocate(capacity: 1)
    appendLock.initialize(to: pthread_mutex_t())
    pthread_mutex_init(appendLock, nil)
  }

  deinit {
    pthread_mutex_destroy(appendLock)
    appendLock.deallocate()
    buffer.deallocate()
  }

  // MARK: Figures

  @inline(__always) var loggedRevision: Int64 { logged.load(ordering: .acquiring) }
  @inline(__always) var durableRevision: Int64 { durable.load(ordering: .acquiring) }
  var revisionLimit: Int64 { limit.load(ordering: .acquiring) }
  @inline(__always) var newestRevision: Int64 { revisions.pointee.load(ordering: .relaxed) }
  /// Whether appended records wait to be written.
  var hasUnwritten: Bool { waiting.load(ordering: .relaxed) > 0 }

  /// Whether so many revisions are used up that the next block should be reserved.
  var needsRevisions: Bool { newestRevision > revisionLimit &- revisionBlock / 2 }

  /// - Parameter revision: everything up to it was written.
  func noteLogged(_ revision: Int64) { logged.store(revision, ordering: .releasing) }

  /// - Parameter revision: everything up to it was synced.
  func noteDurable(_ revision: Int64) { durable.store(revision, ordering: .releasing) }

  /// - Parameter revision: the new limit, which is durable.
  func raiseRevisionLimit(to revision: Int64) { limit.store(revision, ordering: .releasing) }

  // MARK: Admission

  /// Whether a change may be appended that is yet to be made.
  /// - Parameter bytes: about what its record will take.
  @inline(__always)
  func admit(_ bytes: Int) throws(StoreError) {
    if space.freeBytes &- waiting.load(ordering: .relaxed) < bytes
      || newestRevision > revisionLimit &- Self.spareRevisions
    {
      try admitSlowly(bytes)
    }
  }

  @inline(never)
  private func admitSlowly(_ bytes: Int) throws(StoreError) {
    if newestRevision > revisionLimit &- Self.spareRevisions {
      throw .unavailable("the disk is too slow: revisions are not reserved fast enough")
    }
    // Room may be made as the buffer is written, so ask for all of it.
    let needed = waiting.load(ordering: .relaxed) &+ bytes
    if !space.extend(for: needed) { throw .unavailable(space.reason) }
  }

  /// Whether a deletion may be appended: these go on from a reserve while the disk is full.
  @inline(__always)
  func admitDeletion() throws(StoreError) {
    if space.isBroken { throw .unavailable(space.reason) }
  }

  // MARK: Append

  /// Appends a change, and gives it the next revision. The lock of the change's shard is held.
  @inline(__always)
  func append(_ change: Change) -> Int64 {
    let bodyBytes = change.bodyBytes
    let stepMillis = time.stepMillis
    pthread_mutex_lock(appendLock)
    let revision = nextRevision()
    let record = beginRecord(change.kind, bodyBytes)
    change.writeBody(
      unsafe: record + LogFormat.recordHeaderBytes, revision: revision, stepMillis: stepMillis)
    let isFull = used > Self.maxBufferBytes
    pthread_mutex_unlock(appendLock)
    if isFull { space.bufferIsFull() }
    return revision
  }

  /// Appends the end of a range, at one revision.
  func append(deletionOf range: KeyRangeRef) -> Int64 {
    append(.deleteRange, range.deletionBytes) { body, revision in
      range.writeDeletion(unsafe: body, revision: revision)
    }
  }

  /// Appends changes that happen together, at one revision, with the answer of the call where it
  /// is to be kept.
  func append(group: borrowing ChangeGroup, answer: UnsafeRawBufferPointer?) -> Int64 {
    let answerBytes = answer.map { 4 + $0.count } ?? 0
    let bodyBytes = 12 + answerBytes + group.bytes.count
    return append(answer == nil ? .group : .answeredGroup, bodyBytes) { body, revision in
      body.storeBytes(of: revision, as: Int64.self)
      var target = body + 8
      if let answer {
        target.storeBytes(of: UInt32(answer.count), as: UInt32.self)
        if let base = answer.baseAddress { memcpy(target + 4, base, answer.count) }
        target += answerBytes
      }
      target.storeBytes(of: UInt32(group.count), as: UInt32.self)
      if let base = group.bytes.baseAddress { memcpy(target + 4, base, group.bytes.count) }
    }
  }

  /// Appends a record that reserves the revisions up to a limit. It does not count before it is
  /// durable.
  func append(revisionLimit limit: Int64) {
    pthread_mutex_lock(appendLock)
    defer { pthread_mutex_unlock(appendLock) }
    let record = beginRecord(.revisionLimit, 8)
    record.storeBytes(of: limit, toByteOffset: LogFormat.recordHeaderBytes, as: Int64.self)
  }

  private func append(
    _ kind: LogFormat.Kind, _ bodyBytes: Int, _ write: (UnsafeMutableRawPointer, Int64) -> Void
  ) -> Int64 {
    pthread_mutex_lock(appendLock)
    let revision = nextRevision()
    let record = beginRecord(kind, bodyBytes)
    write(record + LogFormat.recordHeaderBytes, revision)
    let isFull = used > Self.maxBufferBytes
    pthread_mutex_unlock(appendLock)
    if isFull { space.bufferIsFull() }
    return revision
  }

  @inline(__always)
  private func nextRevision() -> Int64 {
    let revision = revisions.pointee.load(ordering: .relaxed) &+ 1
    revisions.pointee.store(revision, ordering: .relaxed)
    return revision
  }

  /// Writes a record's header but for the checksum, which the batch gets as a whole.
  @inline(__always)
  private func beginRecord(
    _ kind: LogFormat.Kind, _ bodyBytes: Int
  ) -> UnsafeMutableRawPointer {
    precondition(bodyBytes <= LogFormat.maxBodyBytes, "a record of \(bodyBytes) bytes")
    let bytes = LogFormat.recordHeaderBytes &+ bodyBytes
    if used &+ bytes > capacity { grow(bytes) }
    let record = buffer + used
    record.storeBytes(of: UInt32(truncatingIfNeeded: bodyBytes), as: UInt32.self)
    record.storeBytes(
      of: nextSequence, toByteOffset: LogFormat.sequenceOffset, as: UInt64.self)
    record.storeBytes(of: kind.rawValue, toByteOffset: LogFormat.kindOffset, as: UInt8.self)
    nextSequence &+= 1
    used &+= bytes
    waiting.store(used, ordering: .relaxed)
    return record
  }

  @inline(never)
  private func grow(_ bytes: Int) {
    var larger = capacity * 2
    while larger < used + bytes { larger *= 2 }
    let memory = UnsafeMutableRawPointer.allocate(byteCount: larger, alignment: 64)
    memcpy(memory, buffer, used)
    buffer.deallocate()
    buffer = memory
    capacity = larger
  }

  // MARK: Batches

  /// Records that are to be written together.
  struct Batch: ~Copyable {
    fileprivate(set) var memory: UnsafeMutableRawPointer
    fileprivate(set) var capacity: Int
    fileprivate(set) var count = 0
    fileprivate(set) var firstSequence: UInt64 = 0
    /// The newest revision that is in it or in front of it.
    fileprivate(set) var lastRevision: Int64 = 0
    fileprivate(set) var endSequence: UInt64 = 0

    init() {
      capacity = ChangeLog.initialBufferBytes
      memory = .allocate(byteCount: capacity, alignment: 64)
    }

    deinit { memory.deallocate() }

    var isEmpty: Bool { count == 0 }
    var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: memory, count: count) }

    /// Forgets the records, and memory that only a burst needed.
    mutating func removeAll() {
      count = 0
      guard capacity > 8 * ChangeLog.initialBufferBytes else { return }
      memory.deallocate()
      capacity = ChangeLog.initialBufferBytes
      memory = .allocate(byteCount: capacity, alignment: 64)
    }

    /// Computes the checksum of each record.
    fileprivate func seal() {
      var offset = 0
      while offset < count {
        let record = memory + offset
        let bodyBytes = Int(record.loadUnaligned(as: UInt32.self))
        record.storeBytes(
          of: LogFormat.checksum(unsafe: record, bodyBytes: bodyBytes),
          toByteOffset: LogFormat.checksumOffset, as: UInt32.self)
        offset += LogFormat.recordHeaderBytes + bodyBytes
      }
    }
  }

  /// Moves all records that wait into an empty batch, ready to be written.
  /// - Parameter mark: everything up to this sequence is durable, which a record at the batch's
  ///   end shall say; `nil`: that is known already.
  func take(_ batch: inout Batch, mark: UInt64?) {
    precondition(batch.isEmpty, "a batch that was not written")
    pthread_mutex_lock(appendLock)
    if let mark { appendMark(mark) }
    swap(&buffer, &batch.memory)
    swap(&capacity, &batch.capacity)
    batch.count = used
    batch.firstSequence = bufferFirstSequence
    batch.endSequence = nextSequence
    batch.lastRevision = newestRevision
    bufferFirstSequence = nextSequence
    used = 0
    waiting.store(0, ordering: .relaxed)
    pthread_mutex_unlock(appendLock)
    batch.seal()
  }

  private func appendMark(_ sequence: UInt64) {
    let body = beginRecord(.durableMark, LogFormat.markBytes) + LogFormat.recordHeaderBytes
    storeID.write(unsafe: body)
    body.storeBytes(of: sequence, toByteOffset: StoreID.byteCount, as: UInt64.self)
  }
}

/// The changes of one transaction, or of one call whose answer is kept, until they are appended
/// together.
struct ChangeGroup: ~Copyable {
  private var memory: UnsafeMutableRawPointer?
  private var capacity = 0
  private var used = 0
  private(set) var count = 0
  private let stepMillis: Int64

  init(stepMillis: Int64) { self.stepMillis = stepMillis }

  deinit { free(memory) }

  var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: memory, count: used) }

  /// Adds a change whose revision is not known yet.
  mutating func add(_ change: Change) {
    let bodyBytes = change.bodyBytes
    let target = room(5 + bodyBytes)
    target.storeBytes(of: change.kind.rawValue, as: UInt8.self)
    target.storeBytes(of: UInt32(bodyBytes), toByteOffset: 1, as: UInt32.self)
    change.writeBody(
      unsafe: target + 5, revision: UndoLog.provisionalRevision, stepMillis: stepMillis)
    count += 1
  }

  /// Adds the end of a range, whose revision is not known yet.
  mutating func add(deletionOf range: KeyRangeRef) {
    let target = room(5 + range.deletionBytes)
    target.storeBytes(of: LogFormat.Kind.deleteRange.rawValue, as: UInt8.self)
    target.storeBytes(of: UInt32(range.deletionBytes), toByteOffset: 1, as: UInt32.self)
    range.writeDeletion(unsafe: target + 5, revision: UndoLog.provisionalRevision)
    count += 1
  }

  private mutating func room(_ bytes: Int) -> UnsafeMutableRawPointer {
    if used + bytes > capacity {
      capacity = max(capacity * 2, used + bytes, 512)
      guard let grown = realloc(memory, capacity) else {
        fatalError("out of memory: \(capacity) bytes of a transaction")
      }
      memory = grown
    }
    defer { used += bytes }
    return memory.unsafelyUnwrapped + used
  }
}
