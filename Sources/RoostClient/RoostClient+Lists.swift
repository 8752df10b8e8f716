import RoostAPI
import TTRPC

extension RoostClient {
  /// Pushes items onto a list, one after the other; creates the list where there is none.
  /// - Parameters:
  ///   - items: 1 to 1,000.
  ///   - end: where they go.
  ///   - maxLength: the list is trimmed to it from the other end.
  ///   - mustExist: no list: `notFound`.
  ///   - expiration: when the list ends; unchanged by default, never for a new one.
  /// - Returns: the length of the list.
  /// - Throws: `RoostError`: `failedPrecondition` where the value is no list.
  @discardableResult
  public func push(
    _ key: some RoostKeyConvertible, contentsOf items: [some RoostItemConvertible],
    to end: ListEnd = .back, maxLength: Int? = nil, mustExist: Bool = false,
    expiration: Expiration = .unchanged, durability: Durability = .serverDefault,
    idempotencyKey: IdempotencyKey? = nil
  ) async throws(RoostError) -> Int {
    let request = PushRequest(
      key: key.roostKey.bytes, items: items.map(\.roostItem), end: end.message,
      expiration: try expiration.messageWhereAbsentIsUnchanged, mustExist: mustExist,
      maxLength: Int64(maxLength ?? 0), options: durability.options(idempotencyKey))
    let response = try await call { (kv, options) async throws(RPCError) in
      try await kv.push(request, options: options)
    }
    return Int(response.length)
  }

  /// Pushes one item onto a list; creates the list where there is none.
  /// - Returns: the length of the list.
  /// - Throws: what the other `push` throws.
  @discardableResult
  public func push(
    _ key: some RoostKeyConvertible, _ item: some RoostItemConvertible,
    to end: ListEnd = .back, maxLength: Int? = nil, mustExist: Bool = false,
    expiration: Expiration = .unchanged, durability: Durability = .serverDefault,
    idempotencyKey: IdempotencyKey? = nil
  ) async throws(RoostError) -> Int {
    try await push(
      key, contentsOf: [item], to: end, maxLength: maxLength, mustExist: mustExist,
      expiration: expiration, durability: durability, idempotencyKey: idempotencyKey)
  }

  /// Takes one item off a list, from the front by default; `nil`: there is no such list.
  /// - Throws: `RoostError`: `failedPrecondition` where the value is no list.
  public func pop<Item: RoostItemConvertible>(
    _ key: some RoostKeyConvertible, from end: ListEnd = .front, as type: Item.Type = Item.self,
    durability: Durability = .serverDefault,
    idempotencyKey: IdempotencyKey? = nil
  ) async throws(RoostError) -> Item? {
    try await pop(
      key, count: 1, from: end, as: type, durability: durability, idempotencyKey: idempotencyKey
    ).first
  }

  /// Takes up to `count` items off a list, from the front by default, in the order in which they
  /// come off. An emptied list is deleted.
  /// - Parameter count: 1 to 1,000.
  /// - Returns: empty: there is no such list.
  /// - Throws: `RoostError`: `failedPrecondition` where the value is no list. Items that are no
  ///   `Item` fail it too, and are gone.
  public func pop<Item: RoostItemConvertible>(
    _ key: some RoostKeyConvertible, count: Int, from end: ListEnd = .front,
    as type: Item.Type = Item.self, durability: Durability = .serverDefault,
    idempotencyKey: IdempotencyKey? = nil
  ) async throws(RoostError) -> [Item] {
    let key = key.roostKey
    let request = PopRequest(
      key: key.bytes, end: end.message, count: Int64(count),
      options: durability.options(idempotencyKey))
    let response = try await call { (kv, options) async throws(RPCError) in
      try await kv.pop(request, options: options)
    }
    return try Self.items(response.items, of: key)
  }

  /// Items of a list, from `start` to `stop`, both inclusive; negative positions count from the
  /// back, so that the default is the whole list.
  /// - Returns: `nil`: there is no such list.
  /// - Throws: `RoostError`: `failedPrecondition` where the value is no list,
  ///   `resourceExhausted` where the items do not fit one answer.
  public func listRange<Item: RoostItemConvertible>(
    _ key: some RoostKeyConvertible, from start: Int = 0, through stop: Int = -1,
    as type: Item.Type = Item.self
  ) async throws(RoostError) -> [Item]? {
    let key = key.roostKey
    let response = try await listRange(key, start, stop)
    return response.found ? try Self.items(response.items, of: key) : nil
  }

  /// How many items a list has; 0: there is no such list.
  /// - Throws: `RoostError`: `failedPrecondition` where the value is no list.
  public func listLength(_ key: some RoostKeyConvertible) async throws(RoostError) -> Int {
    // Position 1 through 0 holds nothing.
    Int(try await listRange(key.roostKey, 1, 0).length)
  }

  private func listRange(
    _ key: RoostKey, _ start: Int, _ stop: Int
  ) async throws(RoostError) -> ListRangeResponse {
    let request = ListRangeRequest(key: key.bytes, start: Int64(start), stop: Int64(stop))
    return try await call { (kv, options) async throws(RPCError) in
      try await kv.listRange(request, options: options)
    }
  }

  static func items<Item: RoostItemConvertible>(
    _ items: [[UInt8]], of key: RoostKey
  ) throws(RoostError) -> [Item] {
    let decoded = items.compactMap(Item.init(roostItem:))
    guard decoded.count == items.count else {
      throw RoostError(
        .failedPrecondition,
        "\(items.count - decoded.count) of \(items.count) items of the list at '\(key)' are no"
          + " \(Item.self)")
    }
    return decoded
  }
}
