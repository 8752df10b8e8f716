import RoostStore
import Testing

// The calls as a test writes them.
extension CallPerformer {
  func get(_ key: Bytes, keysOnly: Bool = false) throws(StoreError) -> StoredEntry? {
    guard case .get(let entry) = try perform(.get(key, keysOnly: keysOnly)) else { unexpected() }
    return entry
  }

  /// The key's value alone.
  func value(_ key: Bytes) throws(StoreError) -> StoreValue? { try get(key)?.value }

  func batchGet(_ keys: [Bytes], keysOnly: Bool = false) throws(StoreError) -> BatchGetAnswer {
    guard case .batchGet(let answer) = try perform(.batchGet(keys, keysOnly: keysOnly))
    else { unexpected() }
    return answer
  }

  @discardableResult func set(
    _ key: Bytes, _ value: StoreValue, expires expiration: StoreExpiration = .never,
    if condition: StoreCondition = .none, returnPrevious: Bool = false,
    durability: WriteDurability = .engineDefault
  ) throws(StoreError) -> SetAnswer {
    let call = SetCall(
      key: key, value: value, expiration: expiration, condition: condition,
      returnPrevious: returnPrevious, durability: durability)
    guard case .set(let answer) = try perform(.set(call)) else { unexpected() }
    return answer
  }

  @discardableResult func delete(
    _ key: Bytes, if condition: StoreCondition = .none, returnPrevious: Bool = false
  ) throws(StoreError) -> DeleteAnswer {
    let call = DeleteCall(key: key, condition: condition, returnPrevious: returnPrevious)
    guard case .delete(let answer) = try perform(.delete(call)) else { unexpected() }
    return answer
  }

  @discardableResult func deleteRange(
    _ range: StoreRange, dryRun: Bool = false, maxKeys: Int = 10_000
  ) throws(StoreError) -> DeleteRangeAnswer {
    guard
      case .deleteRange(let answer) = try perform(
        .deleteRange(range, dryRun: dryRun, maxKeys: maxKeys))
    else { unexpected() }
    return answer
  }

  @discardableResult func increment(
    _ key: Bytes, by delta: Int64 = 1, initial: Int64 = 0,
    expires expiration: StoreExpiration = .keep
  ) throws(StoreError) -> IncrementAnswer {
    let call = IncrementCall(key: key, delta: delta, initial: initial, expiration: expiration)
    guard case .increment(let answer) = try perform(.increment(call)) else { unexpected() }
    return answer
  }

  @discardableResult func touch(
    _ key: Bytes, expires expiration: StoreExpiration
  ) throws(StoreError) -> TouchAnswer {
    guard case .touch(let answer) = try perform(.touch(key, expiration)) else { unexpected() }
    return answer
  }

  @discardableResult func push(
    _ key: Bytes, _ items: [Bytes], at side: ListSide = .back,
    expires expiration: StoreExpiration = .keep, mustExist: Bool = false, maxLength: Int64 = 0
  ) throws(StoreError) -> PushAnswer {
    let call = PushCall(
      key: key, items: items, side: side, expiration: expiration, mustExist: mustExist,
      maxLength: maxLength)
    guard case .push(let answer) = try perform(.push(call)) else { unexpected() }
    return answer
  }

  @discardableResult func pop(
    _ key: Bytes, from side: ListSide = .back, count: Int = 1
  ) throws(StoreError) -> PopAnswer {
    guard case .pop(let answer) = try perform(.pop(PopCall(key: key, side: side, count: count)))
    else { unexpected() }
    return answer
  }

  func listRange(
    _ key: Bytes, _ start: Int64 = 0, _ stop: Int64 = -1
  ) throws(StoreError) -> ListRangeAnswer {
    guard case .listRange(let answer) = try perform(.listRange(key, start: start, stop: stop))
    else { unexpected() }
    return answer
  }

  /// The items of a whole list; none where there is no list.
  func items(_ key: Bytes) throws(StoreError) -> [Bytes] { try listRange(key).items }

  @discardableResult func transact(
    if compares: [StoreCompare] = [], then success: [StoreOperation],
    else failure: [StoreOperation] = []
  ) throws(StoreError) -> TransactAnswer {
    let call = TransactCall(compares: compares, success: success, failure: failure)
    guard case .transact(let answer) = try perform(.transact(call)) else { unexpected() }
    return answer
  }

  func scan(_ call: ScanCall) throws(StoreError) -> ScanAnswer {
    guard case .scan(let answer) = try perform(.scan(call)) else { unexpected() }
    return answer
  }

  /// All pages of a scan, each gone on from where the one before ended.
  func scanPages(_ call: ScanCall) throws(StoreError) -> [ScanAnswer] {
    var call = call
    var pages: [ScanAnswer] = []
    repeat {
      let page = try scan(call)
      pages.append(page)
      if let before = call.resumeAfter, let after = page.resumeAfter {
        // Else it would never end.
        guard call.reverse ? after < before : after > before else {
          Issue.record("a page goes on at \(after), the one before it did at \(before)")
          return pages
        }
      }
      call.resumeAfter = page.resumeAfter
    } while call.resumeAfter != nil
    return pages
  }

  /// The keys of all pages of a scan.
  func scanKeys(_ call: ScanCall) throws(StoreError) -> [Bytes] {
    try scanPages(call).flatMap(\.keys)
  }

  func count(_ range: StoreRange = .all) throws(StoreError) -> Int64 {
    guard case .count(let answer) = try perform(.count(range)) else { unexpected() }
    return answer.count
  }

  private func unexpected() -> Never { preconditionFailure("an answer of another kind") }
}

// Short forms of a transaction's parts.
extension StoreOperation {
  static func set(
    _ key: Bytes, _ value: StoreValue, expires expiration: StoreExpiration = .never,
    if condition: StoreCondition = .none, returnPrevious: Bool = false
  ) -> StoreOperation {
    .set(
      SetCall(
        key: key, value: value, expiration: expiration, condition: condition,
        returnPrevious: returnPrevious))
  }
  static func delete(
    _ key: Bytes, if condition: StoreCondition = .none, returnPrevious: Bool = false
  ) -> StoreOperation {
    .delete(DeleteCall(key: key, condition: condition, returnPrevious: returnPrevious))
  }
  static func increment(
    _ key: Bytes, by delta: Int64 = 1, initial: Int64 = 0
  ) -> StoreOperation {
    .increment(IncrementCall(key: key, delta: delta, initial: initial))
  }
  static func push(
    _ key: Bytes, _ items: [Bytes], at side: ListSide = .back,
    expires expiration: StoreExpiration = .keep, mustExist: Bool = false, maxLength: Int64 = 0
  ) -> StoreOperation {
    .push(
      PushCall(
        key: key, items: items, side: side, expiration: expiration, mustExist: mustExist,
        maxLength: maxLength))
  }
  static func pop(
    _ key: Bytes, from side: ListSide = .back, count: Int = 1
  ) -> StoreOperation {
    .pop(PopCall(key: key, side: side, count: count))
  }
}

extension StoreCompare {
  static func key(_ key: Bytes, _ condition: StoreCondition) -> StoreCompare {
    StoreCompare(key: key, condition: condition)
  }
}
