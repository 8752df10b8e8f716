// How each result is kept, behind the byte of its kind.

/// A revision that was not known yet becomes the command's.
private func settle(_ field: inout Int64, _ revision: Int64) {
  if field == UndoLog.provisionalRevision { field = revision }
}

extension EntryRef {
  /// Puts in the revision of the command, where it is not known yet.
  mutating func settle(_ revision: Int64) {
    RoostStore.settle(&self.revision, revision)
    RoostStore.settle(&createRevision, revision)
  }
}

/// Revision, whether it was created, the previous entry.
extension SetResult: KeptResult {
  var maxKeptBytes: Int { 2 + AnswerWriter.numberBytes + AnswerWriter.maxBytes(previous) }

  func write(to writer: inout AnswerWriter) {
    writer.write(.set)
    writer.write(revision: revision)
    writer.write(created)
    writer.write(previous)
  }

  static func read(_ reader: inout AnswerReader) throws(StoreError) -> SetResult {
    try reader.expect(.set)
    return SetResult(
      revision: try reader.readRevision(), created: try reader.readFlag(),
      previous: try reader.readEntry())
  }

  mutating func settle(_ revision: Int64) {
    RoostStore.settle(&self.revision, revision)
    previous?.settle(revision)
  }
}

/// Whether it was deleted, revision, the previous entry.
extension DeleteResult: KeptResult {
  var maxKeptBytes: Int { 2 + AnswerWriter.numberBytes + AnswerWriter.maxBytes(previous) }

  func write(to writer: inout AnswerWriter) {
    writer.write(.delete)
    writer.write(deleted)
    writer.write(revision: revision)
    writer.write(previous)
  }

  static func read(_ reader: inout AnswerReader) throws(StoreError) -> DeleteResult {
    try reader.expect(.delete)
    return DeleteResult(
      deleted: try reader.readFlag(), revision: try reader.readRevision(),
      previous: try reader.readEntry())
  }

  mutating func settle(_ revision: Int64) {
    RoostStore.settle(&self.revision, revision)
    previous?.settle(revision)
  }
}

/// The value, revision.
extension IncrementResult: KeptResult {
  var maxKeptBytes: Int { 1 + 2 * AnswerWriter.numberBytes }

  func write(to writer: inout AnswerWriter) {
    writer.write(.increment)
    writer.write(value)
    writer.write(revision: revision)
  }

  static func read(_ reader: inout AnswerReader) throws(StoreError) -> IncrementResult {
    try reader.expect(.increment)
    return IncrementResult(value: try reader.readNumber(), revision: try reader.readRevision())
  }

  mutating func settle(_ revision: Int64) { RoostStore.settle(&self.revision, revision) }
}

/// The length, revision.
extension PushResult: KeptResult {
  var maxKeptBytes: Int { 1 + 2 * AnswerWriter.numberBytes }

  func write(to writer: inout AnswerWriter) {
    writer.write(.push)
    writer.write(length)
    writer.write(revision: revision)
  }

  static func read(_ reader: inout AnswerReader) throws(StoreError) -> PushResult {
    try reader.expect(.push)
    return PushResult(length: try reader.readNumber(), revision: try reader.readRevision())
  }

  mutating func settle(_ revision: Int64) { RoostStore.settle(&self.revision, revision) }
}

/// The length that is left, revision, the items.
extension PopResult: KeptResult {
  var maxKeptBytes: Int { 1 + 2 * AnswerWriter.numberBytes + AnswerWriter.maxBytes(items) }

  func write(to writer: inout AnswerWriter) {
    writer.write(.pop)
    writer.write(length)
    writer.write(revision: revision)
    writer.write(items)
  }

  static func read(_ reader: inout AnswerReader) throws(StoreError) -> PopResult {
    try reader.expect(.pop)
    try reader.reply.charge(ReplyCost.result)
    let length = try reader.readNumber()
    let revision = try reader.readRevision()
    return PopResult(items: try reader.readItems(), length: length, revision: revision)
  }

  mutating func settle(_ revision: Int64) { RoostStore.settle(&self.revision, revision) }
}

/// Whether it was found, when it ends, revision.
extension TouchResult: KeptResult {
  var maxKeptBytes: Int { 2 + 2 * AnswerWriter.numberBytes }

  func write(to writer: inout AnswerWriter) {
    writer.write(.touch)
    writer.write(found)
    writer.write(expiresAtMillis)
    writer.write(revision: revision)
  }

