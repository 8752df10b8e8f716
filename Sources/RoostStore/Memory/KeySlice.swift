/// The keys that a scan with a pattern comes to next, copied out, so that they are matched while no
/// lock is held.
///
/// 1. `readCount <= matchedCount <= count`: the pattern was asked about the keys up to
///    `matchedCount`; those up to `readCount` are done with.
/// 2. A slice says which keys there were; the entry of one that matched is looked up again.
struct KeySlice {
  /// How long the locks are held for a slice goes by these.
  static let maxKeys = 256
  static let maxBytes = 64 << 10

  private struct Place {
    let key: UnsafeRawBufferPointer
    let isExpired: Bool
    var isMatch = false
    /// Of a key that matched.
    var hash: UInt64 = 0
  }

  /// Whether the range held no further key.
  var endsRange = false
  private(set) var count = 0
  /// Of the keys that are not done with.
  private(set) var matches = 0
  private var matchedCount = 0
  private var readCount = 0
  private var usedBytes = 0
  private let places: UnsafeMutablePointer<Place>
  private let bytes: UnsafeMutableRawPointer

  /// - Parameter memory: holds the keys, of all slices one after the other.
  init(memory: ReplyArena) {
    places = memory.allocate(Self.maxKeys &* MemoryLayout<Place>.stride)
      .bindMemory(to: Place.self, capacity: Self.maxKeys)
    bytes = memory.allocate(Self.maxBytes)
  }

  mutating func removeAll() {
    endsRange = false
    count = 0
    matches = 0
    matchedCount = 0
    readCount = 0
    usedBytes = 0
  }

  /// Copies a key; `false` where the slice is full. An empty one takes any key.
  mutating func append(_ key: UnsafeRawBufferPointer, isExpired: Bool) -> Bool {
    guard count < Self.maxKeys, usedBytes &+ key.count <= Self.maxBytes,
      let source = key.baseAddress
    else { return false }
    let target = bytes + usedBytes
    target.copyMemory(from: source, byteCount: key.count)
    (places + count).initialize(
      to: Place(
        key: UnsafeRawBufferPointer(start: target, count: key.count), isExpired: isExpired))
    usedBytes &+= key.count
    count &+= 1
    return true
  }

  /// Asks the pattern about the next key.
  /// - Returns: the key; `nil` where there is none left.
  mutating func matchNext(
    _ pattern: KeyPattern, _ hasher: KeyHasher
  ) -> UnsafeRawBufferPointer? {
    guard matchedCount < count else { return nil }
    let place = places + matchedCount
    matchedCount &+= 1
    let key = place.pointee.key
    if !place.pointee.isExpired, pattern.matches(key), let base = key.baseAddress {
      place.pointee.isMatch = true
      place.pointee.hash = hasher.hash(base, key.count)
      matches &+= 1
    }
    return key
  }

  /// The first key that the pattern was asked about and that is not done with; once more, for
  /// looking it up, where it matched.
  var nextMatched: (key: UnsafeRawBufferPointer, match: KeyRef?)? {
    guard readCount < matchedCount else { return nil }
    let place = places[readCount]
    return (place.key, place.isMatch ? KeyRef(place.key, hash: place.hash) : nil)
  }

  /// Is done with that key.
  mutating func passMatched() {
    if places[readCount].isMatch { matches &-= 1 }
    readCount &+= 1
  }

  /// Whether there are keys that are not done with.
  var hasMore: Bool { readCount < count }
}
