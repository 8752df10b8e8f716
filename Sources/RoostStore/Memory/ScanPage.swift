import Glibc

/// A page of a scan while it is filled, in slices.
///
/// 1. `resumeAfter` is the last key that was examined, or the command's own before the first.
/// 2. An entry that does not fit any more ends the page; one that would not fit an empty page
///    comes without its value, so that the scan goes on.
/// 3. A pattern that is slow on these keys ends the page too, once it took `maxPatternNanos`. It is
///    asked while no lock is held: `copyKeys`, `match` and `readMatches` take turns.
struct ScanPage {
  enum Outcome { case rangeDone, pageFull, sliceDone }

  /// What a page may spend on a pattern. A regular expression's time for a byte of a key varies by
  /// a factor of a thousand, so that a count of keys says nothing.
  static let maxPatternNanos: UInt64 = 50_000_000
  /// Between two looks at the clock.
  private static let keyBytesPerLook = 512

  /// What the window does not say already.
  let matching: KeyPattern?
  private let command: ScanCommand
  private let window: KeyWindow
  private let reply: ReplyArena
  private let stepMillis: Int64
  private var entries: UnsafeMutablePointer<EntryRef>
  private var capacity: Int
  private var count = 0
  private var bytes = 0
  private(set) var examined = 0
  private(set) var resumeAfter: UnsafeRawBufferPointer?
  private var patternNanos: UInt64 = 0
  /// The pattern's time is over, or nobody waits for the page any more.
  private var isInterrupted = false

  init(_ command: ScanCommand, _ reply: ReplyArena, stepMillis: Int64) {
    self.command = command
    self.reply = reply
    self.stepMillis = stepMillis
    if let pattern = command.pattern {
      let prefix = pattern.literalPrefix.withUnsafeBytes { reply.copy($0) }
      window = KeyWindow(command.range, patternPrefix: prefix)
      matching = pattern.isPrefixOnly ? nil : pattern
    } else {
      window = KeyWindow(command.range)
      matching = nil
    }
    resumeAfter = command.resumeAfter
    capacity = max(min(command.pageSize, 128), 1)
    entries = Self.memory(capacity, reply)
  }

  var found: UnsafeBufferPointer<EntryRef> { UnsafeBufferPointer(start: entries, count: count) }

  /// Whether a record lies in front of the place where the page goes on.
  func isBefore(_ record: Record) -> Bool {
    if command.reverse {
      if let resumeAfter, ByteOrder.compare(record.key, resumeAfter) >= 0 { return false }
      return window.isBelowUpper(record.key)
    }
    if let resumeAfter, ByteOrder.compare(record.key, resumeAfter) <= 0 { return true }
    return window.lower.follows(record.key)
  }

  private var isFull: Bool {
    count >= command.pageSize || examined >= command.maxExamined || isInterrupted
  }

  @inline(__always)
  private func isInside(_ key: UnsafeRawBufferPointer) -> Bool {
    command.reverse ? window.isAboveLower(key) : window.isBelowUpper(key)
  }

  // MARK: Without a pattern

  /// Goes on with the page, over at most `maxExamined` keys. All shards are locked.
  mutating func fill(_ merge: inout ShardMerge, now: Int64, maxExamined: Int) -> Outcome {
    let end = examined &+ maxExamined
    var last: Record?
    defer { if let last { resumeAfter = reply.copy(last.key) } }
    while let record = merge.record {
      let key = record.key
      guard isInside(key) else { break }
      if isFull { return .pageFull }
      if examined >= end { return .sliceDone }
      if !record.isExpired(at: now) {
        guard take(record, key) else { return .pageFull }
      }
      examined &+= 1
      last = record
      merge.advance()
    }
    return .rangeDone
  }

  /// Ends the page where nobody waits for it. No lock is held.
  mutating func stopIfCancelled() {
    if let isCancelled = command.isCancelled, isCancelled() { isInterrupted = true }
  }

