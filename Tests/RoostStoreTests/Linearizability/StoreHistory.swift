import RoostStore

/// A call with what it came to.
struct FinishedCall: Sendable {
  var call: StoreCall
  var outcome: Result<StoreAnswer, StoreError>
}

typealias StoreHistory = [TimedOperation<FinishedCall>]

/// An engine as one sequential object.
struct StoreModel: SequentialModel {
  /// The engine's clock, which stands still during a history.
  let now: Int64
  /// Without them only values, conditions and counts must be explained: what would remain wrong
  /// if an engine numbered its mistakes well.
  var comparesRevisions = true

  func step(_ state: ReferenceStore, _ finished: FinishedCall) -> ReferenceStore? {
    var next = state
    guard comparesRevisions else {
      let expected = next.apply(finished.call, now: now, observed: nil)
      return expected.withoutRevisions == finished.outcome.withoutRevisions ? next : nil
    }
    let observed = try? finished.outcome.get()
    let expected = next.apply(finished.call, now: now, observed: observed)
    return expected == finished.outcome ? next : nil
  }
}

extension StoreModel {
  /// A history of calls for one key each: what happens to one key says nothing about another, so
  /// each is explained on its own, which is exponentially less work. The order that it gives is one
  /// key after the other.
  func checkPerKey(_ history: StoreHistory, from revision: Int64) -> LinearizabilityVerdict {
    var order: [Int] = []
    for part in Dictionary(grouping: history.indices, by: { history[$0].operation.call.key! })
      .values
    {
      switch check(part.map { history[$0] }, from: revision) {
      case .linearizable(let partOrder): order += partOrder.map { part[$0] }
      case .violation(let longest, let stuck):
        return .violation(longestOrder: longest.map { part[$0] }, stuckBefore: part[stuck])
      }
    }
    return .linearizable(order: order)
  }

  /// A history of any calls: the whole store is one object.
  func check(_ history: StoreHistory, from revision: Int64) -> LinearizabilityVerdict {
    var initial = ReferenceStore()
    initial.lastRevision = revision
    initial.isPartial = true
    return LinearizabilityChecker(model: self).check(history, from: initial)
  }
}

extension StoreCall {
  /// The key of a call for one key.
  var key: Bytes? {
    switch self {
    case .get(let key, _), .touch(let key, _), .listRange(let key, _, _): key
    case .set(let call): call.key
    case .delete(let call): call.key
    case .increment(let call): call.key
    case .push(let call): call.key
    case .pop(let call): call.key
    case .batchGet, .deleteRange, .transact, .scan, .count: nil
    }
  }
}

extension Result where Success == StoreAnswer, Failure == StoreError {
  var withoutRevisions: Self {
    map(\.withoutRevisions).mapError(\.withoutRevisions)
  }
}

extension StoreError {
  fileprivate var withoutRevisions: StoreError {
    switch self {
    case .revisionMismatch: .revisionMismatch(current: 0)
    case .valueMismatch: .valueMismatch(current: 0)
    case .stepFailed(let index, let error): .stepFailed(index: index, error.withoutRevisions)
    default: self
    }
  }
}

extension StoredEntry {
  fileprivate var withoutRevisions: StoredEntry {
    var copy = self
    copy.revision = 0
    copy.createRevision = 0
    return copy
  }
}

extension StoreAnswer {
  fileprivate var withoutRevisions: StoreAnswer {
    switch self {
    case .get(let entry): return .get(entry?.withoutRevisions)
    case .batchGet(var answer):
      answer.entries = answer.entries.map { $0?.withoutRevisions }
      return StoreAnswer.batchGet(answer).with(revision: 0)
    case .set(var answer):
      answer.previous = answer.previous?.withoutRevisions
      return StoreAnswer.set(answer).with(revision: 0)
    case .delete(var answer):
      answer.previous = answer.previous?.withoutRevisions
      return StoreAnswer.delete(answer).with(revision: 0)
    case .listRange(var answer):
      answer.revision = 0
      return .listRange(answer)
    case .transact(var answer):
      answer.results = answer.results.map(\.withoutRevisions)
      return StoreAnswer.transact(answer).with(revision: 0)
    default: return with(revision: 0)
    }
  }
}

extension OperationAnswer {
  fileprivate var withoutRevisions: OperationAnswer {
    let masked: StoreAnswer =
      switch self {
      case .get(let entry): .get(entry)
      case .set(let answer): .set(answer)
      case .delete(let answer): .delete(answer)
      case .increment(let answer): .increment(answer)
      case .push(let answer): .push(answer)
      case .pop(let answer): .pop(answer)
      }
    return OperationAnswer(masked.withoutRevisions)!
  }

  /// `nil` for the answer to a call that is no step.
  init?(_ answer: StoreAnswer) {
    switch answer {
    case .get(let entry): self = .get(entry)
    case .set(let answer): self = .set(answer)
    case .delete(let answer): self = .delete(answer)
    case .increment(let answer): self = .increment(answer)
    case .push(let answer): self = .push(answer)
    case .pop(let answer): self = .pop(answer)
    default: return nil
    }
  }
}
