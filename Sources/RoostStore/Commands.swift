// What an engine is asked to do. Everything borrowed here stays the caller's, and must be valid
// until the command has been answered.

/// A key with its hash, which the event loop computes once, when it prepares the call.
@frozen public struct KeyRef {
  /// 1 byte to 4 KiB: the caller has checked it.
  public var bytes: UnsafeRawBufferPointer
  /// `StorageEngine.hash` of the bytes, by the engine that is asked.
  public var hash: UInt64

  /// A key with its hash.
  @inlinable public init(_ bytes: UnsafeRawBufferPointer, hash: UInt64) {
    self.bytes = bytes
    self.hash = hash
  }
}

/// When a key ends. A lifetime over ten years is cut to that.
@frozen public enum ExpirationRef {
  case never
  /// As it was before this write; never for a key that was not there.
  case keep
  /// From now, 1 ms to ten years.
  case afterMillis(Int64)
  /// Unix time. One that is not in the future deletes at once.
  case atMillis(Int64)
}

/// What must hold for a write to happen; checked in the same atomic step. On a key that is
/// absent, or has expired, all but `.none` and `.exists(false)` fail with `StoreError.notFound`.
@frozen public enum ConditionRef {
  case none
  /// `true`: else `notFound`; `false`: else `alreadyExists`.
  case exists(Bool)
  /// The entry's revision is exactly this, else `revisionMismatch`.
  case revision(Int64)
  /// The entry's value has this kind and these bytes, else `valueMismatch`. A NaN equals itself.
  case value(ValueRef)
}

/// How far a write must have got before it is acknowledged.
@frozen public enum WriteDurability: UInt8, Sendable, Hashable {
  case engineDefault, memory, logged, synced
}

/// An end of a list.
@frozen public enum ListSide: UInt8, Sendable, Hashable { case back, front }

/// What every write of a single key can be told.
@frozen public struct WriteFlags {
  /// One that the engine cannot give fails the command with `durabilityUnavailable`.
  public var durability = WriteDurability.engineDefault
  /// For set and delete: the entry as it was, or, where it does not fit the answer,
  /// `replyTooLarge` and no write.
  public var returnPrevious = false
  /// The write's idempotency key; `nil`: none.
  public var ticket: UnsafePointer<AnswerTicket>?
  /// The engine's own durability, no previous entry, and no idempotency key.
  @inlinable public init() {}
}

/// Reads one key.
@frozen public struct GetCommand {
  /// The key to read.
  public var key: KeyRef
  /// Leaves the value out.
  public var keysOnly = false
  /// Reads all of the entry.
  @inlinable public init(key: KeyRef) { self.key = key }
}

/// Writes one key, whatever kind of value it had.
@frozen public struct SetCommand {
  /// The key to write.
  public var key: KeyRef
  /// A list is replaced as a whole, and may be empty.
  public var value: ValueRef
  /// When the key ends.
  public var expiration = ExpirationRef.never
  /// What must hold for it.
  public var condition = ConditionRef.none
  /// Durability, and whether the previous entry is wanted.
  public var flags = WriteFlags()
  /// Writes without a condition a key that never ends.
  @inlinable public init(key: KeyRef, value: ValueRef) {
    self.key = key
    self.value = value
  }
}

/// Deletes one key.
@frozen public struct DeleteCommand {
  /// The key to delete.
  public var key: KeyRef
  /// What must hold for it.
  public var condition = ConditionRef.none
  /// Durability, and whether the previous entry is wanted.
  public var flags = WriteFlags()
  /// Deletes without a condition.
  @inlinable public init(key: KeyRef) { self.key = key }
}

/// Adds to an int.
@frozen public struct IncrementCommand {
  /// The key of the int. Another kind fails with `wrongType`.
  public var key: KeyRef
  /// What to add. Past an end of `Int64` the command fails with `counterOverflow`.
  public var delta: Int64
  /// What a key that is not there starts at, before the addition.
  public var initial: Int64 = 0
  /// When the key ends.
  public var expiration = ExpirationRef.keep
  /// Durability.
  public var flags = WriteFlags()
  /// Adds, from 0, and keeps the lifetime.
  @inlinable public init(key: KeyRef, delta: Int64) {
    self.key = key
    self.delta = delta
  }
}

/// Changes only when a key ends.
@frozen public struct TouchCommand {
  /// The key.
  public var key: KeyRef
  /// When it ends from now on.
  public var expiration = ExpirationRef.never
  /// Durability.
  public var flags = WriteFlags()
  /// Lets the key live for ever.
  @inlinable public init(key: KeyRef) { self.key = key }
}

/// Adds items to a list, one after the other.
@frozen public struct PushCommand {
  /// The key of the list. Another kind fails with `wrongType`.
  public var key: KeyRef
  /// 1 to 1,000.
  public var items: UnsafeBufferPointer<ByteSlice>
  /// Where to add them.
  public var side = ListSide.back
  /// When the key ends.
  public var expiration = ExpirationRef.keep
  /// Fails with `notFound` where there is no list; else one is made.
  public var mustExist = false
  /// Over 0: the list is trimmed from the other end to this many items.
  public var maxLength: Int64 = 0
  /// Durability.
  public var flags = WriteFlags()
  /// Pushes to the back, makes the list where there is none, and keeps its lifetime.
  @inlinable public init(key: KeyRef, items: UnsafeBufferPointer<ByteSlice>) {
    self.key = key
    self.items = items
  }
}

extension PushCommand {
  /// What the items take together, with their lengths.
  var itemBytes: Int { items.reduce(0) { $0 &+ $1.count &+ 4 } }
}

