/// What a `MemoryEngine` is built with.
public struct MemoryEngineConfiguration: Sendable {
  /// Parts that are locked on their own: a power of two from 1 to 64.
  public var shardCount = 16
  /// The most items that one list may hold.
  public var maxListItems = 1_000_000
  /// The most bytes that the items of one list may take together.
  public var maxListBytes = 64 << 20
  /// Writes that would take more memory than this fail with `StoreError.memoryExhausted`;
  /// calls at the same moment may pass it by what they add themselves. `nil`: no bound.
  public var maxMemoryBytes: Int?
  /// What the answers of idempotency keys may take together; over it the oldest go first.
  public var maxIdempotencyBytes = 64 << 20
  /// Told, once a minute at most, when answers had to go that were younger than
  /// `AnswerTicket.windowMillis`: how old they were, in milliseconds. Called by whoever writes.
  public var onShortWindow: @Sendable (Int64) -> Void = { _ in }
  /// Where the engine reads the time.
  public var clock: any StoreClock = SystemStoreClock()
  /// Whether a thread of the engine's own frees expired keys. Where it is `false`, that
  /// happens in `MemoryEngine.sweep()` only, for tests; expired keys are invisible either way.
  public var sweepsInBackground = true

  /// The defaults.
  public init() {}
}
