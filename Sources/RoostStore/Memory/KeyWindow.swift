/// A place in the order of keys, next to some bytes.
struct KeyBound {
  enum Side { case before, after, afterPrefix }

  let bytes: UnsafeRawBufferPointer
  let side: Side

  /// Whether a key lies in front of this place.
  @inline(__always)
  func follows(_ key: UnsafeRawBufferPointer) -> Bool {
    switch side {
    case .before: ByteOrder.compare(key, bytes) < 0
    case .after: ByteOrder.compare(key, bytes) <= 0
    case .afterPrefix:
      bytes.count == 0 || ByteOrder.compare(key, bytes) < 0 || ByteOrder.begins(key, with: bytes)
    }
  }
}

/// The keys of a range: at or after its start, in front of its end, with its prefix, where it
/// has these; and with a pattern's prefix too.
struct KeyWindow {
  private let range: KeyRangeRef
  private let patternPrefix: UnsafeRawBufferPointer

  /// - Parameter patternPrefix: what every key that matches begins with.
  init(
    _ range: KeyRangeRef,
    patternPrefix: UnsafeRawBufferPointer = UnsafeRawBufferPointer(start: nil, count: 0)
  ) {
    self.range = range
    self.patternPrefix = patternPrefix
    var lower = range.start
    for prefix in [range.prefix, patternPrefix] where ByteOrder.compare(prefix, lower) > 0 {
      lower = prefix
    }
    self.lower = KeyBound(bytes: lower, side: .before)
  }

  var isEverything: Bool {
    range.start.count == 0 && range.end.count == 0 && range.prefix.count == 0
      && patternPrefix.count == 0
  }

  /// The place in front of the first key. A prefix is the first key that it begins.
  let lower: KeyBound

  /// Whether a key is not past the range's end.
  @inline(__always)
  func isBelowUpper(_ key: UnsafeRawBufferPointer) -> Bool {
    (range.end.count == 0 || ByteOrder.compare(key, range.end) < 0)
      && KeyBound(bytes: range.prefix, side: .afterPrefix).follows(key)
      && KeyBound(bytes: patternPrefix, side: .afterPrefix).follows(key)
  }

  /// Whether a key is not in front of the range's start.
  @inline(__always)
  func isAboveLower(_ key: UnsafeRawBufferPointer) -> Bool {
    !lower.follows(key)
  }

  /// The keys of the window in one shard's index, as places in its order.
  func places(_ index: borrowing OrderedTree<Record>) -> Range<Int> {
    if isEverything { return 0..<index.count }
    let lower = lower
    let start = index.rank { lower.follows($0.key) }
    let end = index.rank { isBelowUpper($0.key) }
    return start..<max(start, end)
  }
}
