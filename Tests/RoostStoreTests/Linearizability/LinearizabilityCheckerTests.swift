import RoostStore
import Testing

/// One integer that is written and read.
private struct Register: SequentialModel {
  enum Operation: Sendable {
    case write(Int)
    case read(Int)
  }

  func step(_ state: Int, _ operation: Operation) -> Int? {
    switch operation {
    case .write(let value): value
    case .read(let value): value == state ? state : nil
    }
  }
}

private typealias RegisterHistory = [TimedOperation<Register.Operation>]

@Suite("The linearizability checker") struct LinearizabilityCheckerTests {
  private static func at(
    _ start: UInt64, _ end: UInt64, _ operation: Register.Operation
  ) -> TimedOperation<Register.Operation> {
    TimedOperation(operation: operation, start: start, end: end)
  }

  private static let accepted: [RegisterHistory] = [
    [],
    [at(0, 1, .write(1)), at(2, 3, .read(1))],
    // A read that overlaps a write sees the old value or the new one.
    [at(0, 10, .write(1)), at(2, 3, .read(0))],
    [at(0, 10, .write(1)), at(2, 3, .read(1))],
    [at(0, 10, .write(1)), at(2, 3, .read(0)), at(4, 5, .read(1))],
    // Two writes at once may have come in either order.
    [at(0, 10, .write(1)), at(0, 10, .write(2)), at(11, 12, .read(1))],
    [at(0, 10, .write(1)), at(0, 10, .write(2)), at(11, 12, .read(2))],
    [at(0, 9, .write(1)), at(0, 9, .write(2)), at(1, 3, .read(2)), at(4, 5, .read(1))],
    // What ends when another begins may have overlapped it.
    [at(0, 5, .write(1)), at(5, 6, .read(0))],
    // A long read is explained by an instant in its middle.
    [at(0, 20, .read(2)), at(1, 2, .write(1)), at(3, 4, .write(2)), at(5, 6, .write(3))],
  ]

  private static let rejected: [RegisterHistory] = [
    [at(0, 1, .read(1))],
    [at(0, 1, .write(1)), at(2, 3, .read(0))],
    // Once the new value was seen the old one is gone, though the write has not ended.
    [at(0, 10, .write(1)), at(2, 3, .read(1)), at(4, 5, .read(0))],
    [at(0, 1, .write(1)), at(2, 3, .write(2)), at(4, 5, .read(1))],
    // Two readers that disagree about the order of two writes.
    [
      at(0, 9, .write(1)), at(0, 9, .write(2)), at(1, 2, .read(1)), at(3, 4, .read(2)),
      at(5, 6, .read(1)),
    ],
    [at(0, 20, .read(4)), at(1, 2, .write(1)), at(3, 4, .write(2))],
    [at(3, 4, .read(1)), at(5, 6, .write(1))],
  ]

  @Test("A history that has an explaining order is accepted", arguments: accepted.indices)
  func accepts(index: Int) {
    let history = Self.accepted[index]
    let verdict = LinearizabilityChecker(model: Register()).check(history, from: 0)
    guard case .linearizable(let order) = verdict else {
      Issue.record("\(verdict)")
      return
    }
    #expect(Self.explains(order, history))
  }

  @Test("A history that has none is rejected", arguments: rejected.indices)
  func rejects(index: Int) {
    let verdict = LinearizabilityChecker(model: Register()).check(Self.rejected[index], from: 0)
    #expect(!verdict.isLinearizable)
  }

