#if canImport(Glibc)
  import Glibc
#endif

/// Says how long a thread that works at a bounded rate has to wait.
///
/// 1. In any stretch of time at most `bytesPerSecond` times its length is charged, plus what
///    `burstNanos` allow and one charge.
struct SnapshotPacer {
  /// What was not used in this time before may be used at once.
  static let burstNanos: Int64 = 50_000_000
  /// A wait is asked after `shouldStop` this often.
  static let sliceNanos: Int64 = 20_000_000

  /// 0: no limit.
  let bytesPerSecond: Int
  /// When all that was charged is worked off.
  private var dueNanos = Int64.min

  init(bytesPerSecond: Int) { self.bytesPerSecond = max(0, bytesPerSecond) }

  /// - Parameter now: of a monotonic clock.
  /// - Returns: nanoseconds to wait before going on.
  mutating func charge(_ bytes: Int, at now: Int64) -> Int64 {
    guard bytesPerSecond > 0 else { return 0 }
    let cost = Int64(Double(bytes) * 1e9 / Double(bytesPerSecond))
    dueNanos = max(dueNanos, now - Self.burstNanos) + cost
    return max(0, dueNanos - now)
  }

  /// Charges, and waits in slices so short that a stop is not held up.
  mutating func pace(_ bytes: Int, unless shouldStop: () -> Bool) throws(LogError) {
    if shouldStop() { throw .notPossible("stopping") }
    guard bytesPerSecond > 0 else { return }
    var left = charge(bytes, at: Self.monotonicNanos())
    while left > 0 {
      let slice = min(left, Self.sliceNanos)
      var time = timespec(tv_sec: 0, tv_nsec: Int(slice))
      nanosleep(&time, nil)
      if shouldStop() { throw .notPossible("stopping") }
      left = max(0, dueNanos - Self.monotonicNanos())
    }
  }

  private static func monotonicNanos() -> Int64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
  }
}
