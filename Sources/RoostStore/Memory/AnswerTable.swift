import Glibc
import Synchronization

/// The answers that idempotency keys have, in stripes that are locked on their own. Safe from any
/// thread.
///
/// 1. A stripe's lock is held from the look for an answer until the command is executed and its
///    answer is in: so of the same writes at one moment one is executed. It is taken before any
///    shard's; whoever holds one takes no second.
/// 2. An answer goes when it is as old as the window, or when all take more than `maxBytes`: then
///    the one with the lowest revision goes first. For what one command adds the bound may be
///    passed until it is done.
///
/// `@unchecked Sendable`: all is constant, atomic, or guarded by a stripe's lock.
final class AnswerTable: @unchecked Sendable {
  static let stripeCount = 64
  /// Answers that are dropped under one lock.
  private static let answersPerSlice = 256
  /// What is copied for a snapshot under one lock, and how many answers at most.
  private static let bytesPerSlice = 256 << 10
  private static let warningMillis: Int64 = 60_000

  private let stripes: [AnswerStripe]
  private let hasher: KeyHasher
  private let maxBytes: Int
  private let onShortWindow: @Sendable (Int64) -> Void
  private let bytes = Atomic<Int>(0)
  /// When the youngest answer was recorded that went before its time.
  private let evictedThrough = Atomic<Int64>(.min)
  private let warnedAt = Atomic<Int64>(.min)

  init(_ configuration: MemoryEngineConfiguration, hasher: KeyHasher) {
    stripes = (0..<Self.stripeCount).map { _ in AnswerStripe() }
    self.hasher = hasher
    maxBytes = configuration.maxIdempotencyBytes
    onShortWindow = configuration.onShortWindow
  }

  // MARK: Figures

  /// What all answers take.
  var byteCount: Int { bytes.load(ordering: .relaxed) }

  /// How old a write may be and still be known.
  func windowMillis(now: Int64) -> Int64 {
    let (age, overflow) = now.subtractingReportingOverflow(evictedThrough.load(ordering: .relaxed))
    return overflow ? AnswerTicket.windowMillis : min(max(age, 0), AnswerTicket.windowMillis)
  }

  // MARK: Look-up and record

  /// Finds the place of a ticket.
  func scope(_ ticket: AnswerTicket) -> AnswerScope {
    precondition(
      1...AnswerTicket.maxKeyBytes ~= ticket.key.count
        && ticket.owner.count <= AnswerTicket.maxOwnerBytes, "a ticket over its limits")
    return AnswerScope(
      owner: ticket.owner, key: ticket.key, hash: hash(ticket.owner, ticket.key))
  }

  private func hash(_ owner: UnsafeRawBufferPointer, _ key: UnsafeRawBufferPointer) -> UInt64 {
    guard let keyBase = key.baseAddress else { return 0 }
    let hash = hasher.hash(keyBase, key.count)
    guard owner.count > 0, let ownerBase = owner.baseAddress else { return hash }
    return hash ^ hasher.hash(ownerBase, owner.count) &* 0x9e37_79b9_7f4a_7c15
  }

  /// Where an answer is, or would be.
  func stripe(_ scope: AnswerScope) -> AnswerStripe {
    stripes[Int(truncatingIfNeeded: scope.hash >> 32) & (Self.stripeCount - 1)]
  }

  /// Puts an answer in, in place of the one that its scope has. The stripe's lock is held.
  func record(_ answer: KeptAnswer, in stripe: AnswerStripe) {
    let cost = answer.cost
    let freed = stripe.insert(answer)
    bytes.add(cost - freed, ordering: .relaxed)
  }

  // MARK: Bounds