  @Test("The checker agrees with trying every order", arguments: [seed()])
  func agreesWithBruteForce(seed: UInt64) {
    var random = SeededRandom(seed)
    var acceptedCount = 0
    for _ in 0..<2_000 {
      let history: RegisterHistory = (0..<random.int(1...6)).map { _ in
        let start = UInt64(random.int(0...10))
        let value = random.int(0...2)
        return Self.at(
          start, start + UInt64(random.int(1...8)), random.oneIn(2) ? .read(value) : .write(value))
      }
      let verdict = LinearizabilityChecker(model: Register()).check(history, from: 0)
      let expected = Self.hasExplanation([], history)
      #expect(verdict.isLinearizable == expected, "\(history), seed \(seed)")
      if case .linearizable(let order) = verdict { #expect(Self.explains(order, history)) }
      acceptedCount += expected ? 1 : 0
    }
    #expect((200...1_800).contains(acceptedCount), "histories of both kinds were tried")
  }

  @Test("A history of thousands of operations that overlap is checked in time")
  func longHistory() {
    var history: RegisterHistory = []
    for round in 0..<1_000 {
      let time = UInt64(round * 10)
      for writer in 0..<4 {
        history.append(Self.at(time + UInt64(writer), time + 9, .write(round * 4 + writer)))
      }
      history.append(Self.at(time + 10, time + 10, .read(round * 4 + round % 4)))
    }
    let checker = LinearizabilityChecker(model: Register())
    #expect(checker.check(history, from: 0).isLinearizable)
    history.append(Self.at(20_000, 20_001, .read(1)))
    #expect(!checker.check(history, from: 0).isLinearizable)
  }

  /// Whether `order` holds every operation once, follows the times, and fits each outcome.
  private static func explains(_ order: [Int], _ history: RegisterHistory) -> Bool {
    guard order.sorted() == Array(history.indices) else { return false }
    var state = 0
    for (place, index) in order.enumerated() {
      let isLate = order[(place + 1)...].contains { history[$0].end < history[index].start }
      guard !isLate, let next = Register().step(state, history[index].operation) else {
        return false
      }
      state = next
    }
    return true
  }

  private static func hasExplanation(_ order: [Int], _ history: RegisterHistory) -> Bool {
    if order.count == history.count { return explains(order, history) }
    return history.indices.contains { index in
      !order.contains(index) && hasExplanation(order + [index], history)
    }
  }
}

@Suite("The linearizability checker on calls to a store") struct LinearizabilityStoreTests {
  private func call(
    _ start: UInt64, _ end: UInt64, _ call: StoreCall,
    _ outcome: Result<StoreAnswer, StoreError>
  ) -> TimedOperation<FinishedCall> {
    TimedOperation(
      operation: FinishedCall(call: call, outcome: outcome), start: start, end: end)
  }

  private func increment(
    _ start: UInt64, _ end: UInt64, value: Int64, revision: Int64
  ) -> TimedOperation<FinishedCall> {
    call(
      start, end, .increment(IncrementCall(key: "n", delta: 1)),
      .success(.increment(IncrementAnswer(value: value, revision: revision))))
  }

  private func accepts(_ history: StoreHistory, comparesRevisions: Bool = true) -> Bool {
    StoreModel(now: 0, comparesRevisions: comparesRevisions).check(history, from: 100)
      .isLinearizable
  }

  @Test("Two increments at once give two values, never the same one")
  func increments() {
    #expect(
      accepts([
        increment(0, 10, value: 2, revision: 102), increment(0, 10, value: 1, revision: 101),
      ]))
    #expect(
      !accepts([
        increment(0, 10, value: 1, revision: 102), increment(0, 10, value: 1, revision: 101),
      ]))
    #expect(
      !accepts(
        [increment(0, 10, value: 1, revision: 102), increment(0, 10, value: 1, revision: 101)],
        comparesRevisions: false))
  }

  @Test("Revisions follow the order of the mutations")
  func revisions() {
    let wrong = [
      increment(0, 10, value: 2, revision: 101), increment(0, 10, value: 1, revision: 102),
    ]
    #expect(!accepts(wrong))
    #expect(accepts(wrong, comparesRevisions: false))
    #expect(
      !accepts([
        increment(0, 1, value: 1, revision: 101), increment(2, 3, value: 2, revision: 101),
      ]))
  }

  @Test("A batch read sees all of a transaction or nothing")
  func transactions() {
    let transaction = call(
      0, 10, .transact(TransactCall(success: [.increment("a"), .increment("b")])),
      .success(
        .transact(
          TransactAnswer(
            succeeded: true,
            results: [
              .increment(IncrementAnswer(value: 1, revision: 101)),
              .increment(IncrementAnswer(value: 1, revision: 101)),
            ], revision: 101))))
    func batch(_ values: [Int64?], _ revision: Int64) -> TimedOperation<FinishedCall> {
      let entries = values.map { value in
        value.map { StoredEntry(value: .int($0), revision: 101, createRevision: 101, version: 1) }
      }
      return call(
        2, 8, .batchGet(["a", "b"]),
        .success(.batchGet(BatchGetAnswer(entries: entries, revision: revision))))
    }
    #expect(accepts([transaction, batch([1, 1], 101)]))
    #expect(accepts([transaction, batch([nil, nil], 100)]))
    #expect(!accepts([transaction, batch([1, nil], 101)]))
    #expect(!accepts([transaction, batch([nil, 1], 101)], comparesRevisions: false))
  }

  @Test("An error has to be explained too")
  func errors() {
    let create = StoreCall.set(SetCall(key: "a", value: 1, condition: .exists(false)))
    let won = call(0, 10, create, .success(.set(SetAnswer(revision: 101, created: true))))
    let lost = call(0, 10, create, .failure(.alreadyExists))
    #expect(accepts([won, lost]))
    #expect(!accepts([lost]))
    #expect(!accepts([lost, lost]))
    #expect(
      !accepts([won, call(0, 9, create, .success(.set(SetAnswer(revision: 102, created: true))))]))
  }
}
