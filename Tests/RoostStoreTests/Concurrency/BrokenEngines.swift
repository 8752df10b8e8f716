import RoostStore
import Synchronization

#if canImport(Glibc)
  import Glibc
#endif

/// The mistakes that an engine could make, one each.
enum EngineFault: CaseIterable, Sendable {
  /// A read answers what an earlier read saw.
  case staleRead
  /// An increment reads and writes in two steps.
  case lostUpdate
  /// A condition is checked before the write, not with it.
  case lateCondition
  /// A transaction's steps happen one by one.
  case tornTransaction
  /// A batch reads its keys one by one.
  case tornBatch
  /// A pop reads the list and then takes the items away.
  case doublePop

  /// Whether calls for single keys show it.
  var showsInSingleKeys: Bool {
    switch self {
    case .staleRead, .lostUpdate, .lateCondition, .doublePop: true
    case .tornTransaction, .tornBatch: false
    }
  }
}

/// An engine with one mistake. Confined to one thread; what the mistake shares is in `memory`.
final class BrokenEngine: CallPerformer {
  /// What all threads' broken engines know together.
  final class Memory: Sendable {
    fileprivate let reads = Mutex<[Bytes: StoredEntry?]>([:])
  }

  private let fault: EngineFault
  private let session: EngineSession
  private let memory: Memory
  private var callCount = 0

  init(_ fault: EngineFault, _ session: EngineSession, _ memory: Memory) {
    self.fault = fault
    self.session = session
    self.memory = memory
  }

  func perform(_ call: StoreCall) throws(StoreError) -> StoreAnswer {
    callCount += 1
    switch (fault, call) {
    case (.staleRead, .get(let key, _)): return .get(try staleRead(key))
    case (.lostUpdate, .increment(let call)): return try lostUpdate(call)
    case (.lateCondition, .set(let call)) where call.condition != .none:
      return try lateCondition(call)
    case (.tornTransaction, .transact(let call)): return try tornTransaction(call)
    case (.tornBatch, .batchGet(let keys, _)): return try tornBatch(keys)
    case (.doublePop, .pop(let call)): return try doublePop(call)
    default: return try session.perform(call)
    }
  }

  /// Lets the other threads run: to yield is not enough where they wait for another core.
  private func pause() { usleep(20) }

  private func staleRead(_ key: Bytes) throws(StoreError) -> StoredEntry? {
    if callCount % 5 == 0, let stale = memory.reads.withLock({ $0[key] }) { return stale }
    let fresh = try session.get(key)
    memory.reads.withLock { $0[key] = .some(fresh) }
    return fresh
  }

  private func lostUpdate(_ call: IncrementCall) throws(StoreError) -> StoreAnswer {
    guard case .int(let old)? = try session.value(call.key) else {
      return try session.perform(.increment(call))
    }
    pause()
    let set = try session.set(call.key, .int(old + call.delta), expires: .keep)
    return .increment(IncrementAnswer(value: old + call.delta, revision: set.revision))
  }

  private func lateCondition(_ call: SetCall) throws(StoreError) -> StoreAnswer {
    let check = try session.transact(if: [.key(call.key, call.condition)], then: [])
    var call = call
    if check.succeeded { call.condition = .none }
    pause()
    return try session.perform(.set(call))
  }

  private func tornTransaction(_ call: TransactCall) throws(StoreError) -> StoreAnswer {
    let check = try session.transact(if: call.compares, then: [])
    var answer = TransactAnswer(succeeded: check.succeeded, results: [], revision: 0)
    for step in check.succeeded ? call.success : call.failure {
      pause()
      let part = try session.transact(then: [step])
      answer.results += part.results
      answer.revision = part.revision
    }
    return .transact(answer)
  }

  private func tornBatch(_ keys: [Bytes]) throws(StoreError) -> StoreAnswer {
    var answer = BatchGetAnswer(entries: [], revision: 0)
    for key in keys {
      pause()
      let part = try session.batchGet([key])
      answer.entries += part.entries
      answer.revision = part.revision
    }
    return .batchGet(answer)
  }

  private func doublePop(_ call: PopCall) throws(StoreError) -> StoreAnswer {
    let before = try session.items(call.key)
    pause()
    guard case .pop(var answer) = try session.perform(.pop(call)), !before.isEmpty else {
      return .pop(PopAnswer(items: [], length: 0, revision: 0))
    }
    let seen = call.side == .front ? before : before.reversed()
    answer.items = Array(seen.prefix(call.count))
    return .pop(answer)
  }
}
