import RoostStore

/// One step of a random run: everything that it takes to do it again.
enum ModelStep: Sendable, Hashable {
  case call(StoreCall)
  /// With an answer that may take so many bytes.
  case smallCall(StoreCall, budgetBytes: Int)
  case advance(millis: Int64)
  case sweep
}

/// Makes steps that often meet: few keys, short lives, conditions that sometimes hold.
struct ModelStepGenerator {
  var random: SeededRandom

  static let keys: [Bytes] =
    ["a", "aa", "aaa", "ab", "b", "ba", [0], [0xff], [0xff, 0xff], [0x61, 0xff], "counter"]
    + (0..<24).map { "user:\($0)" } + [Bytes(repeating: 0x6b, count: 300)]

  mutating func step(_ state: ReferenceStore, now: Int64) -> ModelStep {
    switch random.int(1...100) {
    case 1...8: .advance(millis: Int64(random.int(1...random.pick([2, 20, 200]))))
    case 9...10: .sweep
    case 11...18: .smallCall(call(state, now: now), budgetBytes: random.pick([0, 150, 400, 1_500]))
    default: .call(call(state, now: now))
    }
  }

  private mutating func call(_ state: ReferenceStore, now: Int64) -> StoreCall {
    switch random.int(1...100) {
    case 1...12: return .get(key(), keysOnly: random.oneIn(4))
    case 13...16: return .batchGet((0..<random.int(0...10)).map { _ in key() }, keysOnly: false)
    case 17...34: return .set(set(state, now))
    case 35...42: return .delete(delete(state))
    case 43...44:
      return .deleteRange(range(), dryRun: random.oneIn(2), maxKeys: random.pick([0, 3, 100]))
    case 45...52: return .increment(increment(now))
    case 53...58: return .touch(key(), expiration(now))
    case 59...66: return .push(push(now))
    case 67...72: return .pop(pop())
    case 73...76:
      return .listRange(key(), start: Int64(random.int(-6...6)), stop: Int64(random.int(-6...6)))
    case 77...86: return .transact(transact(state, now))
    case 87...96: return .scan(scan())
    default: return .count(range())
    }
  }

  private mutating func key() -> Bytes { random.pick(Self.keys) }

  private mutating func bytes() -> Bytes {
    Bytes((0..<random.int(0...random.pick([2, 20, 300]))).map { _ in UInt8(random.int(0...255)) })
  }

  private mutating func items() -> [Bytes] {
    (0..<random.int(1...random.pick([2, 5, 40]))).map { _ in bytes() }
  }

  private mutating func value() -> StoreValue {
    switch random.int(1...8) {
    case 1: .bytes(bytes())
    case 2: .text(Bytes(String(repeating: "t", count: random.int(0...40))))
    case 3...4: .int(random.pick([0, 1, 5, .max, .min, .max - 1]))
    case 5: .double(random.pick([0, -0.0, 1.5, .nan, .infinity]))
    case 6: .bool(random.oneIn(2))
    default: .list(items())
    }
  }

  private mutating func expiration(_ now: Int64) -> StoreExpiration {
    switch random.int(1...10) {
    case 1...4: .never
    case 5...6: .keep
    case 7...8: .after(Int64(random.int(1...random.pick([3, 50, 500]))))
    case 9: .at(now + Int64(random.int(1...60)))
    default: .at(now - Int64(random.int(0...60)))
    }
  }

  private mutating func condition(_ state: ReferenceStore, _ key: Bytes) -> StoreCondition {
    let entry = state.entries[key]
    switch random.int(1...12) {
    case 1: return .exists(true)
    case 2: return .exists(false)
    case 3: return .revision(max(1, (entry?.revision ?? 5) - (random.oneIn(3) ? 1 : 0)))
    case 4: return .value(random.oneIn(3) ? value() : entry?.value ?? value())
    default: return .none
    }
  }

  private mutating func set(_ state: ReferenceStore, _ now: Int64) -> SetCall {
    let key = key()
    return SetCall(
      key: key, value: value(), expiration: expiration(now), condition: condition(state, key),
      returnPrevious: random.oneIn(3))
  }

  private mutating func delete(_ state: ReferenceStore) -> DeleteCall {
    let key = key()
    return DeleteCall(key: key, condition: condition(state, key), returnPrevious: random.oneIn(3))
  }

  private mutating func increment(_ now: Int64) -> IncrementCall {
    IncrementCall(
      key: random.oneIn(2) ? "counter" : key(), delta: random.pick([1, -1, 0, 5, .max, .min]),
      initial: random.pick([0, 0, 10, .max]), expiration: random.oneIn(3) ? expiration(now) : .keep)
  }

  private mutating func push(_ now: Int64) -> PushCall {
    PushCall(
      key: key(), items: items(), side: random.oneIn(2) ? .back : .front,
      expiration: random.oneIn(4) ? expiration(now) : .keep, mustExist: random.oneIn(4),
      maxLength: random.pick([0, 0, 1, 3, 50]))
  }

  private mutating func pop() -> PopCall {
    PopCall(
      key: key(), side: random.oneIn(2) ? .back : .front,
      count: random.int(1...random.pick([1, 4, 100])))
  }

  private mutating func transact(_ state: ReferenceStore, _ now: Int64) -> TransactCall {
    TransactCall(
      compares: (0..<random.int(0...2)).map { _ in
        let key = key()
        return StoreCompare(key: key, condition: condition(state, key))
      },
      success: (0..<random.int(0...6)).map { _ in operation(state, now) },
      failure: (0..<random.int(0...3)).map { _ in operation(state, now) })
  }

  private mutating func operation(_ state: ReferenceStore, _ now: Int64) -> StoreOperation {
    switch random.int(1...12) {
    case 1...2: return .get(key(), keysOnly: random.oneIn(4))
    case 3...5: return .set(set(state, now))
    case 6...7: return .delete(delete(state))
    case 8: return .increment(IncrementCall(key: "counter", delta: 1))
    case 9: return .increment(increment(now))
    case 10: return .push(push(now))
    default: return .pop(pop())
    }
  }

  private mutating func range() -> StoreRange {
    switch random.int(1...4) {
    case 1: return .all
    case 2:
      let key = key()
      return StoreRange(prefix: Bytes(key.array.prefix(random.int(1...5))))
    default:
      return StoreRange(start: random.oneIn(3) ? [] : key(), end: random.oneIn(3) ? [] : key())
    }
  }

  private mutating func scan() -> ScanCall {
    let patterns: [StorePattern?] = [
      nil, nil, nil, .glob("user:*"), .glob("*a*"), .glob("?"), .glob("user:1[0-5]"),
      .regex("^user:.$"), .regex("a|1$"), .regex("^a+$"),
    ]
    return ScanCall(
      range: range(), pattern: random.pick(patterns), keysOnly: random.oneIn(3),
      reverse: random.oneIn(2), pageSize: random.pick([1, 3, 10, 1_000]),
      maxExamined: random.pick([1, 5, 10_000, 10_000]),
      maxPageBytes: random.pick([1_000, 1 << 20, 1 << 20]),
      resumeAfter: random.oneIn(3) ? key() : nil)
  }
}
