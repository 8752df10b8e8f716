import RoostStore
import Testing

@Suite("Histories of many threads", .serialized) struct ConcurrencyHistoryTests {
  @Test(
    "What threads see of an engine is linearizable",
    arguments: EngineUnderTest.all, HistoryRecorder.Workload.allCases)
  func linearizable(engine: EngineUnderTest, workload: HistoryRecorder.Workload) {
    // On a busy machine a thread may be done before the next one starts: then once more.
    var overlapCount = 0
    var round = 0
    while round < runCount(6) || (overlapCount == 0 && round < 200) {
      defer { round += 1 }
      let seed = seed() &+ UInt64(round)
      let store = engine.start(\.shardCount, round % 2 == 0 ? 16 : 1)
      let start = store.revision
      // As the broken engines below are looked at: this one passes in that way too.
      let comparesRevisions = round % 3 != 0
      let history = HistoryRecorder(
        workload: workload, seed: seed, hasRevisionConditions: comparesRevisions
      ).record(store)
      let model = StoreModel(now: store.now, comparesRevisions: comparesRevisions)
      let verdict = model.check(history, workload, from: start)
      #expect(verdict.isLinearizable, "\(Self.report(verdict, history)), seed \(seed)")
      overlapCount += Self.overlapCount(history)
    }
    #expect(overlapCount > 0, "the threads did run at once")
  }

  @Test(
    "An engine that is broken on purpose is found out", arguments: EngineUnderTest.all,
    EngineFault.allCases)
  func broken(engine: EngineUnderTest, fault: EngineFault) {
    let workloads: [HistoryRecorder.Workload] =
      fault.showsInSingleKeys ? [.singleKeys, .wholeStore] : [.wholeStore]
    for workload in workloads {
      // Without the revisions, which give most mistakes away at once. A mistake needs two threads
      // to meet, so there are many chances; one is mostly enough.
      let isFound = (0..<50).contains { round in
        let store = engine.start()
        let memory = BrokenEngine.Memory()
        var recorder = HistoryRecorder(
          workload: workload, seed: seed() &+ UInt64(round), hasRevisionConditions: false)
        recorder.wrap = { BrokenEngine(fault, $0, memory) }
        let history = recorder.record(store)
        let model = StoreModel(now: store.now, comparesRevisions: false)
        return !model.check(history, workload, from: 0).isLinearizable
      }
      #expect(isFound, "\(fault) in \(workload)")
    }
  }

  private static func overlapCount(_ history: StoreHistory) -> Int {
    let sorted = history.sorted { $0.start < $1.start }
    return zip(sorted, sorted.dropFirst()).count { $0.end > $1.start }
  }

  private static func report(_ verdict: LinearizabilityVerdict, _ history: StoreHistory) -> String {
    guard case .violation(let longest, let stuck) = verdict else { return "" }
    let near = longest.suffix(12) + [stuck]
    let lines = near.map { index in
      let part = history[index]
      return "  \(part.start)...\(part.end) \(part.operation.call) → \(part.operation.outcome)"
    }
    return "no order explains the last of\n" + lines.joined(separator: "\n")
  }
}

extension StoreModel {
  fileprivate func check(
    _ history: StoreHistory, _ workload: HistoryRecorder.Workload, from revision: Int64
  ) -> LinearizabilityVerdict {
    switch workload {
    case .singleKeys: checkPerKey(history, from: revision)
    case .wholeStore: check(history, from: revision)
    }
  }
}
