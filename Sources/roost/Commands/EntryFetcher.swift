import RoostAPI
import TTRPC

/// Gets entries with their values also where one answer cannot hold them all.
struct EntryFetcher {
  private let context: CommandContext

  init(_ context: CommandContext) { self.context = context }

  /// All keys at one instant where their values fit one answer. Where they do not, values are
  /// fetched one by one, and may be newer.
  ///
  /// - Parameter keys: At most the server's limit for a batch.
  func entries(_ keys: [[UInt8]], keysOnly: Bool) async throws -> [Entry?] {
    let response: BatchGetResponse
    do {
      response = try await context.kv.batchGet(
        BatchGetRequest(keys: keys, keysOnly: keysOnly), options: context.callOptions)
    } catch let error as RPCError where error.code == .resourceExhausted && keys.count > 1 {
      let half = keys.count / 2
      let front = try await entries(Array(keys[..<half]), keysOnly: keysOnly)
      return front + (try await entries(Array(keys[half...]), keysOnly: keysOnly))
    }
    guard response.results.count == keys.count else {
      throw CommandFailure(
        .other, "the server answered for \(response.results.count) keys of \(keys.count)")
    }
    var entries: [Entry?] = []
    for (key, result) in zip(keys, response.results) {
      guard result.found, var entry = result.entry else {
        entries.append(nil)
        continue
      }
      entry.key = key
      if entry.valueOmitted, !keysOnly { entry = try await completed(entry) ?? entry }
      entries.append(entry)
    }
    return entries
  }

  /// The entry with the value that a page left out, as it is now; `nil`: the key is gone.
  ///
  /// A list that is larger than any answer stays without its value: `roost range` reads its parts.
  func completed(_ entry: Entry) async throws -> Entry? {
    do {
      let response = try await context.kv.get(
        GetRequest(key: entry.key), options: context.callOptions)
      guard response.found, var fetched = response.entry else { return nil }
      fetched.key = entry.key
      return fetched
    } catch let error as RPCError where error.code == .resourceExhausted {
      // Larger than an answer: below.
    }
    context.note(
      "too large for one answer: \(EscapedText.line(entry.key)) (read it with roost range)\n")
    return entry
  }
}
