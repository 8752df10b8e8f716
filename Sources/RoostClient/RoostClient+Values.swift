import RoostAPI
import TTRPC

extension RoostClient {
  /// What a write did.
  public struct WriteResult: Sendable, Hashable {
    /// Of this write; higher than all before, in the whole store.
    public let revision: Int64
    /// Whether the key is new.
    public let created: Bool
  }

  // MARK: Read

  /// The value of a key; `nil`: there is no such key.
  /// - Throws: `RoostError`; its `typeMismatch` is set where the value has another type.
  public func get<Value: RoostValueConvertible>(
    _ key: some RoostKeyConvertible, as type: Value.Type = Value.self
  ) async throws(RoostError) -> Value? {
    try await read(key.roostKey, .native)?.value
  }

  /// The value of a key whose text is the JSON of `type`; `nil`: there is no such key.
  /// - Throws: `RoostError`; its `typeMismatch` is set where the value is no text.
  @_disfavoredOverload
  public func get<Value: Codable & Sendable>(
    _ key: some RoostKeyConvertible, as type: Value.Type = Value.self
  ) async throws(RoostError) -> Value? {
    try await read(key.roostKey, .json)?.value
  }

  /// A key with its value and history; `nil`: there is no such key.
  /// - Throws: what `get` throws.
  public func entry<Value: RoostValueConvertible>(
    _ key: some RoostKeyConvertible, as type: Value.Type = Value.self
  ) async throws(RoostError) -> Entry<Value>? {
    try await read(key.roostKey, .native)
  }

  /// A key with its value, from JSON, and history; `nil`: there is no such key.
  /// - Throws: what `get` throws.
  @_disfavoredOverload
  public func entry<Value: Codable & Sendable>(
    _ key: some RoostKeyConvertible, as type: Value.Type = Value.self
  ) async throws(RoostError) -> Entry<Value>? {
    try await read(key.roostKey, .json)
  }

  /// A key's history without its value, whatever its type; `nil`: there is no such key.
  /// - Throws: `RoostError`.
  public func info(_ key: some RoostKeyConvertible) async throws(RoostError) -> Entry<Void>? {
    let key = key.roostKey
    let response = try await call { (kv, options) async throws(RPCError) in
      try await kv.get(GetRequest(key: key.bytes, keysOnly: true), options: options)
    }
    return response.entry.map { Entry($0, key: key, value: ()) }
  }

  /// Whether there is such a key.
  /// - Throws: `RoostError`.
  public func exists(_ key: some RoostKeyConvertible) async throws(RoostError) -> Bool {
    try await info(key) != nil
  }

  func read<Value>(
    _ key: RoostKey, _ coding: ValueCoding<Value>
  ) async throws(RoostError) -> Entry<Value>? {
    let response = try await call { (kv, options) async throws(RPCError) in
      try await kv.get(GetRequest(key: key.bytes), options: options)
    }
    guard response.found, let entry = response.entry else { return nil }
    return try entry.decoded(key, coding)
  }

  // MARK: Write

  /// Sets a key to a value, whatever was there before.
  /// - Throws: `RoostError`; see `Condition` for what a failed condition throws.
  @discardableResult
  public func set(
    _ key: some RoostKeyConvertible, _ value: some RoostValueConvertible,
    expiration: Expiration = .never, if condition: Condition? = nil,
    durability: Durability = .serverDefault,
    idempotencyKey: IdempotencyKey? = nil
  ) async throws(RoostError) -> WriteResult {
    try await write(
      key.roostKey, value.roostValue, expiration, condition, durability, idempotencyKey)
  }

  /// Sets a key to the JSON of a value, as a text, whatever was there before.
  /// - Throws: what the other `set` throws; `invalidArgument` where the value has no JSON.
  @_disfavoredOverload @discardableResult
  public func set(
    _ key: some RoostKeyConvertible, _ value: some Encodable & Sendable,
    expiration: Expiration = .never, if condition: Condition? = nil,
    durability: Durability = .serverDefault,
    idempotencyKey: IdempotencyKey? = nil
  ) async throws(RoostError) -> WriteResult {
    try await write(
      key.roostKey, encodeJSON(value), expiration, condition, durability, idempotencyKey)
  }

  /// Sets a key that exists; it ends when it would have ended.
  /// - Throws: `RoostError`, `notFound` where there is no such key.
  @discardableResult
  public func update(
    _ key: some RoostKeyConvertible, to value: some RoostValueConvertible,
    expiration: Expiration = .unchanged, durability: Durability = .serverDefault,
    idempotencyKey: IdempotencyKey? = nil
  ) async throws(RoostError) -> WriteResult {
    try await write(key.roostKey, value.roostValue, expiration, .exists, durability, idempotencyKey)
  }