  /// Removes the oldest answers while all take too much. No stripe's lock is held.
  func trim(now: Int64) {
    guard byteCount > maxBytes else { return }
    var youngest: Int64?
    while byteCount > maxBytes, let (stripe, revision) = oldest() {
      stripe.lock()
      // Another thread may have been here in between.
      let evicted = stripe.oldestRevision == revision ? stripe.removeOldest() : nil
      stripe.unlock()
      guard let evicted else { continue }
      bytes.subtract(evicted.cost, ordering: .relaxed)
      youngest = max(youngest ?? .min, evicted.recordedAt)
      evicted.release()
    }
    if let youngest { noteEviction(youngest, now: now) }
  }

  private func oldest() -> (AnswerStripe, Int64)? {
    var found: AnswerStripe?
    var lowest = Int64.max
    for stripe in stripes {
      let revision = stripe.oldestRevision
      if revision < lowest { (found, lowest) = (stripe, revision) }
    }
    return found.map { ($0, lowest) }
  }

  private func noteEviction(_ recordedAt: Int64, now: Int64) {
    guard now - recordedAt < AnswerTicket.windowMillis else { return }
    evictedThrough.max(recordedAt, ordering: .relaxed)
    let warned = warnedAt.load(ordering: .relaxed)
    guard warned == .min || now - warned >= Self.warningMillis,
      warnedAt.compareExchange(expected: warned, desired: now, ordering: .relaxed).exchanged
    else { return }
    onShortWindow(windowMillis(now: now))
  }

  /// Frees what is older than the window.
  func dropExpired(now: Int64) {
    let limit = now - AnswerTicket.windowMillis
    for stripe in stripes {
      while stripe.oldestRecordedAt <= limit {
        stripe.lock()
        for _ in 0..<Self.answersPerSlice where stripe.oldestRecordedAt <= limit {
          guard let expired = stripe.removeOldest() else { break }
          bytes.subtract(expired.cost, ordering: .relaxed)
          expired.release()
        }
        stripe.unlock()
      }
    }
  }

  // MARK: Log and snapshots

  /// Takes over an answer that a log or a snapshot kept, at a start. `finishLoading` is to follow.
  /// - Parameter revision: of its record; 0: the image has its own.
  func load(_ image: UnsafeRawBufferPointer, revision: Int64, now: Int64) {
    guard let answer = KeptAnswer(image: image, revision: revision, now: now, hash: hash) else {
      return
    }
    let scope = answer.scope
    let stripe = stripe(scope)
    stripe.lock()
    let isNew = now - answer.recordedAt < AnswerTicket.windowMillis
    if isNew, (stripe.find(scope)?.revision ?? 0) < answer.revision {
      record(answer, in: stripe)
    } else {
      answer.release()
    }
    stripe.unlock()
    if byteCount > 2 * maxBytes { finishLoading(now: now) }
  }

  /// Puts what was loaded into its order, and removes what is too much.
  func finishLoading(now: Int64) {
    for stripe in stripes {
      stripe.lock()
      stripe.sort()
      stripe.unlock()
    }
    trim(now: now)
  }

  /// Calls `body` with the image of each answer, the oldest of a stripe first, without a lock
  /// held. What is recorded meanwhile may be missing. One caller at a time.
  func forEachImage(_ body: (UnsafeRawBufferPointer) -> Void) {
    var buffer = GrowingBuffer()
    for stripe in stripes {
      stripe.lock()
      stripe.beginWalk()
      stripe.unlock()
      var isDone = false
      while !isDone {
        buffer.removeAll()
        stripe.lock()
        isDone = stripe.copyOn(to: &buffer, maxBytes: Self.bytesPerSlice)
        stripe.unlock()
        buffer.forEachAnswer(body)
      }
    }
  }
}

extension GrowingBuffer {
  /// The answers that `AnswerStripe.copyOn` added.
  fileprivate func forEachAnswer(_ body: (UnsafeRawBufferPointer) -> Void) {
    let bytes = bytes
    var offset = 0
    while offset < bytes.count {
      let count = bytes.loadUnaligned(fromByteOffset: offset, as: Int.self)
      offset += MemoryLayout<Int>.size
      body(UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + count]))
      offset += count
    }
  }
}
