import RoostStore

// How answers with a small budget are compared with whole ones.

extension StoreError {
  var isReplyTooLarge: Bool {
    switch self {
    case .replyTooLarge, .valueTooLarge: true
    case .stepFailed(_, let error): error.isReplyTooLarge
    default: false
    }
  }
}

extension StoreAnswer {
  /// This answer without the values that `other` left out.
  func omittingValues(as other: StoreAnswer) -> StoreAnswer {
    switch (self, other) {
    case (.batchGet(var whole), .batchGet(let part)):
      guard whole.entries.count == part.entries.count else { return self }
      for index in whole.entries.indices {
        whole.entries[index] = whole.entries[index].omittingValue(as: part.entries[index])
      }
      return .batchGet(whole)
    case (.transact(var whole), .transact(let part)):
      guard whole.results.count == part.results.count else { return self }
      for index in whole.results.indices {
        guard case .get(let entry) = whole.results[index],
          case .get(let other) = part.results[index]
        else { continue }
        whole.results[index] = .get(entry.omittingValue(as: other))
      }
      return .transact(whole)
    default: return self
    }
  }

  /// More than this takes once it is encoded.
  var sizeBound: Int {
    let entries: [StoredEntry?]
    var bytes = 128
    switch self {
    case .get(let entry): entries = [entry]
    case .batchGet(let answer): entries = answer.entries
    case .set(let answer): entries = [answer.previous]
    case .delete(let answer): entries = [answer.previous]
    case .transact(let answer): return answer.results.reduce(bytes) { $0 + $1.sizeBound }
    case .pop(let answer):
      entries = []
      bytes += answer.items.reduce(0) { $0 + $1.count + 8 }
    case .listRange(let answer):
      entries = []
      bytes += answer.items.reduce(0) { $0 + $1.count + 8 }
    default: entries = []
    }
    return entries.reduce(bytes) { $0 + ($1?.sizeBound ?? 8) }
  }
}

extension OperationAnswer {
  fileprivate var sizeBound: Int {
    switch self {
    case .get(let entry): StoreAnswer.get(entry).sizeBound
    case .set(let answer): StoreAnswer.set(answer).sizeBound
    case .delete(let answer): StoreAnswer.delete(answer).sizeBound
    case .pop(let answer): StoreAnswer.pop(answer).sizeBound
    case .increment, .push: 128
    }
  }
}

extension StoredEntry? {
  fileprivate func omittingValue(as other: StoredEntry?) -> StoredEntry? {
    guard var entry = self, other?.valueOmitted == true else { return self }
    entry.value = nil
    entry.valueOmitted = true
    return entry
  }
}
