import RoostAPI
import TTRPC

/// Writes one entry of an import: in one Set, or a long list in pieces.
///
/// 1. The first piece of a long list is a Set, the other ones are pushed. Until the last of them
///    is there the list ends by itself `unfinishedMillis` after the last piece, so that an import
///    that was killed leaves no part of a list that looks like a whole one.
/// 2. A push needs the list that the set has made, with the length that it should have: another
///    client's change in between fails the entry.
struct EntryWriter: Sendable {
  /// A list up to this size goes in one Set.
  static let maxSetItems = 10_000
  static let maxSetBytes = 1 << 20
  static let unfinishedMillis: Int64 = 60_000

  let kv: KV.Client
  let callOptions: CallOptions
  /// What is there stays.
  let ifAbsent: Bool
  let writeOptions: WriteOptions?

  private var condition: Condition? { ifAbsent ? Condition(kind: .exists(false)) : nil }

  /// - Returns: `false`: there was an entry, which was kept.
  func write(_ entry: ImportEntry) async throws(RPCError) -> Bool {
    if case .listValue(let list) = entry.kind, Self.isLong(list.items) {
      return try await writeLong(entry, list.items)
    }
    do {
      _ = try await kv.set(
        SetRequest(
          key: entry.key, value: Value(kind: entry.kind), expiration: Self.end(entry),
          condition: condition, options: writeOptions),
        options: callOptions)
      return true
    } catch {
      guard error.code == .alreadyExists else { throw error }
      return false
    }
  }

  /// How many calls an entry takes.
  static func callCount(_ entry: ImportEntry) -> Int {
    guard case .listValue(let list) = entry.kind, isLong(list.items) else { return 1 }
    var batches = PushBatches(list.items)
    var count = 1
    while batches.next() != nil { count += 1 }
    return count
  }

  private static func isLong(_ items: [[UInt8]]) -> Bool {
    items.count > maxSetItems || items.reduce(0) { $0 + $1.count } > maxSetBytes
  }

  private static func end(_ entry: ImportEntry) -> Expiration? {
    entry.expiresAtMs == 0 ? nil : Expiration(kind: .atMs(entry.expiresAtMs))
  }

  // MARK: Long lists

  private func writeLong(
    _ entry: ImportEntry, _ items: [[UInt8]]
  ) async throws(RPCError) -> Bool {
    let unfinished = Expiration(kind: .ttlMs(Self.unfinishedMillis))
    var batches = PushBatches(items)
    let first = batches.next() ?? []
    guard try await begin(entry, first, items, unfinished) else { return false }
    var count = first.count
    while let batch = batches.next() {
      count += batch.count
      let response: PushResponse
      do {
        response = try await kv.push(
          PushRequest(
            key: entry.key, items: batch, end: .back, expiration: unfinished, mustExist: true,
            options: writeOptions),
          options: callOptions)
      } catch {
        throw error.code == .notFound ? Self.changed() : error
      }
      guard response.length == count else { throw Self.changed() }
    }
    let response = try await kv.touch(
      TouchRequest(key: entry.key, expiration: Self.end(entry), options: writeOptions),
      options: callOptions)
    // An end that has come meanwhile has deleted it.
    let hasEnded = entry.expiresAtMs != 0 && entry.expiresAtMs <= WallClock.nowMillis()
    guard response.found || hasEnded else { throw Self.changed() }
    return true
  }

  /// Sets the first piece.
  /// - Returns: `false`: there was an entry, which was kept.
  private func begin(
    _ entry: ImportEntry, _ first: [[UInt8]], _ items: [[UInt8]], _ unfinished: Expiration
  ) async throws(RPCError) -> Bool {
    var request = SetRequest(
      key: entry.key, value: Value(kind: .listValue(ListValue(items: first))),
      expiration: unfinished, condition: condition, options: writeOptions)
    do {
      _ = try await kv.set(request, options: callOptions)
      return true
    } catch {
      guard error.code == .alreadyExists else { throw error }
    }
    guard let revision = try await unfinishedRevision(entry, items) else { return false }
    request.condition = Condition(kind: .revision(revision))
    _ = try await kv.set(request, options: callOptions)
    return true
  }

  /// The revision of what a killed import left of this list; `nil`: it is something else.
  private func unfinishedRevision(
    _ entry: ImportEntry, _ items: [[UInt8]]
  ) async throws(RPCError) -> Int64? {
    let response = try await kv.get(
      GetRequest(key: entry.key, keysOnly: true), options: callOptions)
    guard response.found, let found = response.entry, found.expiresAtMs != 0,
      found.expiresAtMs != entry.expiresAtMs,
      found.expiresAtMs <= WallClock.nowMillis() + Self.unfinishedMillis
    else { return nil }
    let last: ListRangeResponse
    do {
      last = try await kv.listRange(
        ListRangeRequest(key: entry.key, start: -1, stop: -1), options: callOptions)
    } catch {
      guard error.code == .failedPrecondition else { throw error }
      return nil
    }
    guard last.found, last.revision == found.revision, last.length > 0,
      last.length <= items.count, last.items.first == items[Int(last.length) - 1]
    else { return nil }
    return found.revision
  }

  private static func changed() -> RPCError {
    RPCError(.aborted, "the list was changed by another client while it was imported")
  }
}
