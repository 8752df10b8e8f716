import CLinux
import Glibc
import Synchronization

extension Record: TreeElement {
  /// By key. A tree holds a key once.
  @inline(__always) static func precedes(_ left: Record, _ right: Record) -> Bool {
    ByteOrder.compare(left.key, right.key) < 0
  }

  @inline(__always) func prefetch() { clinux_prefetch(address + Record.headerBytes) }
}

/// When a record ends.
struct Deadline: TreeElement {
  let millis: Int64  // engine time
  let record: Record

  @inline(__always) static func precedes(_ left: Deadline, _ right: Deadline) -> Bool {
    left.millis != right.millis
      ? left.millis < right.millis : left.record.address < right.record.address
  }
}

/// One part of the store: the keys whose hash chooses it. Guarded by its own lock, in a block of
/// memory that `ShardArray` owns.
///
/// 1. A record is in `table` and in `index`; and in `deadlines` exactly while its deadline is
///    not zero.
/// 2. `memoryBytes` is what all of it takes, to the byte, freed-later records included.
/// 3. Each change of the data takes its revision in `commit`, while the lock is held and before
///    the change can be seen.
struct Shard: ~Copyable {
  var table: SlotTable
  var index = OrderedTree<Record>()
  var deadlines = OrderedTree<Deadline>()
  /// Holds records, lists and the trees' nodes.
  var heap: SlabHeap
  /// Removed from the data, not yet from memory.
  private var discardedRecord: Record?
  private var discardedList: ItemList?
  /// The deletions that may not be durable yet; of a store with a log only.
  private(set) var deletions = RecentDeletions()
  private let revisions: UnsafeMutablePointer<Atomic<Int64>>
  /// Where changes are logged; `nil`: nowhere. The engine keeps it alive.
  private var changeLog: Unmanaged<ChangeLog>?

  init(
    hasher: KeyHasher, directory: UnsafeMutablePointer<Atomic<UInt>>,
    revisions: UnsafeMutablePointer<Atomic<Int64>>, pool: SlabPool
  ) {
    heap = SlabHeap(pool: pool)
    table = SlotTable(hasher: hasher, directory: directory)
    self.revisions = revisions
  }

  /// Frees everything.
  mutating func release() {
    var cursor = index.seek { _ in false }
    while let record = cursor.next() { discard(record) }
    while reclaim(steps: .max) {}
    index.release(&heap)
    deadlines.release(&heap)
    table.release()
    heap.release()
    deletions.release()
  }

  /// From now on changes are logged.
  mutating func connect(_ log: ChangeLog) { changeLog = .passUnretained(log) }

  var memoryBytes: Int { heap.bytes &+ table.memoryBytes }

  // MARK: Commit

  /// The one point that every mutation of one key passes: takes the next revision, and logs the
  /// change in the same step, where there is a log.
  @inline(__always)
  mutating func commit(_ change: Change) -> Int64 {
    guard let changeLog else {
      let revision = nextRevision()
      if change.keepsRecord { change.record.revision = revision }
      if case .create(let record) = change { record.createRevision = revision }
      return revision
    }
    let revision = changeLog._withUnsafeGuaranteedRef { $0.append(change) }
    if !change.keepsRecord { noteDeletion(of: change.record, revision) }
    return revision
  }

  /// The revision of a group of changes, which is logged in the same step.
  /// - Parameter answer: of the call, where it is to be kept.
  func commit(_ group: borrowing ChangeGroup, answer: UnsafeRawBufferPointer?) -> Int64 {
    guard let changeLog else { return nextRevision() }
    return changeLog._withUnsafeGuaranteedRef { $0.append(group: group, answer: answer) }
  }

  /// The revision of the end of a range, which is logged in the same step.
  func commit(deletionOf range: KeyRangeRef) -> Int64 {
    guard let changeLog else { return nextRevision() }
    return changeLog._withUnsafeGuaranteedRef { $0.append(deletionOf: range) }
  }

  @inline(__always)
  private func nextRevision() -> Int64 {
    revisions.pointee.wrappingAdd(1, ordering: .relaxed).newValue
  }

  /// Notes that a key is gone since a revision.
  mutating func noteDeletion(of record: Record, _ revision: Int64) {
    guard changeLog != nil else { return }
    let hash = table.hasher.hash(record.address + Record.headerBytes, record.keyCount)
    deletions.note(hash, revision)
  }

  /// Notes that any key may be gone since a revision.
  mutating func noteRangeDeletion(_ revision: Int64) {
    if changeLog != nil { deletions.noteAll(revision) }
  }

  /// The newest revision so far.
  @inline(__always)
  var currentRevision: Int64 { revisions.pointee.load(ordering: .relaxed) }

  // MARK: Link and unlink

  @inline(__always)
  func find(_ key: KeyRef) -> SlotTable.Place? { table.find(key.bytes, key.hash) }

  /// The record of a key unless it has expired.
  @inline(__always)
  func visible(_ key: KeyRef, now: Int64) -> Record? {
    guard let record = find(key)?.record, !record.isExpired(at: now) else { return nil }
    return record
  }

  /// Adds a record whose key is not there.
  mutating func link(_ record: Record, hash: UInt64) {
    table.insert(record, hash)
    index.insert(record, &heap)
    if record.deadline != 0 { addDeadline(record) }
  }

  /// Takes a record out of the data. It stays allocated.
  mutating func unlink(_ place: SlotTable.Place) {
    let record = place.record
    index.remove(record, &heap)
    if record.deadline != 0 { removeDeadline(record) }
    table.remove(place)
  }

