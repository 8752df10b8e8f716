/// When a key that is written will end.
enum Lifetime {
  /// Engine time; 0: never.
  case until(Int64)
  /// It has ended already, at this wall-clock time.
  case ended(Int64)
}

// Conditions, lifetimes and limits: what a write is checked against.
extension MemoryEngine {
  /// Throws where a condition does not hold for a key's record, `nil` where it is absent.
  @inline(__always)
  func check(_ condition: ConditionRef, _ record: Record?) throws(StoreError) {
    switch condition {
    case .none: return
    case .exists(false): if record != nil { throw .alreadyExists }
    case .exists(true): if record == nil { throw .notFound }
    case .revision(let revision):
      guard let record else { throw .notFound }
      if record.revision != revision { throw .revisionMismatch(current: record.revision) }
    case .value(let value):
      guard let record else { throw .notFound }
      if !record.hasValue(value) { throw .valueMismatch(current: record.revision) }
    }
  }

  /// When a key ends that is written now.
  /// - Parameter record: what it was before, for `keep`; `nil` where it is new.
  @inline(__always)
  func lifetime(
    _ expiration: ExpirationRef, _ record: Record?, _ context: WriteContext
  ) -> Lifetime {
    switch expiration {
    case .never: return .until(0)
    case .keep: return .until(record?.deadline ?? 0)
    case .afterMillis(let millis):
      if millis <= 0 { return .ended(context.now &+ time.stepMillis) }
      return .until(context.now &+ min(millis, Self.maxLifetimeMillis))
    case .atMillis(let millis):
      let deadline = time.deadline(atWall: millis)
      if deadline <= context.now { return .ended(millis) }
      return .until(min(deadline, context.now &+ Self.maxLifetimeMillis))
    }
  }

  /// Throws where a value is a list over the limits.
  @inline(__always)
  func checkListLimits(_ value: ValueRef) throws(StoreError) {
    guard case .list(let items) = value else { return }
    var bytes = 0
    for item in items { bytes &+= item.count }
    try checkListLimits(items: items.count, bytes: bytes)
  }

  /// Throws where a list would be over the limits.
  func checkListLimits(items: Int, bytes: Int) throws(StoreError) {
    if items > maxListItems { throw .listTooLong(items: items, limit: maxListItems) }
    if bytes > maxListBytes { throw .listTooLarge(bytes: bytes, limit: maxListBytes) }
  }
}
