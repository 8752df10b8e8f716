import RoostStore

/// Runs steps on an engine and on the reference at once.
final class ModelRun {
  let store: TestStore
  private(set) var reference = ReferenceStore()

  init(_ engine: EngineUnderTest, _ options: EngineUnderTest.Options) {
    store = engine.start(options)
    reference.lastRevision = store.revision
    reference.maxListItems = options.maxListItems
  }

  var now: Int64 { store.now }

  /// Starts the engine anew, as after an orderly end or after a crash; says what it has lost.
  func restart(afterCrash: Bool) throws -> String? {
    if afterCrash {
      try store.crash()
    } else {
      store.restart()
    }
    if store.revision < reference.lastRevision {
      return "is at \(store.revision), and was at \(reference.lastRevision)"
    }
    reference.lastRevision = store.revision
    // What has ended is not seen, swept or not.
    if let fault = scanFault(ScanCall(pageSize: 10_000)) { return fault }
    store.sweep()
    reference.lastRevision = store.revision
    reference.unseenEnds = 0
    return compareAll()
  }

  /// What the two disagree about after this step; `nil` where they agree.
  func perform(_ step: ModelStep) -> String? {
    switch step {
    case .advance(let millis):
      store.clock.advance(millis: millis)
      return nil
    case .sweep:
      store.sweep()
      reference.expire(now)
      let keyCount = store.engine.status().keyCount
      if keyCount != Int64(reference.entries.count) {
        return "holds \(keyCount) keys after a sweep, expected \(reference.entries.count)"
      }
      let revision = reference.lastRevision + reference.unseenEnds
      _ = reference.seeRevision(store.revision)
      return store.revision == revision ? nil : "is at \(store.revision), expected \(revision)"
    case .smallCall(.scan, _): return nil  // a page's own limit is random already
    case .smallCall(let call, let budgetBytes): return faultOfSmall(call, budgetBytes)
    case .call(.scan(let call)): return scanFault(call)
    case .call(let call):
      let actual = outcome(call)
      let expected = reference.apply(call, now: now, observed: try? actual.get())
      return actual == expected ? nil : "answered \(actual)\n  expected \(expected)"
    }
  }

  /// Compares everything that can be seen, and what is counted.
  func compareAll() -> String? {
    for reverse in [false, true] {
      if let fault = scanFault(ScanCall(reverse: reverse, pageSize: 10_000)) { return fault }
    }
    let keys = reference.entries.keys.sorted()
    return perform(.call(.batchGet(keys))) ?? perform(.call(.count(.all))) ?? perform(.sweep)
  }

  /// After everything is deleted the store is as small as an empty one.
  func emptiedFault(emptyBytes: Int64) -> String? {
    if let fault = perform(.call(.deleteRange(.all))) { return fault }
    store.sweep()
    let status = store.engine.status()
    if status.keyCount != 0 { return "holds \(status.keyCount) keys after all are deleted" }
    return status.memoryBytes <= emptyBytes
      ? nil : "holds \(status.memoryBytes) bytes without a key, at first \(emptyBytes)"
  }

  var memoryBytes: Int64 { store.engine.status().memoryBytes }

  private func scanFault(_ call: ScanCall) -> String? {
    do {
      let page = try store.scan(call)
      guard let fault = try reference.scanFault(call, now: now, page: page) else { return nil }
      return "answered \(page.keys), going on after \(String(describing: page.resumeAfter)), "
        + "examined \(page.examined): \(fault)"
    } catch {
      return "threw \(error)"
    }
  }

  /// An answer over its budget is refused, and nothing has happened; or it leaves out values that
  /// can be read otherwise.
  private func faultOfSmall(_ call: StoreCall, _ budgetBytes: Int) -> String? {
    let actual = store.withBudget(budgetBytes) { outcome(call) }
    var untouched = reference
    let expected = reference.apply(call, now: now, observed: try? actual.get())
    if case .failure(let error) = actual, error.isReplyTooLarge {
      untouched.expire(now)
      reference = untouched
      // A transaction that fails anyway may run out of room before the step that fails.
      if case .success(let answer) = expected, answer.sizeBound <= budgetBytes {
        return "answered \(actual) with a budget of \(budgetBytes)\n  expected \(expected)"
      }
      return nil
    }
    if let answer = try? actual.get(), case .success(let whole) = expected {
      let omitted = whole.omittingValues(as: answer)
      if answer == omitted, answer == whole || whole.sizeBound > budgetBytes { return nil }
    } else if actual == expected {
      return nil
    }
    return "answered \(actual) with a budget of \(budgetBytes)\n  expected \(expected)"
  }

  private func outcome(_ call: StoreCall) -> Result<StoreAnswer, StoreError> {
    do throws(StoreError) {
      return .success(try store.perform(call))
    } catch {
      return .failure(error)
    }
  }
}

/// Where the first disagreement is, if there is one.
func firstFault(
  _ steps: [ModelStep], _ engine: EngineUnderTest, _ options: EngineUnderTest.Options
) -> (index: Int, fault: String)? {
  let run = ModelRun(engine, options)
  for (index, step) in steps.enumerated() {
    if let fault = run.perform(step) { return (index, fault) }
  }
  return run.compareAll().map { (steps.count, $0) }
}

/// Leaves out steps for as long as the engine still disagrees with the reference.
func shrink(
  _ steps: [ModelStep], _ engine: EngineUnderTest, _ options: EngineUnderTest.Options
) -> [ModelStep] {
  var steps = steps
  var chunk = max(1, steps.count / 2)
  while true {
    var start = 0
    while start < steps.count {
      let shorter = Array(steps[..<start] + steps[min(start + chunk, steps.count)...])
      if let fault = firstFault(shorter, engine, options) {
        steps = Array(shorter[..<min(fault.index + 1, shorter.count)])
      } else {
        start += chunk
      }
    }
    if chunk == 1 { return steps }
    chunk /= 2
  }
}
