import RoostAPI
import TTRPC

extension RoostClient {
  /// The values of many keys, all at one instant, in the order of the keys; `nil`: there is no
  /// such key.
  /// - Parameter keys: up to 1,000.
  /// - Throws: `RoostError`; its `typeMismatch` is set where a value has another type.
  public func get<Value: RoostValueConvertible>(
    keys: [some RoostKeyConvertible], as type: Value.Type = Value.self
  ) async throws(RoostError) -> [Value?] {
    try await read(keys: keys.map(\.roostKey), .native).map { $0?.value }
  }

  /// The same for values that are kept as JSON.
  /// - Throws: what the other `get` throws.
  @_disfavoredOverload
  public func get<Value: Codable & Sendable>(
    keys: [some RoostKeyConvertible], as type: Value.Type = Value.self
  ) async throws(RoostError) -> [Value?] {
    try await read(keys: keys.map(\.roostKey), .json).map { $0?.value }
  }

  /// Many keys with values and history, all at one instant, in the order of the keys; `nil`: there
  /// is no such key.
  /// - Parameter keys: up to 1,000.
  /// - Throws: what `get` throws.
  public func entries<Value: RoostValueConvertible>(
    keys: [some RoostKeyConvertible], as type: Value.Type = Value.self
  ) async throws(RoostError) -> [Entry<Value>?] {
    try await read(keys: keys.map(\.roostKey), .native)
  }

  /// The same for values that are kept as JSON.
  /// - Throws: what `get` throws.
  @_disfavoredOverload
  public func entries<Value: Codable & Sendable>(
    keys: [some RoostKeyConvertible], as type: Value.Type = Value.self
  ) async throws(RoostError) -> [Entry<Value>?] {
    try await read(keys: keys.map(\.roostKey), .json)
  }

  private func read<Value>(
    keys: [RoostKey], _ coding: ValueCoding<Value>
  ) async throws(RoostError) -> [Entry<Value>?] {
    let request = BatchGetRequest(keys: keys.map(\.bytes))
    let response = try await call { (kv, options) async throws(RPCError) in
      try await kv.batchGet(request, options: options)
    }
    guard response.results.count == keys.count else {
      throw RoostError(
        .internal, "\(keys.count) keys were asked for; \(response.results.count) were answered")
    }
    var entries: [Entry<Value>?] = []
    entries.reserveCapacity(keys.count)
    for (key, result) in zip(keys, response.results) {
      guard result.found, let entry = result.entry else {
        entries.append(nil)
        continue
      }
      // What did not fit the answer is read by itself, and so at a later instant.
      entries.append(
        entry.valueOmitted ? try await read(key, coding) : try entry.decoded(key, coding))
    }
    return entries
  }

  /// How many keys there are.
  /// - Throws: `RoostError`.
  public func count(_ range: KeyRange = .all) async throws(RoostError) -> Int {
    let response = try await call { (kv, options) async throws(RPCError) in
      try await kv.count(CountRequest(range: range.message), options: options)
    }
    return Int(response.count)
  }

  /// Deletes every key of a range, in one step.
  /// - Parameter dryRun: only counts them.
  /// - Returns: how many keys there were.
  /// - Throws: `RoostError`: `resourceExhausted` where there are more keys than the server
  ///   deletes at once; then nothing was deleted.
  @discardableResult
  public func delete(
    _ range: KeyRange, dryRun: Bool = false, durability: Durability = .serverDefault,
    idempotencyKey: IdempotencyKey? = nil
  ) async throws(RoostError) -> Int {
    let request = DeleteRangeRequest(
      range: range.message, dryRun: dryRun, options: durability.options(idempotencyKey))
    let response = try await call { (kv, options) async throws(RPCError) in
      try await kv.deleteRange(request, options: options)
    }
    return Int(response.deleted)
  }
}
