import RoostAPI
import TTRPC

extension RoostClient {
  /// Reads a key, computes its new value, and writes it if nobody else has written meanwhile;
  /// else it does all of that again.
  ///
  /// - Parameters:
  ///   - attempts: how often at most.
  ///   - isolation: where `transform` runs: the caller's actor.
  ///   - transform: gets the value, `nil` where there is none, and gives the new one; `nil`: the
  ///     key is left as it is. It may run more than once.
  /// - Returns: what the key holds after this call.
  /// - Throws: `RoostError`, `aborted` where each attempt met another writer; what `transform`
  ///   throws.
  @discardableResult
  public func update<Value: RoostValueConvertible>(
    _ key: some RoostKeyConvertible, as type: Value.Type = Value.self,
    expiration: Expiration = .unchanged, attempts: Int = 16,
    isolation: isolated (any Actor)? = #isolation,
    _ transform: (Value?) async throws -> Value?
  ) async throws -> Value? {
    try await update(key.roostKey, .native, expiration, attempts, isolation: isolation, transform)
  }

  /// The same for a value that is kept as JSON.
  /// - Throws: what the other `update` throws.
  @_disfavoredOverload @discardableResult
  public func update<Value: Codable & Sendable>(
    _ key: some RoostKeyConvertible, as type: Value.Type = Value.self,
    expiration: Expiration = .unchanged, attempts: Int = 16,
    isolation: isolated (any Actor)? = #isolation,
    _ transform: (Value?) async throws -> Value?
  ) async throws -> Value? {
    try await update(key.roostKey, .json, expiration, attempts, isolation: isolation, transform)
  }

  private func update<Value>(
    _ key: RoostKey, _ coding: ValueCoding<Value>, _ expiration: Expiration, _ attempts: Int,
    isolation: isolated (any Actor)? = #isolation,
    _ transform: (Value?) async throws -> Value?
  ) async throws -> Value? {
    for attempt in 1...max(attempts, 1) {
      let entry = try await read(key, coding)
      guard let value = try await transform(entry?.value) else { return entry?.value }
      let encoded = try coding.encode(value)
      if try await replace(entry?.revision, key, encoded, expiration) { return value }
      // Writers that met once part again: at most 1 ms, then 2, up to 64.
      let pause = Duration.milliseconds(1 << min(attempt - 1, 6))
      try await Task.sleep(for: pause * Double.random(in: 0...1))
    }
    throw RoostError(
      .aborted, "'\(key)' was written by others in each of \(attempts) attempts to update it")
  }

  /// Writes where the key has this revision still, `nil`: where it does not exist.
  /// - Returns: `false`: it is another, or new, or gone.
  private func replace(
    _ revision: Int64?, _ key: RoostKey, _ value: RoostValue, _ expiration: Expiration
  ) async throws(RoostError) -> Bool {
    let condition = revision.map { Condition.revision($0) } ?? .absent
    let isNew = revision == nil
    do {
      _ = try await write(
        key, value, isNew && expiration == .unchanged ? .never : expiration, condition,
        .serverDefault)
      return true
    } catch {
      guard Self.isConflict(error) else { throw error }
      return false
    }
  }

  /// Whether a condition on the revision that was read has failed: the entry is another, new or
  /// gone.
  private static func isConflict(_ error: RoostError) -> Bool {
    switch error.code {
    case .aborted, .alreadyExists, .notFound: return true
    default: return false
    }
  }

  /// Adds to an integer; a missing key starts at `initial`.
  /// - Parameter expiration: when the key ends; unchanged by default, never for a new one.
  /// - Returns: the sum.
  /// - Throws: `RoostError`: `failedPrecondition` where the value is no integer, `outOfRange`
  ///   where the sum is none of 64 bits.
  @discardableResult
  public func increment(
    _ key: some RoostKeyConvertible, by delta: Int = 1, initial: Int = 0,
    expiration: Expiration = .unchanged, durability: Durability = .serverDefault,
    idempotencyKey: IdempotencyKey? = nil
  ) async throws(RoostError) -> Int {
    let request = IncrementRequest(
      key: key.roostKey.bytes, delta: Int64(delta), initial: Int64(initial),
      expiration: try expiration.messageWhereAbsentIsUnchanged,
      options: durability.options(idempotencyKey))
    let response = try await call { (kv, options) async throws(RPCError) in
      try await kv.increment(request, options: options)
    }
    return Int(response.value)
  }

  /// Changes only when a key ends.
  /// - Returns: whether there is such a key.
  /// - Throws: `RoostError`.
  @discardableResult
  public func touch(
    _ key: some RoostKeyConvertible, expiration: Expiration,
    durability: Durability = .serverDefault,
    idempotencyKey: IdempotencyKey? = nil
  ) async throws(RoostError) -> Bool {
    let request = TouchRequest(
      key: key.roostKey.bytes, expiration: expiration.message,
      options: durability.options(idempotencyKey))
    return try await call { (kv, options) async throws(RPCError) in
      try await kv.touch(request, options: options)
    }.found
  }
}