  static func read(_ reader: inout AnswerReader) throws(StoreError) -> TouchResult {
    try reader.expect(.touch)
    return TouchResult(
      found: try reader.readFlag(), expiresAtMillis: try reader.readNumber(),
      revision: try reader.readRevision())
  }

  mutating func settle(_ revision: Int64) { RoostStore.settle(&self.revision, revision) }
}

/// How many keys, revision.
extension DeleteRangeResult: KeptResult {
  var maxKeptBytes: Int { 1 + 2 * AnswerWriter.numberBytes }

  func write(to writer: inout AnswerWriter) {
    writer.write(.deleteRange)
    writer.write(deleted)
    writer.write(revision: revision)
  }

  static func read(_ reader: inout AnswerReader) throws(StoreError) -> DeleteRangeResult {
    try reader.expect(.deleteRange)
    return DeleteRangeResult(deleted: try reader.readNumber(), revision: try reader.readRevision())
  }

  mutating func settle(_ revision: Int64) { RoostStore.settle(&self.revision, revision) }
}

/// The step's own result; of a get the entry.
extension OperationResult: KeptResult {
  var maxKeptBytes: Int {
    switch self {
    case .get(let entry): 1 + AnswerWriter.maxBytes(entry)
    case .set(let result): result.maxKeptBytes
    case .delete(let result): result.maxKeptBytes
    case .increment(let result): result.maxKeptBytes
    case .push(let result): result.maxKeptBytes
    case .pop(let result): result.maxKeptBytes
    }
  }

  func write(to writer: inout AnswerWriter) {
    switch self {
    case .get(let entry):
      writer.write(.get)
      writer.write(entry)
    case .set(let result): result.write(to: &writer)
    case .delete(let result): result.write(to: &writer)
    case .increment(let result): result.write(to: &writer)
    case .push(let result): result.write(to: &writer)
    case .pop(let result): result.write(to: &writer)
    }
  }

  static func read(_ reader: inout AnswerReader) throws(StoreError) -> OperationResult {
    try reader.reply.charge(ReplyCost.result)
    switch try reader.peekKind() {
    case .get:
      try reader.expect(.get)
      return .get(try reader.readEntry())
    case .set: return .set(try SetResult.read(&reader))
    case .delete: return .delete(try DeleteResult.read(&reader))
    case .increment: return .increment(try IncrementResult.read(&reader))
    case .push: return .push(try PushResult.read(&reader))
    case .pop: return .pop(try PopResult.read(&reader))
    case .touch, .deleteRange, .transact: throw AnswerReader.fault
    }
  }

  mutating func settle(_ revision: Int64) {
    switch self {
    case .get(var entry):
      entry?.settle(revision)
      self = .get(entry)
    case .set(var result):
      result.settle(revision)
      self = .set(result)
    case .delete(var result):
      result.settle(revision)
      self = .delete(result)
    case .increment(var result):
      result.settle(revision)
      self = .increment(result)
    case .push(var result):
      result.settle(revision)
      self = .push(result)
    case .pop(var result):
      result.settle(revision)
      self = .pop(result)
    }
  }
}

/// Whether the compares held, revision, the results of the steps.
extension TransactResult: KeptResult {
  var maxKeptBytes: Int {
    results.reduce(2 + 2 * AnswerWriter.numberBytes) { $0 + $1.maxKeptBytes }
  }

  func write(to writer: inout AnswerWriter) {
    writer.write(.transact)
    writer.write(succeeded)
    writer.write(revision: revision)
    writer.write(count: results.count)
    for result in results { result.write(to: &writer) }
  }

  static func read(_ reader: inout AnswerReader) throws(StoreError) -> TransactResult {
    try reader.expect(.transact)
    let succeeded = try reader.readFlag()
    let revision = try reader.readRevision()
    let count = try reader.readCount()
    let results = reader.reply.allocate(count * MemoryLayout<OperationResult>.stride)
      .bindMemory(to: OperationResult.self, capacity: count)
    for index in 0..<count {
      (results + index).initialize(to: try OperationResult.read(&reader))
    }
    return TransactResult(
      succeeded: succeeded, results: UnsafeBufferPointer(start: results, count: count),
      revision: revision)
  }

  mutating func settle(_ revision: Int64) {
    RoostStore.settle(&self.revision, revision)
    let results = UnsafeMutableBufferPointer(mutating: results)
    for index in results.indices { results[index].settle(revision) }
  }
}
