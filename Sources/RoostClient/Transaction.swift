import RoostAPI
import TTRPC

extension RoostClient {
  /// What must hold of one key for a transaction to take its first branch.
  public struct Compare: Sendable, Hashable {
    let message: RoostAPI.Compare

    /// A key and what must hold of it.
    public init(_ key: some RoostKeyConvertible, _ condition: Condition) {
      message = RoostAPI.Compare(key: key.roostKey.bytes, condition: condition.message)
    }
  }

  /// One step of a transaction.
  public struct Step: Sendable, Hashable {
    let message: RoostAPI.Operation

    /// Reads a key.
    public static func get(_ key: some RoostKeyConvertible) -> Step {
      Step(message: Operation(kind: .get(GetRequest(key: key.roostKey.bytes))))
    }

    /// Sets a key. A failed condition fails the whole transaction.
    public static func set(
      _ key: some RoostKeyConvertible, _ value: some RoostValueConvertible,
      expiration: Expiration = .never, if condition: Condition? = nil
    ) -> Step {
      let request = SetRequest(
        key: key.roostKey.bytes, value: value.roostValue.message,
        expiration: expiration.message, condition: condition?.message)
      return Step(message: Operation(kind: .set(request)))
    }

    /// Deletes a key. A failed condition fails the whole transaction.
    public static func delete(
      _ key: some RoostKeyConvertible, if condition: Condition? = nil
    ) -> Step {
      let request = DeleteRequest(key: key.roostKey.bytes, condition: condition?.message)
      return Step(message: Operation(kind: .delete(request)))
    }

    /// Adds to an integer; a missing key starts at `initial`. When it ends is left as it was.
    public static func increment(
      _ key: some RoostKeyConvertible, by delta: Int = 1, initial: Int = 0
    ) -> Step {
      let request = IncrementRequest(
        key: key.roostKey.bytes, delta: Int64(delta), initial: Int64(initial))
      return Step(message: Operation(kind: .increment(request)))
    }

    /// Pushes items onto a list; creates the list where there is none.
    public static func push<Item: RoostItemConvertible>(
      _ key: some RoostKeyConvertible, _ items: Item..., to end: ListEnd = .back
    ) -> Step {
      let request = PushRequest(
        key: key.roostKey.bytes, items: items.map(\.roostItem), end: end.message)
      return Step(message: Operation(kind: .push(request)))
    }

    /// Takes up to `count` items off a list, from the front by default.
    public static func pop(
      _ key: some RoostKeyConvertible, count: Int = 1, from end: ListEnd = .front
    ) -> Step {
      let request = PopRequest(key: key.roostKey.bytes, end: end.message, count: Int64(count))
      return Step(message: Operation(kind: .pop(request)))
    }
  }

  /// What one step did.
  public enum StepResult: Sendable, Hashable {
    /// `nil`: there is no such key.
    case get(Entry<RoostValue>?)
    /// Whether the key is new.
    case set(created: Bool)
    /// Whether there was such a key.
    case delete(deleted: Bool)
    /// The sum.
    case increment(Int)
    /// The length of the list.
    case push(length: Int)
    /// The items, and the length of what is left.
    case pop(items: [[UInt8]], length: Int)
  }

  /// What a transaction did.
  public struct TransactionResult: Sendable, Hashable {
    /// Whether every comparison held, so that the first branch was taken.
    public let succeeded: Bool
    /// Of the branch that was taken, in the order of its steps.
    public let results: [StepResult]
    /// Of all its changes, or of the store where it made none.
    public let revision: Int64
  }

  /// Takes one of two branches, all of it at one revision, or, where a step fails, nothing of it.
  /// - Parameters:
  ///   - comparisons: if all hold, `steps` happen, else `alternative`; up to 128.
  ///   - steps: up to 128.
  ///   - alternative: up to 128.
  /// - Throws: `RoostError`: the code of the step that failed; its message names the step's index.
  public func transact(
    if comparisons: [Compare] = [], then steps: [Step], else alternative: [Step] = [],
    durability: Durability = .serverDefault,
    idempotencyKey: IdempotencyKey? = nil
  ) async throws(RoostError) -> TransactionResult {
    let request = TransactRequest(
      compares: comparisons.map(\.message), success: steps.map(\.message),
      failure: alternative.map(\.message), options: durability.options(idempotencyKey))
    let response = try await call { (kv, options) async throws(RPCError) in
      try await kv.transact(request, options: options)
    }
    let taken = response.succeeded ? steps : alternative
    guard taken.count == response.results.count else {
      throw RoostError(
        .internal, "\(taken.count) steps were taken; \(response.results.count) were answered")
    }
    var results: [StepResult] = []
    for (step, result) in zip(taken, response.results) {
      results.append(try StepResult(result, of: step))
    }
    return TransactionResult(
      succeeded: response.succeeded, results: results, revision: response.revision)
  }
}

extension RoostClient.StepResult {
  /// - Throws: `internal` where the result is not the step's; a value's mismatch.
  fileprivate init(
    _ result: OperationResult, of step: RoostClient.Step
  ) throws(RoostError) {
    switch (step.message.kind, result.kind) {
    case (.get(let request), .get(let response)):
      let key = RoostKey(request.key)
      guard response.found, let entry = response.entry else {
        self = .get(nil)
        return
      }
      self = .get(try entry.decoded(key, .native))
    case (.set, .set(let response)): self = .set(created: response.created)
    case (.delete, .delete(let response)): self = .delete(deleted: response.deleted)
    case (.increment, .increment(let response)): self = .increment(Int(response.value))
    case (.push, .push(let response)): self = .push(length: Int(response.length))
    case (.pop, .pop(let response)):
      self = .pop(items: response.items, length: Int(response.length))
    default: throw RoostError(.internal, "a step of the transaction has another step's result")
    }
  }
}