  /// Sets a key that exists to the JSON of a value; it ends when it would have ended.
  /// - Throws: `RoostError`, `notFound` where there is no such key.
  @_disfavoredOverload @discardableResult
  public func update(
    _ key: some RoostKeyConvertible, to value: some Encodable & Sendable,
    expiration: Expiration = .unchanged, durability: Durability = .serverDefault,
    idempotencyKey: IdempotencyKey? = nil
  ) async throws(RoostError) -> WriteResult {
    try await write(
      key.roostKey, encodeJSON(value), expiration, .exists, durability, idempotencyKey)
  }

  /// Sets a key that does not exist: a lock, for example.
  /// - Returns: whether it was set; `false`: the key exists.
  /// - Throws: `RoostError`.
  public func create(
    _ key: some RoostKeyConvertible, _ value: some RoostValueConvertible,
    expiration: Expiration = .never, durability: Durability = .serverDefault,
    idempotencyKey: IdempotencyKey? = nil
  ) async throws(RoostError) -> Bool {
    try await create(key.roostKey, value.roostValue, expiration, durability, idempotencyKey)
  }

  /// Sets a key that does not exist to the JSON of a value.
  /// - Returns: whether it was set; `false`: the key exists.
  /// - Throws: `RoostError`.
  @_disfavoredOverload
  public func create(
    _ key: some RoostKeyConvertible, _ value: some Encodable & Sendable,
    expiration: Expiration = .never, durability: Durability = .serverDefault,
    idempotencyKey: IdempotencyKey? = nil
  ) async throws(RoostError) -> Bool {
    try await create(key.roostKey, encodeJSON(value), expiration, durability, idempotencyKey)
  }

  /// Deletes a key.
  /// - Returns: whether there was one.
  /// - Throws: `RoostError`; see `Condition` for what a failed condition throws.
  @discardableResult
  public func delete(
    _ key: some RoostKeyConvertible, if condition: Condition? = nil,
    durability: Durability = .serverDefault,
    idempotencyKey: IdempotencyKey? = nil
  ) async throws(RoostError) -> Bool {
    let request = DeleteRequest(
      key: key.roostKey.bytes, condition: condition?.message,
      options: durability.options(idempotencyKey))
    return try await call { (kv, options) async throws(RPCError) in
      try await kv.delete(request, options: options)
    }.deleted
  }

  /// Deletes a key and gives what it held; `nil`: there was none.
  /// - Throws: `RoostError`. Where the value has another type, it is deleted all the same.
  public func take<Value: RoostValueConvertible>(
    _ key: some RoostKeyConvertible, as type: Value.Type = Value.self,
    durability: Durability = .serverDefault,
    idempotencyKey: IdempotencyKey? = nil
  ) async throws(RoostError) -> Value? {
    let key = key.roostKey
    let request = DeleteRequest(
      key: key.bytes, options: durability.options(idempotencyKey, returnPrevious: true))
    let response = try await call { (kv, options) async throws(RPCError) in
      try await kv.delete(request, options: options)
    }
    return try response.previous?.decoded(key, ValueCoding<Value>.native).value
  }

  /// Sets a key and gives what it held before; `nil`: it is new.
  /// - Throws: `RoostError`. Where the old value has another type, the new one is set all the
  ///   same.
  public func exchange<Value: RoostValueConvertible>(
    _ key: some RoostKeyConvertible, _ value: Value, expiration: Expiration = .never,
    durability: Durability = .serverDefault,
    idempotencyKey: IdempotencyKey? = nil
  ) async throws(RoostError) -> Value? {
    let key = key.roostKey
    let request = SetRequest(
      key: key.bytes, value: value.roostValue.message, expiration: expiration.message,
      options: durability.options(idempotencyKey, returnPrevious: true))
    let response = try await call { (kv, options) async throws(RPCError) in
      try await kv.set(request, options: options)
    }
    return try response.previous?.decoded(key, ValueCoding<Value>.native).value
  }

  func write(
    _ key: RoostKey, _ value: RoostValue, _ expiration: Expiration, _ condition: Condition?,
    _ durability: Durability, _ idempotencyKey: IdempotencyKey? = nil
  ) async throws(RoostError) -> WriteResult {
    let request = SetRequest(
      key: key.bytes, value: value.message, expiration: expiration.message,
      condition: condition?.message, options: durability.options(idempotencyKey))
    let response = try await call { (kv, options) async throws(RPCError) in
      try await kv.set(request, options: options)
    }
    return WriteResult(revision: response.revision, created: response.created)
  }

  private func create(
    _ key: RoostKey, _ value: RoostValue, _ expiration: Expiration, _ durability: Durability,
    _ idempotencyKey: IdempotencyKey?
  ) async throws(RoostError) -> Bool {
    do {
      _ = try await write(key, value, expiration, .absent, durability, idempotencyKey)
      return true
    } catch {
      guard error.code == .alreadyExists else { throw error }
      return false
    }
  }

  /// One call of the service, with this client's options, and its error as this layer's.
  func call<Response>(
    _ body: (KV.Client, CallOptions) async throws(RPCError) -> Response
  ) async throws(RoostError) -> Response {
    do {
      return try await body(KV.Client(rpc), callOptions)
    } catch {
      throw RoostError(error)
    }
  }
}
