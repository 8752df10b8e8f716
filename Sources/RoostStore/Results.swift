// What commands answer with. Everything borrowed lives in the `ReplyArena` of the call.
//
// A write whose `ExpirationRef.atMillis` is not after now deletes its key: that is a mutation
// with a revision where the key was there, and else nothing happens, with revision 0.

/// What a set did. An empty list is a value too: only a list that `pop` empties is deleted.
@frozen public struct SetResult {
  /// 0 where nothing changed.
  public var revision: Int64
  /// The key was not there before.
  public var created: Bool
  /// As it was before, where that was asked for.
  public var previous: EntryRef?
  /// An answer of these parts.
  @inlinable public init(revision: Int64, created: Bool, previous: EntryRef?) {
    self.revision = revision
    self.created = created
    self.previous = previous
  }
}

/// What a delete did.
@frozen public struct DeleteResult {
  /// `false`: there was no such key.
  public var deleted: Bool
  /// 0 where nothing was deleted.
  public var revision: Int64
  /// As it was before, where that was asked for.
  public var previous: EntryRef?
  /// An answer of these parts.
  @inlinable public init(deleted: Bool, revision: Int64, previous: EntryRef?) {
    self.deleted = deleted
    self.revision = revision
    self.previous = previous
  }
}

/// What a delete over a range did, or in a dry run would do (with revision 0).
@frozen public struct DeleteRangeResult {
  /// How many keys.
  public var deleted: Int64
  /// 0 where nothing was deleted.
  public var revision: Int64
  /// An answer of these parts.
  @inlinable public init(deleted: Int64, revision: Int64) {
    self.deleted = deleted
    self.revision = revision
  }
}

/// What an increment did. A missing key becomes `initial + delta`.
@frozen public struct IncrementResult {
  /// After the addition.
  public var value: Int64
  /// 0 where nothing changed.
  public var revision: Int64
  /// An answer of these parts.
  @inlinable public init(value: Int64, revision: Int64) {
    self.value = value
    self.revision = revision
  }
}

/// What a touch did. It counts as a change of the key, its version rises, but with
/// `ExpirationRef.keep`, which changes nothing.
@frozen public struct TouchResult {
  /// Whether there was such a key.
  public var found: Bool
  /// Unix time; 0: never.
  public var expiresAtMillis: Int64
  /// Of the key now; 0 where there was none.
  public var revision: Int64
  /// An answer of these parts.
  @inlinable public init(found: Bool, expiresAtMillis: Int64, revision: Int64) {
    self.found = found
    self.expiresAtMillis = expiresAtMillis
    self.revision = revision
  }
}

/// What a push did.
@frozen public struct PushResult {
  /// Of the list, after the trim.
  public var length: Int64
  /// 0 where nothing changed.
  public var revision: Int64
  /// An answer of these parts.
  @inlinable public init(length: Int64, revision: Int64) {
    self.length = length
    self.revision = revision
  }
}

/// What a pop took.
@frozen public struct PopResult {
  /// In the order in which they were popped.
  public var items: UnsafeBufferPointer<ByteSlice>
  /// What is left in the list.
  public var length: Int64
  /// 0 where there was no list, or an empty one.
  public var revision: Int64
  /// An answer of these parts.
  @inlinable public init(items: UnsafeBufferPointer<ByteSlice>, length: Int64, revision: Int64) {
    self.items = items
    self.length = length
    self.revision = revision
  }
}

/// Part of a list.
@frozen public struct ListRangeResult {
  /// Whether there is such a list.
  public var found: Bool
  /// The items of the range, front first.
  public var items: UnsafeBufferPointer<ByteSlice>
  /// Of the whole list.
  public var length: Int64
  /// Of the list; 0 where there is none.
  public var revision: Int64
  /// An answer of these parts.
  @inlinable public init(
    found: Bool, items: UnsafeBufferPointer<ByteSlice>, length: Int64, revision: Int64
  ) {
    self.found = found
    self.items = items
    self.length = length
    self.revision = revision
  }
}

/// Many keys at one instant.
@frozen public struct BatchGetResult {
  /// In the order of the request; `nil` for a key that is absent.
  public var entries: UnsafeBufferPointer<EntryRef?>
  /// The store's at that instant.
  public var revision: Int64
  /// An answer of these parts.
  @inlinable public init(entries: UnsafeBufferPointer<EntryRef?>, revision: Int64) {
    self.entries = entries
    self.revision = revision
  }
}

/// What one step of a transaction did.
@frozen public enum OperationResult {
  case get(EntryRef?)
  case set(SetResult)
  case delete(DeleteResult)
  case increment(IncrementResult)
  case push(PushResult)
  case pop(PopResult)
}

/// What a transaction did. All that its steps changed has this one revision.
@frozen public struct TransactResult {
  /// Whether every compare held.
  public var succeeded: Bool
  /// Of each step that was done, in order.
  public var results: UnsafeBufferPointer<OperationResult>
  /// The store's where no step changed anything.
  public var revision: Int64
  /// An answer of these parts.
  @inlinable public init(
    succeeded: Bool, results: UnsafeBufferPointer<OperationResult>, revision: Int64
  ) {
    self.succeeded = succeeded
    self.results = results
    self.revision = revision
  }
}

/// A page of keys, in the order of the scan.
@frozen public struct ScanResult {
  /// Their `key` is set.
  public var entries: UnsafeBufferPointer<EntryRef>
  /// The last key that was examined; `nil` when the range is done.
  public var resumeAfter: UnsafeRawBufferPointer?
  /// Keys passed, those that had expired or did not match included.
  public var examined: Int
  /// The store's when the page was begun.
  public var revision: Int64
  /// An answer of these parts.
  @inlinable public init(
    entries: UnsafeBufferPointer<EntryRef>, resumeAfter: UnsafeRawBufferPointer?, examined: Int,
    revision: Int64
  ) {
    self.entries = entries
    self.resumeAfter = resumeAfter
    self.examined = examined
    self.revision = revision
  }
}

/// How many keys a range holds.
@frozen public struct CountResult {
  /// Keys that are there and have not expired.
  public var count: Int64
  /// The store's at that instant.
  public var revision: Int64
  /// An answer of these parts.
  @inlinable public init(count: Int64, revision: Int64) {
    self.count = count
    self.revision = revision
  }
}

/// A snapshot of an engine's figures.
public struct EngineStatus: Sendable, Hashable {
  /// The newest revision.
  public var revision: Int64 = 0
  /// Everything up to here survives power loss; 0: nothing does.
  public var durableRevision: Int64 = 0
  /// Keys that are there and have not expired.
  public var keyCount: Int64 = 0
  /// What keys, values and their index take, and what is deleted and not yet freed.
  public var memoryBytes: Int64 = 0
  /// What the log takes on disk; 0 where there is none.
  public var logBytes: Int64 = 0
  /// What the answers take that idempotency keys have.
  public var idempotencyBytes: Int64 = 0
  /// How long ago a write may have been and still be known by its key, in milliseconds:
  /// `AnswerTicket.windowMillis`, or less where answers had to go because there were too many.
  public var idempotencyWindowMillis: Int64 = 0
  /// All zero.
  public init() {}
}
