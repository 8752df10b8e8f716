import Glibc
import Synchronization

/// A part of the answers that idempotency keys have, with the lock that guards it.
///
/// 1. `answers` and the list from `oldest` to `newest` hold the same answers, which are the
///    stripe's own; the list is in the order of revisions, but for what is just being loaded.
/// 2. `oldestRevision` and `oldestRecordedAt` are those of `oldest`, also for who has no lock.
///
/// `@unchecked Sendable`: all is behind `mutex`, or atomic.
final class AnswerStripe: @unchecked Sendable {
  private let mutex: UnsafeMutablePointer<pthread_mutex_t>
  private var answers: [AnswerScope: KeptAnswer] = [:]
  private var oldest: KeptAnswer?
  private var newest: KeptAnswer?
  /// Where a walk over the answers goes on.
  private var cursor: KeptAnswer?
  /// Where it ends.
  private var walkEnd: Int64 = 0
  private let lowestRevision = Atomic<Int64>(.max)
  private let lowestRecordedAt = Atomic<Int64>(.max)

  init() {
    mutex = .allocate(capacity: 1)
    mutex.initialize(to: pthread_mutex_t())
    pthread_mutex_init(mutex, nil)
  }

  deinit {
    while let answer = removeOldest() { answer.release() }
    pthread_mutex_destroy(mutex)
    mutex.deallocate()
  }

  func lock() { pthread_mutex_lock(mutex) }
  func unlock() { pthread_mutex_unlock(mutex) }

  /// `Int64.max`: there is no answer.
  var oldestRevision: Int64 { lowestRevision.load(ordering: .relaxed) }
  /// Engine time; `Int64.max`: there is no answer.
  var oldestRecordedAt: Int64 { lowestRecordedAt.load(ordering: .relaxed) }

  // All from here on wants the lock held.

  func find(_ scope: AnswerScope) -> KeptAnswer? { answers[scope] }

  /// Adds an answer as the newest, in place of the one that its scope has.
  /// - Returns: what that one took.
  func insert(_ answer: KeptAnswer) -> Int {
    let scope = answer.scope
    var freed = 0
    if let old = answers.removeValue(forKey: scope) {
      freed = old.cost
      unlink(old)
      old.release()
    }
    answers[scope] = answer
    append(answer)
    return freed
  }

  /// Takes the oldest answer out, for the caller to free.
  func removeOldest() -> KeptAnswer? {
    guard let answer = oldest else { return nil }
    answers.removeValue(forKey: answer.scope)
    unlink(answer)
    return answer
  }

  private func append(_ answer: KeptAnswer) {
    answer.older = newest
    answer.newer = nil
    newest?.newer = answer
    newest = answer
    if oldest == nil {
      oldest = answer
      publishOldest()
    }
  }

  private func unlink(_ answer: KeptAnswer) {
    if answer == cursor { cursor = answer.newer }
    if let older = answer.older { older.newer = answer.newer } else { oldest = answer.newer }
    if let newer = answer.newer { newer.older = answer.older } else { newest = answer.older }
    publishOldest()
  }

  private func publishOldest() {
    lowestRevision.store(oldest?.revision ?? .max, ordering: .relaxed)
    lowestRecordedAt.store(oldest?.recordedAt ?? .max, ordering: .relaxed)
  }

  /// Puts answers into the order of their revisions that were added in another.
  func sort() {
    let sorted = answers.values.sorted { $0.revision < $1.revision }
    oldest = nil
    newest = nil
    for answer in sorted { append(answer) }
    publishOldest()
  }

  // MARK: Walk

  /// Begins at the oldest answer, to end at what is now the newest.
  func beginWalk() {
    cursor = oldest
    walkEnd = newest?.revision ?? 0
  }

  /// Goes on: adds images, each behind its length as an `Int`, until there are `maxBytes` or more.
  /// - Returns: whether that was the last.
  func copyOn(to buffer: inout GrowingBuffer, maxBytes: Int) -> Bool {
    while let answer = cursor, buffer.count < maxBytes {
      guard answer.revision <= walkEnd else { return true }
      let image = answer.image
      let target = buffer.add(MemoryLayout<Int>.size + image.count)
      target.storeBytes(of: image.count, as: Int.self)
      if let base = image.baseAddress { memcpy(target + MemoryLayout<Int>.size, base, image.count) }
      cursor = answer.newer
    }
    return cursor == nil
  }
}
