import Glibc

/// The time of day, which expiry times are compared with.
enum WallClock {
  /// Unix time in milliseconds.
  static func nowMillis() -> Int64 {
    var now = timespec()
    clock_gettime(CLOCK_REALTIME, &now)
    return Int64(now.tv_sec) * 1000 + Int64(now.tv_nsec) / 1_000_000
  }
}
