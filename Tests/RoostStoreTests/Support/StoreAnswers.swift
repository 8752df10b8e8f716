import RoostStore

// The engine's results, owned. Field names are those of the results they copy.

struct SetAnswer: Hashable, Sendable {
  var revision: Int64
  var created: Bool
  var previous: StoredEntry?
}

struct DeleteAnswer: Hashable, Sendable {
  var deleted: Bool
  var revision: Int64
  var previous: StoredEntry?
}

struct DeleteRangeAnswer: Hashable, Sendable {
  var deleted: Int64
  var revision: Int64
}

struct IncrementAnswer: Hashable, Sendable {
  var value: Int64
  var revision: Int64
}

struct TouchAnswer: Hashable, Sendable {
  var found: Bool
  var expiresAtMillis: Int64
  var revision: Int64
}

struct PushAnswer: Hashable, Sendable {
  var length: Int64
  var revision: Int64
}

struct PopAnswer: Hashable, Sendable {
  var items: [Bytes]
  var length: Int64
  var revision: Int64
}

struct ListRangeAnswer: Hashable, Sendable {
  var found: Bool
  var items: [Bytes]
  var length: Int64
  var revision: Int64
}

struct BatchGetAnswer: Hashable, Sendable {
  var entries: [StoredEntry?]
  var revision: Int64
}

enum OperationAnswer: Hashable, Sendable {
  case get(StoredEntry?)
  case set(SetAnswer)
  case delete(DeleteAnswer)
  case increment(IncrementAnswer)
  case push(PushAnswer)
  case pop(PopAnswer)
}

struct TransactAnswer: Hashable, Sendable {
  var succeeded: Bool
  var results: [OperationAnswer]
  var revision: Int64
}

struct ScanAnswer: Hashable, Sendable {
  var entries: [StoredEntry]
  var resumeAfter: Bytes?
  var examined: Int
  var revision: Int64

  var keys: [Bytes] { entries.map(\.key) }
}

struct CountAnswer: Hashable, Sendable {
  var count: Int64
  var revision: Int64
}

enum StoreAnswer: Hashable, Sendable {
  case get(StoredEntry?)
  case batchGet(BatchGetAnswer)
  case set(SetAnswer)
  case delete(DeleteAnswer)
  case deleteRange(DeleteRangeAnswer)
  case increment(IncrementAnswer)
  case touch(TouchAnswer)
  case push(PushAnswer)
  case pop(PopAnswer)
  case listRange(ListRangeAnswer)
  case transact(TransactAnswer)
  case scan(ScanAnswer)
  case count(CountAnswer)
}

// Copies of what an engine lends.

extension SetAnswer {
  init(copying result: SetResult) {
    self.init(
      revision: result.revision, created: result.created,
      previous: StoredEntry(copying: result.previous))
  }
}

extension DeleteAnswer {
  init(copying result: DeleteResult) {
    self.init(
      deleted: result.deleted, revision: result.revision,
      previous: StoredEntry(copying: result.previous))
  }
}

extension IncrementAnswer {
  init(copying result: IncrementResult) {
    self.init(value: result.value, revision: result.revision)
  }
}

extension PushAnswer {
  init(copying result: PushResult) {
    self.init(length: result.length, revision: result.revision)
  }
}

extension PopAnswer {
  init(copying result: PopResult) {
    self.init(
      items: result.items.map { Bytes($0) }, length: result.length, revision: result.revision)
  }
}

extension ListRangeAnswer {
  init(copying result: ListRangeResult) {
    self.init(
      found: result.found, items: result.items.map { Bytes($0) }, length: result.length,
      revision: result.revision)
  }
}

extension OperationAnswer {
  init(copying result: OperationResult) {
    switch result {
    case .get(let entry): self = .get(StoredEntry(copying: entry))
    case .set(let result): self = .set(SetAnswer(copying: result))
    case .delete(let result): self = .delete(DeleteAnswer(copying: result))
    case .increment(let result): self = .increment(IncrementAnswer(copying: result))
    case .push(let result): self = .push(PushAnswer(copying: result))
    case .pop(let result): self = .pop(PopAnswer(copying: result))
    }
  }
}

extension TransactAnswer {
  init(copying result: TransactResult) {
    self.init(
      succeeded: result.succeeded, results: result.results.map { OperationAnswer(copying: $0) },
      revision: result.revision)
  }
}

extension ScanAnswer {
  init(copying result: ScanResult) {
    self.init(
      entries: result.entries.map { StoredEntry(copying: $0) },
      resumeAfter: result.resumeAfter.map { Bytes($0) }, examined: result.examined,
      revision: result.revision)
  }
}
