/// The newest deletions of a shard: an answer that says that a key is absent depends on its
/// deletion. Guarded by the shard's lock.
///
/// 1. What `revision(of:)` gives is at least that of the key's last deletion; more only where so
///    many came after it that they are not known one by one.
struct RecentDeletions: ~Copyable {
  private static let capacity = 64

  private struct Deletion {
    var hash: UInt64
    var revision: Int64
  }

  private var ring: UnsafeMutablePointer<Deletion>?
  private var count = 0
  /// Of the newest deletion that the ring does not hold any more, or that was of a range.
  private var floor: Int64 = 0
  private var newest: Int64 = 0

  func release() { ring?.deallocate() }

  mutating func note(_ hash: UInt64, _ revision: Int64) {
    let ring = ring ?? makeRing()
    let place = ring + (count & (Self.capacity - 1))
    floor = max(floor, place.pointee.revision)
    place.pointee = Deletion(hash: hash, revision: revision)
    count &+= 1
    newest = revision
  }

  /// Notes a deletion that may have been of any key.
  mutating func noteAll(_ revision: Int64) {
    floor = revision
    newest = revision
  }

  /// The revision that the absence of a key depends on; 0: none.
  @inline(__always)
  func revision(of hash: UInt64) -> Int64 { newest == 0 ? 0 : find(hash) }

  private func find(_ hash: UInt64) -> Int64 {
    var revision = floor
    guard let ring else { return revision }
    for place in 0..<min(count, Self.capacity) where ring[place].hash == hash {
      revision = max(revision, ring[place].revision)
    }
    return revision
  }

  private mutating func makeRing() -> UnsafeMutablePointer<Deletion> {
    let memory = UnsafeMutablePointer<Deletion>.allocate(capacity: Self.capacity)
    memory.initialize(repeating: Deletion(hash: 0, revision: 0), count: Self.capacity)
    ring = memory
    return memory
  }
}