  // MARK: With a pattern

  /// Copies the keys that come next. All shards are locked.
  /// - Returns: `sliceDone` where there are any.
  mutating func copyKeys(
    _ merge: inout ShardMerge, to slice: inout KeySlice, now: Int64
  ) -> Outcome {
    slice.removeAll()
    while let record = merge.record, isInside(record.key) {
      if isFull { return .pageFull }
      if examined &+ slice.count >= command.maxExamined { return .sliceDone }
      let isExpired = record.isExpired(at: now)
      guard slice.append(record.key, isExpired: isExpired) else { return .sliceDone }
      merge.advance()
    }
    slice.endsRange = true
    return slice.count > 0 ? .sliceDone : .rangeDone
  }

  /// Asks the pattern about the slice's keys, until the page has no room for more that match, or
  /// the time is over. No lock is held.
  mutating func match(_ slice: inout KeySlice, _ pattern: KeyPattern, _ hasher: KeyHasher) {
    let start = Self.monotonicNanos()
    let maxMatches = command.pageSize &- count
    var bytesSinceLook = 0
    while !isInterrupted, slice.matches < maxMatches, let key = slice.matchNext(pattern, hasher) {
      bytesSinceLook &+= key.count
      if bytesSinceLook < Self.keyBytesPerLook { continue }
      bytesSinceLook = 0
      isInterrupted = Self.monotonicNanos() &- start &+ patternNanos > Self.maxPatternNanos
      stopIfCancelled()
    }
    patternNanos &+= Self.monotonicNanos() &- start
    if patternNanos > Self.maxPatternNanos { isInterrupted = true }
  }

  /// Takes the entries of the keys that matched, each as it is now. All shards are locked.
  mutating func readMatches(
    _ slice: inout KeySlice, _ shards: ShardArray, now: Int64
  ) -> Outcome {
    var last: UnsafeRawBufferPointer?
    defer { if let last { resumeAfter = reply.copy(last) } }
    while let (key, match) = slice.nextMatched {
      if let match,
        let record = shards[shards.index(match.hash)].pointee.visible(match, now: now),
        !take(record, key)
      {
        return .pageFull
      }
      slice.passMatched()
      examined &+= 1
      last = key
    }
    return isFull && slice.hasMore ? .pageFull : .sliceDone
  }

  private static func monotonicNanos() -> UInt64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return UInt64(time.tv_sec) &* 1_000_000_000 &+ UInt64(time.tv_nsec)
  }

  // MARK: Entries

  private mutating func take(_ record: Record, _ key: UnsafeRawBufferPointer) -> Bool {
    let keyCost = ReplyCost.item(key.count)
    var cost = keyCost &+ ReplyCost.entry
    var isOmitted = false
    if !command.keysOnly {
      let whole = keyCost &+ reply.cost(of: record)
      isOmitted = whole > command.maxPageBytes
      if !isOmitted { cost = whole }
    }
    if count > 0,
      bytes &+ cost > command.maxPageBytes || reply.chargedBytes &+ cost > reply.budgetBytes
    {
      return false
    }
    bytes &+= cost
    _ = reply.tryCharge(keyCost)
    var entry = reply.entry(
      record, keysOnly: command.keysOnly || isOmitted, stepMillis: stepMillis)
    if isOmitted { entry.valueOmitted = true }
    entry.key = reply.copy(key)
    if count == capacity { grow() }
    (entries + count).initialize(to: entry)
    count &+= 1
    return true
  }

  private mutating func grow() {
    let larger = Self.memory(capacity &* 2, reply)
    larger.update(from: entries, count: count)
    entries = larger
    capacity &*= 2
  }

  private static func memory(
    _ capacity: Int, _ reply: ReplyArena
  ) -> UnsafeMutablePointer<EntryRef> {
    reply.allocate(capacity &* MemoryLayout<EntryRef>.stride)
      .bindMemory(to: EntryRef.self, capacity: capacity)
  }
}