  /// Takes a record and those after it out of the data, up to `maxCount`, and frees them
  /// later. Says how many: at least one, at most a leaf of the index.
  mutating func unlinkRun(from first: Record, maxCount: Int) -> Int {
    withUnsafeTemporaryAllocation(
      of: Record.self, capacity: TreeNode<Record>.leafCapacity
    ) { run in
      let records = run.baseAddress.unsafelyUnwrapped
      let count = index.removeRun(from: first, maxCount: maxCount, into: records, &heap)
      table.prefetchSlots(records, count)
      for place in 0..<count {
        let record = records[place]
        if record.deadline != 0 { removeDeadline(record) }
        table.remove(table.place(of: record))
        discardLater(record)
      }
      return count
    }
  }

  /// Puts a record with the same key in another's place, which stays allocated.
  mutating func relink(_ place: SlotTable.Place, to record: Record) {
    let old = place.record
    table.replace(place, with: record)
    index.replace(old, with: record)
    if old.deadline != 0 { removeDeadline(old) }
    if record.deadline != 0 { addDeadline(record) }
  }

  /// Sets when a record of the data ends.
  @inline(__always)
  mutating func setDeadline(_ record: Record, _ deadline: Int64) {
    if record.deadline == deadline { return }
    moveDeadline(record, deadline)
  }

  @inline(never)
  private mutating func moveDeadline(_ record: Record, _ deadline: Int64) {
    if record.deadline != 0 { removeDeadline(record) }
    record.deadline = deadline
    if deadline != 0 { addDeadline(record) }
  }

  private mutating func addDeadline(_ record: Record) {
    deadlines.insert(Deadline(millis: record.deadline, record: record), &heap)
  }

  private mutating func removeDeadline(_ record: Record) {
    deadlines.remove(Deadline(millis: record.deadline, record: record), &heap)
  }

  // MARK: Expiry

  /// Whether some key has expired and is still in the data.
  @inline(__always)
  func hasExpired(at now: Int64) -> Bool {
    guard let first = deadlines.first else { return false }
    return first.millis <= now
  }

  /// How many keys have expired and are still in the data.
  func expiredCount(at now: Int64) -> Int {
    hasExpired(at: now) ? deadlines.rank { $0.millis <= now } : 0
  }

  /// Takes a key that has expired out of the data, with the revision of that event.
  mutating func expire(_ place: SlotTable.Place) {
    let record = place.record
    _ = commit(.expire(record))
    unlink(place)
    discard(record)
  }

  /// Expires up to `maxKeys` keys that are due. Says how many it did.
  mutating func expireDue(at now: Int64, maxKeys: Int) -> Int {
    prefetchDue(at: now, maxKeys: maxKeys)
    var done = 0
    while done < maxKeys, let first = deadlines.first, first.millis <= now {
      expire(table.place(of: first.record))
      done &+= 1
    }
    return done
  }

  private func prefetchDue(at now: Int64, maxKeys: Int) {
    guard hasExpired(at: now) else { return }
    withUnsafeTemporaryAllocation(of: Record.self, capacity: maxKeys) { due in
      let records = due.baseAddress.unsafelyUnwrapped
      var cursor = deadlines.seek { _ in false }
      var count = 0
      while count < maxKeys, let deadline = cursor.next(), deadline.millis <= now {
        (records + count).initialize(to: deadline.record)
        count &+= 1
      }
      table.prefetchSlots(records, count)
    }
  }

  // MARK: Memory

  /// Frees a record that is not in the data any more: now where that is quick, else later.
  mutating func discard(_ record: Record) {
    if record.isList { discard(record.list) }
    record.release(&heap)
  }

  /// Frees a list that no record holds any more: now where it is short, else later.
  mutating func discard(_ list: ItemList) {
    if list.chunkCount <= Self.chunksFreedAtOnce {
      _ = list.release(maxChunks: Self.chunksFreedAtOnce, &heap)
    } else {
      list.following = discardedList
      discardedList = list
    }
  }

  /// As `discard`, later in any case.
  mutating func discardLater(_ record: Record) {
    record.following = discardedRecord
    discardedRecord = record
  }

  private static var chunksFreedAtOnce: Int { 8 }

  /// Frees some of what was put off: up to `steps` records and chunks. Says whether there is
  /// more.
  mutating func reclaim(steps: Int) -> Bool {
    var left = steps
    while left > 0, let record = discardedRecord {
      discardedRecord = record.following
      discard(record)
      left &-= 1
    }
    while left > 0, let list = discardedList {
      let following = list.following
      let chunks = min(left, list.chunkCount)
      if list.release(maxChunks: chunks, &heap) { discardedList = following }
      left &-= max(chunks, 1)
    }
    return discardedRecord != nil || discardedList != nil
  }

  /// Whether memory waits to be freed, or a table to be resized.
  var hasUpkeep: Bool {
    discardedRecord != nil || discardedList != nil || table.isResizing
  }
}

extension Record {
  @inline(__always) func isExpired(at now: Int64) -> Bool {
    let deadline = self.deadline
    return deadline != 0 && deadline <= now
  }

  /// The next record that waits to be freed: kept where the revision was. Of removed records.
  fileprivate var following: Record? {
    get { UnsafeMutableRawPointer(bitPattern: Int(revision)).map(Record.init) }
    nonmutating set { revision = Int64(Int(bitPattern: newValue?.address)) }
  }
}
