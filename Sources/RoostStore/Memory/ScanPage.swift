import Glibc

/// A page of a scan while it is filled, in slices.
///
/// 1. `resumeAfter` is the last key that was examined, or the command's own before the first.
/// 2. An entry that does not fit any more ends the page; one that would not fit an empty page
///    comes without its value, so that the scan goes on.
/// 3. A regular expression that is slow on these keys ends the page too, once it took
///    `maxPatternNanos`.
struct ScanPage {
  enum Outcome { case rangeDone, pageFull, sliceDone }

  /// What a page may spend on a regular expression. Its time for a byte of a key varies by a
  /// factor of a thousand, so that a count of keys says nothing.
  static let maxPatternNanos: UInt64 = 1_000_000
  /// Between two looks at the clock.
  private static let keyBytesPerLook = 512

  private let command: ScanCommand
  private let window: KeyWindow
  /// What the window does not say already.
  private let matching: KeyPattern?
  private let reply: ReplyArena
  private let stepMillis: Int64
  private var entries: UnsafeMutablePointer<EntryRef>
  private var capacity: Int
  private var count = 0
  private var bytes = 0
  private(set) var examined = 0
  private(set) var resumeAfter: UnsafeRawBufferPointer?
  /// 0 where there is no regular expression.
  private let startNanos: UInt64
  private var keyBytesSinceLook = 0

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
    startNanos = matching?.kind == .regex ? Self.monotonicNanos() : 0
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

  /// Goes on with the page, over at most `maxExamined` keys.
  mutating func fill(_ merge: inout ShardMerge, now: Int64, maxExamined: Int) -> Outcome {
    let end = examined &+ maxExamined
    var last: Record?
    defer { if let last { resumeAfter = reply.copy(last.key) } }
    while let record = merge.record {
      let key = record.key
      guard command.reverse ? window.isAboveLower(key) : window.isBelowUpper(key) else { break }
      if count >= command.pageSize || examined >= command.maxExamined { return .pageFull }
      if examined >= end { return .sliceDone }
      if !record.isExpired(at: now), matching?.matches(key) ?? true {
        guard take(record, key) else { return .pageFull }
      }
      examined &+= 1
      last = record
      merge.advance()
      if startNanos > 0, hasSpentItsTime(key.count), merge.record != nil { return .pageFull }
    }
    return .rangeDone
  }

  private mutating func hasSpentItsTime(_ keyBytes: Int) -> Bool {
    keyBytesSinceLook &+= keyBytes
    if keyBytesSinceLook < Self.keyBytesPerLook { return false }
    keyBytesSinceLook = 0
    return Self.monotonicNanos() &- startNanos > Self.maxPatternNanos
  }

  private static func monotonicNanos() -> UInt64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return UInt64(time.tv_sec) &* 1_000_000_000 &+ UInt64(time.tv_nsec)
  }

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