/// Takes items from a list, which is deleted with its last.
@frozen public struct PopCommand {
  /// The key of the list. Another kind fails with `wrongType`.
  public var key: KeyRef
  /// Where to take them.
  public var side = ListSide.back
  /// 1 to 1,000; as many as there are at most.
  public var count = 1
  /// Durability.
  public var flags = WriteFlags()
  /// Pops one item from the back.
  @inlinable public init(key: KeyRef) { self.key = key }
}

/// Reads part of a list.
@frozen public struct ListRangeCommand {
  /// The key of the list. Another kind fails with `wrongType`.
  public var key: KeyRef
  /// Inclusive; negative counts from the back: -1 is the last item.
  public var start: Int64
  /// Inclusive; negative counts from the back.
  public var stop: Int64
  /// Reads from `start` to `stop`, as far as the list goes.
  @inlinable public init(key: KeyRef, start: Int64, stop: Int64) {
    self.key = key
    self.start = start
    self.stop = stop
  }
}

/// What a transaction makes its choice by.
@frozen public struct CompareRef {
  /// The key that is looked at.
  public var key: KeyRef
  /// What must hold for it.
  public var condition: ConditionRef
  /// A condition on a key.
  @inlinable public init(key: KeyRef, condition: ConditionRef) {
    self.key = key
    self.condition = condition
  }
}

/// One step of a transaction. The steps' own flags are ignored but for `returnPrevious`.
@frozen public enum OperationRef {
  case get(GetCommand)
  case set(SetCommand)
  case delete(DeleteCommand)
  case increment(IncrementCommand)
  case push(PushCommand)
  case pop(PopCommand)

  /// The key that the step is about.
  @inlinable public var key: KeyRef {
    switch self {
    case .get(let command): command.key
    case .set(let command): command.key
    case .delete(let command): command.key
    case .increment(let command): command.key
    case .push(let command): command.key
    case .pop(let command): command.key
    }
  }
}

/// Does all of some steps or none: `success` where every compare holds, else `failure`.
@frozen public struct TransactCommand {
  /// Up to 128.
  public var compares: UnsafeBufferPointer<CompareRef>
  /// Up to 128. Each sees what those before it did.
  public var success: UnsafeBufferPointer<OperationRef>
  /// Up to 128.
  public var failure: UnsafeBufferPointer<OperationRef>
  /// Of the whole transaction.
  public var durability = WriteDurability.engineDefault
  /// The transaction's idempotency key; `nil`: none.
  public var ticket: UnsafePointer<AnswerTicket>?
  /// A transaction with the engine's own durability.
  @inlinable public init(
    compares: UnsafeBufferPointer<CompareRef>,
    success: UnsafeBufferPointer<OperationRef>,
    failure: UnsafeBufferPointer<OperationRef>
  ) {
    self.compares = compares
    self.success = success
    self.failure = failure
  }
}

/// Keys in `[start, end)` that begin with `prefix`, where each of the three may be empty and then
/// bounds nothing. A prefix is no pair of bounds: its end may need one byte more than there is.
@frozen public struct KeyRangeRef {
  /// What every key begins with.
  public var prefix = UnsafeRawBufferPointer(start: nil, count: 0)
  /// Inclusive.
  public var start = UnsafeRawBufferPointer(start: nil, count: 0)
  /// Exclusive; empty: up to the last key.
  public var end = UnsafeRawBufferPointer(start: nil, count: 0)
  /// Every key.
  @inlinable public init() {}
  /// The keys that begin with `prefix`.
  @inlinable public init(prefix: UnsafeRawBufferPointer) { self.prefix = prefix }
  /// The keys from `start` on and before `end`.
  @inlinable public init(start: UnsafeRawBufferPointer, end: UnsafeRawBufferPointer) {
    self.start = start
    self.end = end
  }
}

/// Deletes all keys of a range, at one revision.
@frozen public struct DeleteRangeCommand {
  /// The keys to delete.
  public var range: KeyRangeRef
  /// Counts, and deletes nothing.
  public var dryRun = false
  /// Over it nothing is deleted: `rangeTooLarge`. It bounds how long all keys are locked.
  public var maxKeys = 10_000
  /// Of the whole command.
  public var durability = WriteDurability.engineDefault
  /// The command's idempotency key; `nil`: none.
  public var ticket: UnsafePointer<AnswerTicket>?
  /// Deletes up to 10,000 keys.
  @inlinable public init(range: KeyRangeRef) { self.range = range }
}

/// Reads a page of keys, in the order of their bytes.
@frozen public struct ScanCommand {
  /// The keys to read.
  public var range: KeyRangeRef
  /// Passes over keys that do not match.
  public var pattern: KeyPattern?
  /// Leaves the values out.
  public var keysOnly = false
  /// From the last key to the first.
  public var reverse = false
  /// The most entries of the page, 1 to 10,000.
  public var pageSize = 100
  /// The most keys that the page looks at.
  public var maxExamined = 10_000
  /// The page ends before an entry that does not fit any more. One that would not fit an empty
  /// page comes without its value.
  public var maxPageBytes = 1 << 20
  /// Goes on after this key (before it, in reverse). It never widens `range`.
  public var resumeAfter: UnsafeRawBufferPointer?
  /// Asked now and then, while no lock is held: where it says `true`, nobody waits for the page any
  /// more, and it ends where it is.
  public var isCancelled: (() -> Bool)?
  /// The first page of up to 100 entries.
  @inlinable public init(range: KeyRangeRef) { self.range = range }
}
