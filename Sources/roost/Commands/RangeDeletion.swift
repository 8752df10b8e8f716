import RoostAPI
import TTRPC

/// Deletes every key of a range: in one call where the server allows that many, else in steps of
/// at most `stepKeyCount` keys. Each step is atomic, all of them together are not.
struct RangeDeletion {
  /// The largest page of a scan.
  static let stepKeyCount: Int64 = 10_000

  let range: KeyRange
  let isConfirmed: Bool
  let writeOptions: WriteOptions?

  func execute(_ context: CommandContext) async throws -> ExitStatus {
    if !isConfirmed {
      guard context.terminal.inputIsTerminal, context.terminal.errorIsTerminal else {
        throw UsageError("del --prefix deletes many keys: add --yes where nobody can be asked")
      }
      let count = try await count(context)
      if count > 0, !ask(count, context) {
        throw CommandFailure(.other, "nothing was deleted")
      }
    }
    do {
      let response = try await delete(range, context)
      try context.write(
        DeleteCommand.record(deleted: response.deleted, revision: response.revision))
    } catch let error as RPCError where error.code == .resourceExhausted && canStep {
      try await deleteInSteps(context)
    }
    return .success
  }

  /// A call with an idempotency key is one call.
  private var canStep: Bool { writeOptions?.idempotencyKey.isEmpty ?? true }

  private func count(_ context: CommandContext) async throws -> Int64 {
    let request = CountRequest(range: range)
    return try await context.kv.count(request, options: context.callOptions).count
  }

  private func ask(_ count: Int64, _ context: CommandContext) -> Bool {
    let which =
      range.prefix.isEmpty
      ? "ALL \(count) keys of the store"
      : "\(count) \(count == 1 ? "key that begins" : "keys that begin") with "
        + "'\(context.presentation().cell(range.prefix))'"
    context.note("Delete \(which)? [y/N] ")
    return ["y", "yes"].contains(context.readLine().lowercased())
  }

  private func delete(
    _ range: KeyRange, _ context: CommandContext
  ) async throws -> DeleteRangeResponse {
    try await context.kv.deleteRange(
      DeleteRangeRequest(range: range, options: writeOptions), options: context.callOptions)
  }

  private func deleteInSteps(_ context: CommandContext) async throws {
    var deleted: Int64 = 0
    do { try await deleteInSteps(context, &deleted) } catch {
      context.note("\(deleted) keys were deleted before it failed\n")
      throw error
    }
  }

  private func deleteInSteps(
    _ context: CommandContext, _ deleted: inout Int64
  ) async throws {
    var revision: Int64 = 0
    var pageSize = Self.stepKeyCount
    var token: [UInt8] = []
    while true {
      let page = try await context.kv.scan(
        ScanRequest(range: range, keysOnly: true, pageSize: pageSize, pageToken: token),
        options: context.callOptions)
      if let first = page.entries.first, let last = page.entries.last {
        // The end is exclusive; nothing lies between a key and the same with a zero byte more.
        let step = KeyRange(start: first.key, end: last.key + [0])
        do {
          let response = try await delete(step, context)
          deleted += response.deleted
          revision = max(revision, response.revision)
          showProgress(deleted, context)
        } catch let error as RPCError where error.code == .resourceExhausted && pageSize > 1 {
          // The server's limit is below the page: halve it and scan this page again.
          pageSize /= 2
          continue
        }
      }
      token = page.nextPageToken
      if token.isEmpty { break }
    }
    if context.terminal.errorIsTerminal { context.note("\r\u{1b}[K") }
    try context.write(DeleteCommand.record(deleted: deleted, revision: revision))
  }

  private func showProgress(_ deleted: Int64, _ context: CommandContext) {
    if context.terminal.errorIsTerminal { context.note("\rdeleted \(deleted) …") }
  }
}
