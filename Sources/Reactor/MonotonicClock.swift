#if canImport(Glibc)
  import Glibc
#endif

/// CLOCK_MONOTONIC.
enum MonotonicClock {
  @inline(__always)
  static func nowNanos() -> UInt64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return UInt64(bitPattern: Int64(time.tv_sec)) &* 1_000_000_000
      &+ UInt64(bitPattern: Int64(time.tv_nsec))
  }
}

extension Duration {
  /// Not negative, and at most some 290 years.
  var clampedNanos: UInt64 {
    let (seconds, attoseconds) = components
    guard seconds >= 0, attoseconds >= 0 else { return 0 }
    let (product, overflow) = UInt64(seconds).multipliedReportingOverflow(by: 1_000_000_000)
    let nanos = UInt64(attoseconds / 1_000_000_000)
    return overflow || product > UInt64(Int64.max) ? UInt64(Int64.max) : product + nanos
  }
}
