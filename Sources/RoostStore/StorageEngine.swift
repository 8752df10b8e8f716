/// A command's outcome: here, or to be given to the completion that `later` made.
@frozen public enum Answer<Success> {
  case now(Success)
  case later
}

/// Takes the outcome of a command that an engine answers later, exactly once, on any thread.
/// What the outcome borrows is valid during the call only.
public typealias Completion<Success> = @Sendable (Result<Success, StoreError>) -> Void

/// Makes the completion of one command. An engine calls it at most once, before the method
/// returns, and only where it returns `.later`; so a command that is answered at once
/// allocates nothing.
public typealias Later<Success> = () -> Completion<Success>

/// The data model behind every front door. Safe to call from any thread.
///
/// Every mutation is atomic and takes one revision; revisions order all mutations. Single-key
/// commands are linearizable; `transact` and `batchGet` see one instant. An expired key is never
/// visible. Results are sized before anything is changed, against `reply.budgetBytes`.
public protocol StorageEngine: AnyObject, Sendable {
  /// The engine's name in configuration and status: `memory`, `log`.
  var name: String { get }

  /// Hashes a key for `KeyRef`. Touches nothing shared.
  func hash(_ key: UnsafeRawBufferPointer) -> UInt64
  /// Brings what `hash` will need first towards the cache. Takes no lock.
  func prefetchSlot(_ hash: UInt64)
  /// Brings the entry that `hash` most likely means towards the cache, after `prefetchSlot`.
  func prefetchEntry(_ hash: UInt64)

  /// Reads a key; `nil` where it is absent or has expired. Throws `valueTooLarge` where the value
  /// does not fit the answer, which only a list's can be too large for.
  func get(
    _ command: GetCommand, _ reply: ReplyArena, later: Later<EntryRef?>
  ) throws(StoreError) -> Answer<EntryRef?>
  /// Reads keys at one instant. A value that does not fit any more is omitted.
  func batchGet(
    _ keys: UnsafeBufferPointer<KeyRef>, keysOnly: Bool, _ reply: ReplyArena,
    later: Later<BatchGetResult>
  ) throws(StoreError) -> Answer<BatchGetResult>
  /// Writes a key. Throws what its condition says; `listTooLong`, `listTooLarge`,
  /// `memoryExhausted`, `replyTooLarge`.
  func set(
    _ command: SetCommand, _ reply: ReplyArena, later: Later<SetResult>
  ) throws(StoreError) -> Answer<SetResult>
  /// Deletes a key. Throws what its condition says, and `replyTooLarge`.
  func delete(
    _ command: DeleteCommand, _ reply: ReplyArena, later: Later<DeleteResult>
  ) throws(StoreError) -> Answer<DeleteResult>
  /// Deletes the keys of a range, all at one revision. Throws `rangeTooLarge`.
  func deleteRange(
    _ command: DeleteRangeCommand, _ reply: ReplyArena, later: Later<DeleteRangeResult>
  ) throws(StoreError) -> Answer<DeleteRangeResult>
  /// Adds to an int. Throws `wrongType`, `counterOverflow`, `memoryExhausted`.
  func increment(
    _ command: IncrementCommand, _ reply: ReplyArena, later: Later<IncrementResult>
  ) throws(StoreError) -> Answer<IncrementResult>
  /// Changes when a key ends. Costs nothing that depends on its value.
  func touch(
    _ command: TouchCommand, _ reply: ReplyArena, later: Later<TouchResult>
  ) throws(StoreError) -> Answer<TouchResult>
  /// Adds items to a list, in a time that does not depend on its length. Throws `notFound`,
  /// `wrongType`, `listTooLong`, `listTooLarge`, `memoryExhausted`.
  func push(
    _ command: PushCommand, _ reply: ReplyArena, later: Later<PushResult>
  ) throws(StoreError) -> Answer<PushResult>
  /// Takes items from a list, in a time that does not depend on its length. Throws `wrongType`,
  /// and `replyTooLarge` before it takes anything.
  func pop(
    _ command: PopCommand, _ reply: ReplyArena, later: Later<PopResult>
  ) throws(StoreError) -> Answer<PopResult>
  /// Reads part of a list. Throws `wrongType`, and `replyTooLarge` where the items do not fit,
  /// or are more than 100,000.
  func listRange(
    _ command: ListRangeCommand, _ reply: ReplyArena, later: Later<ListRangeResult>
  ) throws(StoreError) -> Answer<ListRangeResult>
  /// Does all steps of a transaction or none, at one instant and one revision. Throws
  /// `stepFailed`, with a step's index and error; a get's value that does not fit is omitted
  /// instead.
  func transact(
    _ command: TransactCommand, _ reply: ReplyArena, later: Later<TransactResult>
  ) throws(StoreError) -> Answer<TransactResult>
  /// Reads a page of keys in their order. A page is no instant: a key that is there all the time
  /// is in exactly one, with a state that it had during the call.
  func scan(
    _ command: ScanCommand, _ reply: ReplyArena, later: Later<ScanResult>
  ) throws(StoreError) -> Answer<ScanResult>
  /// Counts the keys of a range at one instant, without a walk over them.
  func count(
    _ range: KeyRangeRef, _ reply: ReplyArena, later: Later<CountResult>
  ) throws(StoreError) -> Answer<CountResult>

  /// What answers wait for before they may leave; `nil`: nothing.
  var logDurability: LogDurability? { get }

  /// Takes a snapshot now; `completion` is called once, on any thread. An engine that keeps
  /// nothing on a disk says `LogError.notPossible`.
  func takeSnapshot(
    _ completion: @escaping @Sendable (Result<SnapshotSummary, LogError>) -> Void)

  /// The engine's figures, as they are now.
  func status() -> EngineStatus
  /// Stops the engine's threads. No command may come after it.
  func close()
}

extension StorageEngine {
  /// Nothing.
  public var logDurability: LogDurability? { nil }

  /// Says that it keeps nothing on a disk.
  public func takeSnapshot(
    _ completion: @escaping @Sendable (Result<SnapshotSummary, LogError>) -> Void
  ) {
    completion(.failure(.notPossible("the engine \(name) keeps nothing on a disk")))
  }
}
