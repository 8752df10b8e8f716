import RoostStore

/// What an engine should answer, written to be read and not to be fast: a dictionary.
///
/// It does not make revisions: it is told the one that the engine gave, and checks that it could
/// be. Between two revisions of its own mutations an engine may take one for each key that ended
/// in between, at any moment (the sweeper's, or a write's that met the key).
///
/// 1. `entries` holds no key whose `expiresAtMillis` was reached at the last `apply`.
/// 2. `lastRevision` is the newest revision that any answer has shown.
/// 3. `unseenEnds` keys have ended whose revision no answer has shown to be taken.
struct ReferenceStore: Hashable {
  var entries: [Bytes: StoredEntry] = [:]
  var lastRevision: Int64 = 0
  var unseenEnds: Int64 = 0
  /// Where this is one key's part of an engine, other keys take revisions between its own.
  var isPartial = false
  var maxListItems = Int.max

  /// What `call` should answer, and does to this store. `observed` is the engine's answer, from
  /// which only the revision is taken. A scan is judged by `scanFault` instead.
  mutating func apply(
    _ call: StoreCall, now: Int64, observed: StoreAnswer?
  ) -> Result<StoreAnswer, StoreError> {
    expire(now)
    var step = ReferenceStep(
      entries: entries, now: now, revision: observed?.mutationRevision ?? 0,
      maxListItems: maxListItems)
    do throws(StoreError) {
      var answer = try step.run(call)
      entries = step.entries
      if step.hasChanged {
        answer = answer.with(revision: takeRevision(observed?.mutationRevision))
      } else if let seen = observed?.storeRevision {
        answer = answer.with(revision: seeRevision(seen))
      }
      return .success(answer)
    } catch {
      return .failure(error)
    }
  }

  /// Takes away what has ended.
  mutating func expire(_ now: Int64) {
    for (key, entry) in entries where entry.isOver(now) {
      entries[key] = nil
      unseenEnds += 1
    }
  }

  /// The revision of a mutation: the observed one where it is possible, else the first possible.
  private mutating func takeRevision(_ observed: Int64?) -> Int64 {
    let first = lastRevision + 1
    guard let observed, observed >= first, isPartial || observed <= first + unseenEnds else {
      lastRevision = first
      return first
    }
    if !isPartial { unseenEnds -= observed - first }
    lastRevision = observed
    return observed
  }

  /// The store's revision in an answer that changed nothing.
  mutating func seeRevision(_ observed: Int64) -> Int64 {
    guard observed >= lastRevision, isPartial || observed <= lastRevision + unseenEnds else {
      return lastRevision
    }
    if !isPartial { unseenEnds -= observed - lastRevision }
    lastRevision = observed
    return observed
  }
}

extension StoredEntry {
  func isOver(_ now: Int64) -> Bool { expiresAtMillis != 0 && expiresAtMillis <= now }
}

extension StoreAnswer {
  /// The revision of the mutation that gave this answer, if one did; or of the entry it shows.
  var mutationRevision: Int64? {
    switch self {
    case .set(let answer): answer.revision
    case .delete(let answer): answer.revision
    case .deleteRange(let answer): answer.revision
    case .increment(let answer): answer.revision
    case .touch(let answer): answer.revision
    case .push(let answer): answer.revision
    case .pop(let answer): answer.revision
    case .transact(let answer): answer.revision
    case .get, .batchGet, .listRange, .scan, .count: nil
    }
  }

  /// The whole store's revision, in the answers that show it.
  var storeRevision: Int64? {
    switch self {
    case .batchGet(let answer): answer.revision
    case .scan(let answer): answer.revision
    case .count(let answer): answer.revision
    case .transact(let answer): answer.revision
    default: nil
    }
  }

  func with(revision: Int64) -> StoreAnswer {
    switch self {
    case .set(var answer):
      answer.revision = revision
      return .set(answer)
    case .delete(var answer):
      answer.revision = revision
      return .delete(answer)
    case .deleteRange(var answer):
      answer.revision = revision
      return .deleteRange(answer)
    case .increment(var answer):
      answer.revision = revision
      return .increment(answer)
    case .touch(var answer):
      answer.revision = revision
      return .touch(answer)
    case .push(var answer):
      answer.revision = revision
      return .push(answer)
    case .pop(var answer):
      answer.revision = revision
      return .pop(answer)
    case .batchGet(var answer):
      answer.revision = revision
      return .batchGet(answer)
    case .count(var answer):
      answer.revision = revision
      return .count(answer)
    case .transact(var answer):
      answer.revision = revision
      return .transact(answer)
    case .get, .listRange, .scan: return self
    }
  }
}
