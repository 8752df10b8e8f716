import RoostAPI
import TTRPC

/// Reads an entry whose value a page of a scan left out: by Get, and where it is a list that no
/// answer holds, in pieces. All of them are of one revision.
struct LargeValueReader {
  /// Items of the first piece. A piece that no answer holds is asked for again at half its length.
  static let pieceItemCount: Int64 = 10_000
  /// A list that changes while it is read is read again, so often.
  static let maxAttempts = 10

  private let kv: KV.Client
  private let callOptions: CallOptions

  init(_ context: CommandContext) throws {
    kv = try context.kv
    callOptions = try context.callOptions
  }

  /// - Returns: The entry as it is now; `nil`: the key is gone.
  func entry(_ key: [UInt8]) async throws -> Entry? {
    for _ in 0..<Self.maxAttempts {
      guard var entry = try await fetched(key) else { return nil }
      if !entry.valueOmitted { return entry }
      guard let items = try await items(of: entry) else { continue }
      entry.value = Value(kind: .listValue(ListValue(items: items)))
      entry.valueOmitted = false
      return entry
    }
    throw CommandFailure(
      .other, "the list '\(EscapedText.line(key))' changes faster than it can be read",
      advice: "Export again when it is quieter.")
  }

  /// With `valueOmitted` where the value needs more than one answer.
  private func fetched(_ key: [UInt8]) async throws -> Entry? {
    do { return try await fetched(key, keysOnly: false) } catch let error as RPCError
      where error.code == .resourceExhausted
    {
      var entry = try await fetched(key, keysOnly: true)
      entry?.valueOmitted = true
      return entry
    }
  }

  private func fetched(_ key: [UInt8], keysOnly: Bool) async throws -> Entry? {
    let response = try await kv.get(
      GetRequest(key: key, keysOnly: keysOnly), options: callOptions)
    guard response.found, var entry = response.entry else { return nil }
    entry.key = key
    return entry
  }

  /// - Returns: `nil`: the key has changed, or is gone.
  private func items(of entry: Entry) async throws -> [[UInt8]]? {
    var items: [[UInt8]] = []
    var pieceItemCount = Self.pieceItemCount
    while true {
      try Interrupt.check()
      let start = Int64(items.count)
      let response: ListRangeResponse
      do {
        response = try await kv.listRange(
          ListRangeRequest(key: entry.key, start: start, stop: start + pieceItemCount - 1),
          options: callOptions)
      } catch {
        switch error.code {
        case .resourceExhausted where pieceItemCount > 1:
          pieceItemCount /= 2
          continue
        // It is no list any more.
        case .failedPrecondition: return nil
        default: throw error
        }
      }
      guard response.found, response.revision == entry.revision else { return nil }
      items += response.items
      if items.count == response.length { return items }
      if response.items.isEmpty { return nil }
    }
  }
}
