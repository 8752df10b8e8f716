import Dispatch
import RoostStore
import Synchronization
import Testing

/// Whatever answers calls: an engine, or one that is broken on purpose.
protocol CallPerformer: AnyObject {
  func perform(_ call: StoreCall) throws(StoreError) -> StoreAnswer
}

/// One thread's way to an engine: lends the call, copies the answer, and holds the engine to the
/// contract of both. Confined to one thread.
final class EngineSession: CallPerformer {
  static let defaultBudgetBytes = 4 << 20

  let engine: any StorageEngine
  let reply: ReplyArena
  /// Gets the reply after each call, before it is reset.
  var onEnd: ((ReplyArena) -> Void)?
  /// Goes with each write.
  var ticket: StoreTicket?
  /// Whether the last call got an earlier one's answer.
  private(set) var wasReplayed = false

  init(_ engine: any StorageEngine, budgetBytes: Int = EngineSession.defaultBudgetBytes) {
    self.engine = engine
    reply = ReplyArena(budgetBytes: budgetBytes)
  }

  func perform(_ call: StoreCall) throws(StoreError) -> StoreAnswer {
    let lent = CommandLoan(engine: engine, ticket: ticket)
    defer {
      onEnd?(reply)
      wasReplayed = reply.isReplayed
      reply.reset()
      withExtendedLifetime(lent) {}
    }
    switch call {
    case .get(let key, let keysOnly):
      return try answer { later throws(StoreError) in
        try engine.get(lent.get(key, keysOnly: keysOnly), reply, later: later)
      } copying: {
        .get(StoredEntry(copying: $0))
      }
    case .batchGet(let keys, let keysOnly):
      let lentKeys = lent.loan.array(keys.map(lent.key))
      return try answer { later throws(StoreError) in
        try engine.batchGet(lentKeys, keysOnly: keysOnly, reply, later: later)
      } copying: {
        .batchGet(
          BatchGetAnswer(
            entries: $0.entries.map { StoredEntry(copying: $0) }, revision: $0.revision))
      }
    case .listRange(let key, let start, let stop):
      let command = ListRangeCommand(key: lent.key(key), start: start, stop: stop)
      return try answer { later throws(StoreError) in
        try engine.listRange(command, reply, later: later)
      } copying: {
        .listRange(ListRangeAnswer(copying: $0))
      }
    case .scan(let call):
      let command = try lent.scan(call)
      return try answer { later throws(StoreError) in
        try engine.scan(command, reply, later: later)
      } copying: {
        .scan(ScanAnswer(copying: $0))
      }
    case .count(let range):
      return try answer { later throws(StoreError) in
        try engine.count(lent.loan.range(range), reply, later: later)
      } copying: {
        .count(CountAnswer(count: $0.count, revision: $0.revision))
      }
    default: return try write(call, lent)
    }
  }

  private func write(_ call: StoreCall, _ lent: CommandLoan) throws(StoreError) -> StoreAnswer {
    switch call {
    case .set(let call):
      return try answer { later throws(StoreError) in
        try engine.set(lent.set(call), reply, later: later)
      } copying: {
        .set(SetAnswer(copying: $0))
      }
    case .delete(let call):
      return try answer { later throws(StoreError) in
        try engine.delete(lent.delete(call), reply, later: later)
      } copying: {
        .delete(DeleteAnswer(copying: $0))
      }
    case .deleteRange(let range, let dryRun, let maxKeys):
      var command = DeleteRangeCommand(range: lent.loan.range(range))
      command.ticket = lent.lentTicket()
      command.dryRun = dryRun
      command.maxKeys = maxKeys
      return try answer { later throws(StoreError) in
        try engine.deleteRange(command, reply, later: later)
      } copying: {
        .deleteRange(DeleteRangeAnswer(deleted: $0.deleted, revision: $0.revision))
      }
    case .increment(let call):
      return try answer { later throws(StoreError) in
        try engine.increment(lent.increment(call), reply, later: later)
      } copying: {
        .increment(IncrementAnswer(copying: $0))
      }
    case .touch(let key, let expiration):
      return try answer { later throws(StoreError) in
        try engine.touch(lent.touch(key, expiration), reply, later: later)
      } copying: {
        .touch(
          TouchAnswer(
            found: $0.found, expiresAtMillis: $0.expiresAtMillis, revision: $0.revision))
      }
    case .push(let call):
      return try answer { later throws(StoreError) in
        try engine.push(lent.push(call), reply, later: later)
      } copying: {
        .push(PushAnswer(copying: $0))
      }
    case .pop(let call):
      return try answer { later throws(StoreError) in
        try engine.pop(lent.pop(call), reply, later: later)
      } copying: {
        .pop(PopAnswer(copying: $0))
      }
    case .transact(let call):
      return try answer { later throws(StoreError) in
        try engine.transact(lent.ticketed(call), reply, later: later)
      } copying: {
        .transact(TransactAnswer(copying: $0))
      }
    default: preconditionFailure("a read")
    }
  }

  /// Runs one command to its outcome, whether it comes at once or later.
  private func answer<Success>(
    _ run: (Later<Success>) throws(StoreError) -> Answer<Success>,
    copying copy: @escaping @Sendable (Success) -> StoreAnswer
  ) throws(StoreError) -> StoreAnswer {
    let outcome = LateOutcome()
    var completionCount = 0
    let answered = try run {
      completionCount += 1
      return { result in outcome.arrive(result.map(copy)) }
    }
    #expect(reply.chargedBytes <= reply.budgetBytes)
    switch answered {
    case .now(let success):
      #expect(completionCount == 0, "an answer at once needs no completion")
      return copy(success)
    case .later:
      #expect(completionCount == 1, "an answer that comes later has one completion")
      return try outcome.wait().get()
    }
  }
}

/// Where an outcome from another thread arrives, once.
private final class LateOutcome: Sendable {
  private let outcome = Mutex<Result<StoreAnswer, StoreError>?>(nil)
  private let arrived = DispatchSemaphore(value: 0)

  func arrive(_ result: Result<StoreAnswer, StoreError>) {
    outcome.withLock { outcome in
      #expect(outcome == nil, "a completion is called once")
      outcome = result
    }
    arrived.signal()
  }

  func wait() -> Result<StoreAnswer, StoreError> {
    arrived.wait()
    return outcome.withLock { $0! }
  }
}
