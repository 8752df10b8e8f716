/// How to take back what a transaction has done so far, newest last. Its memory belongs to the
/// reply arena of the call.
///
/// 1. What it refers to stays allocated until `commit` or `rollBack`.
/// 2. Undone from the newest on, each entry meets the state that it was noted in.
struct UndoLog {
  /// The revision of a transaction's changes until its own is taken.
  static let provisionalRevision = Int64.max
  /// A step notes at most so many entries: a push its header, its items, and a trim.
  static let maxEntriesPerStep = 4

  enum Change {
    case created(Record)
    case replaced(Record, by: Record)
    case removed(Record)
    /// The header as it was: `Record.headerBytes` bytes.
    case header(Record, UnsafeRawPointer)
    case pushed(Record, count: Int, atFront: Bool)
    /// In the order in which they were popped.
    case popped(Record, UnsafeBufferPointer<ByteSlice>, atFront: Bool)
    case detached(Record, ItemList, atFront: Bool)
  }

  private struct Entry {
    let change: Change
    let shard: Int
  }

  private let entries: UnsafeMutablePointer<Entry>
  private let capacity: Int
  private let memory: Unmanaged<ReplyArena>
  private(set) var count = 0
  /// The shard that the step under way works on.
  var shard = 0

  init(steps: Int, memory: ReplyArena) {
    capacity = steps &* Self.maxEntriesPerStep
    entries = memory.allocate(capacity &* MemoryLayout<Entry>.stride)
      .bindMemory(to: Entry.self, capacity: capacity)
    self.memory = .passUnretained(memory)
  }

  mutating func append(_ change: Change) {
    precondition(count < capacity, "more than \(Self.maxEntriesPerStep) changes in a step")
    (entries + count).initialize(to: Entry(change: change, shard: shard))
    count &+= 1
  }

  /// Notes a record's header, before it is changed in place.
  mutating func noteHeader(_ record: Record) {
    let header = UnsafeRawBufferPointer(start: record.address, count: Record.headerBytes)
    let copy = memory._withUnsafeGuaranteedRef { $0.copy(header) }
    append(.header(record, copy.baseAddress.unsafelyUnwrapped))
  }

  /// Makes it all final, at one revision, and frees what was replaced and removed.
  func commit(revision: Int64, _ shards: ShardArray) {
    for index in 0..<count {
      switch entries[index].change {
      case .created(let record), .replaced(_, by: let record), .header(let record, _):
        if record.revision == Self.provisionalRevision { record.revision = revision }
        if record.createRevision == Self.provisionalRevision {
          record.createRevision = revision
        }
      case .removed(let record):
        shards[entries[index].shard].pointee.noteDeletion(of: record, revision)
      case .pushed, .popped, .detached: break
      }
    }
    for index in 0..<count {
      let shard = shards[entries[index].shard]
      switch entries[index].change {
      case .replaced(let old, by: _): shard.pointee.discard(old)
      case .removed(let record): shard.pointee.discard(record)
      case .detached(_, let list, atFront: _): shard.pointee.discard(list)
      case .created, .header, .pushed, .popped: break
      }
    }
  }

  /// Takes it all back.
  func rollBack(_ shards: ShardArray) {
    for index in stride(from: count &- 1, through: 0, by: -1) {
      Self.undo(entries[index].change, shards[entries[index].shard], shards.hasher)
    }
  }

  private static func undo(
    _ change: Change, _ shard: UnsafeMutablePointer<Shard>, _ hasher: KeyHasher
  ) {
    switch change {
    case .created(let record):
      shard.pointee.unlink(shard.pointee.table.place(of: record))
      shard.pointee.discard(record)
    case .replaced(let old, by: let record):
      shard.pointee.relink(shard.pointee.table.place(of: record), to: old)
      shard.pointee.discard(record)
    case .removed(let record):
      let hash = hasher.hash(record.address + Record.headerBytes, record.keyCount)
      shard.pointee.link(record, hash: hash)
    case .header(let record, let header):
      shard.pointee.setDeadline(record, Record(UnsafeMutableRawPointer(mutating: header)).deadline)
      record.address.copyMemory(from: header, byteCount: Record.headerBytes)
    case .pushed(let record, let count, let atFront):
      for _ in 0..<count { record.list.pop(atFront: atFront, &shard.pointee.heap) }
    case .popped(let record, let items, let atFront):
      for item in items.reversed() {
        record.list.push(item.bytes, atFront: atFront, &shard.pointee.heap)
      }
    case .detached(let record, let list, let atFront):
      record.list.attach(list, atFront: atFront, &shard.pointee.heap)
      _ = list.release(maxChunks: 0, &shard.pointee.heap)
    }
  }
}
