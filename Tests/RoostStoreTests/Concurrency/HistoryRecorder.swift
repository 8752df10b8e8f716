import RoostStore

#if canImport(Glibc)
  import Glibc
#endif

/// Lets threads call one engine at random and writes down what they saw, and when.
struct HistoryRecorder {
  enum Workload: CaseIterable, Sendable {
    /// Calls for one key each.
    case singleKeys
    /// Also transactions, batch reads and ranges, on few keys.
    case wholeStore
  }

  var workload: Workload
  var threadCount = 4
  var callsPerThread = 150
  var seed: UInt64
  /// Whether some conditions name a revision that was seen. A history with those can be explained
  /// with revisions only.
  var hasRevisionConditions = true
  /// Wraps each thread's way to the engine.
  var wrap: @Sendable (EngineSession) -> any CallPerformer = { $0 }

  func record(_ store: TestStore) -> StoreHistory {
    let engine = store.engine
    let histories = runThreads(threadCount) { [self] thread in
      let performer = wrap(EngineSession(engine))
      var calls = ConcurrentCalls(
        random: SeededRandom(seed &+ UInt64(thread) &* 7_919), workload: workload,
        hasRevisionConditions: hasRevisionConditions)
      return (0..<callsPerThread).map { _ in
        let call = calls.next()
        let start = monotonicNanos()
        if calls.random.oneIn(10) { sched_yield() }
        let outcome: Result<StoreAnswer, StoreError>
        do throws(StoreError) {
          outcome = .success(try performer.perform(call))
        } catch {
          outcome = .failure(error)
        }
        let end = monotonicNanos()
        calls.learn(outcome)
        return TimedOperation(
          operation: FinishedCall(call: call, outcome: outcome), start: start, end: end)
      }
    }
    return histories.flatMap { $0 }
  }
}

/// One thread's calls. Values come from a small range, so that threads mistake each other's for
/// their own if the engine lets them.
private struct ConcurrentCalls {
  var random: SeededRandom
  let workload: HistoryRecorder.Workload
  let hasRevisionConditions: Bool
  private var lastRevision: Int64 = 1

  init(random: SeededRandom, workload: HistoryRecorder.Workload, hasRevisionConditions: Bool) {
    self.random = random
    self.workload = workload
    self.hasRevisionConditions = hasRevisionConditions
  }

  private static let keys: [Bytes] = ["a", "b", "c"]
  private static let lists: [Bytes] = ["l", "m"]

  /// A revision that was seen is worth a condition.
  mutating func learn(_ outcome: Result<StoreAnswer, StoreError>) {
    switch outcome {
    case .success(.get(let entry)): lastRevision = entry?.revision ?? lastRevision
    case .success(let answer): lastRevision = max(1, answer.mutationRevision ?? lastRevision)
    case .failure: break
    }
  }

  mutating func next() -> StoreCall {
    if workload == .wholeStore && random.oneIn(2) {
      switch random.int(1...10) {
      case 1...4: return .transact(transaction())
      case 5...9: return .batchGet(Self.keys + Self.lists)
      default: return .deleteRange(StoreRange(start: "b", end: "m"))
      }
    }
    let key = random.pick(Self.keys)
    switch random.int(1...12) {
    case 1...3: return .get(key)
    case 4:
      return .set(SetCall(key: key, value: .int(Int64(random.int(0...3))), returnPrevious: true))
    case 5: return .set(SetCall(key: key, value: 1, condition: condition()))
    case 6: return .delete(DeleteCall(key: key, condition: condition(), returnPrevious: true))
    case 7...9: return .increment(IncrementCall(key: key, delta: 1))
    case 10: return .push(push())
    case 11:
      return .pop(PopCall(key: random.pick(Self.lists), side: side(), count: random.int(1...2)))
    default: return .listRange(random.pick(Self.lists), start: 0, stop: -1)
    }
  }

  private mutating func side() -> ListSide { random.oneIn(2) ? .front : .back }

  private mutating func push() -> PushCall {
    PushCall(
      key: random.pick(Self.lists),
      items: (0..<random.int(1...2)).map { _ in "\(random.int(0...9))" },
      side: side(), maxLength: 6)
  }

  private mutating func condition() -> StoreCondition {
    switch random.int(1...4) {
    case 1: .exists(true)
    case 2: .exists(false)
    case 3 where hasRevisionConditions: .revision(lastRevision)
    default: .value(.int(Int64(random.int(0...3))))
    }
  }

  private mutating func transaction() -> TransactCall {
    let from = random.pick(Self.keys)
    let to = random.pick(Self.keys)
    return TransactCall(
      compares: random.oneIn(3) ? [StoreCompare(key: from, condition: condition())] : [],
      success: [.increment(from, by: -1), .increment(to), .push(push()), .get(from)],
      failure: [.set(from, 2), .set(to, 2), .pop("l")])
  }
}
