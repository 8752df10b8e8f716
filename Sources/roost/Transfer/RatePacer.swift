/// Spreads work so that it stays below a rate. It decides; its caller sleeps.
struct RatePacer {
  /// Work that was late by less than this is made up for.
  static let maxBurstNanos: UInt64 = 10_000_000

  private let nanosPerUnit: Double
  private var nextNanos: UInt64 = 0

  /// - Parameter unitsPerSecond: At least 1.
  init(unitsPerSecond: Int64) {
    precondition(unitsPerSecond >= 1)
    nanosPerUnit = 1_000_000_000 / Double(unitsPerSecond)
  }

  /// How long to wait after this much work was handed out.
  ///
  /// - Parameter nowNanos: Of a monotonic clock.
  mutating func delayNanos(after units: Int, nowNanos: UInt64) -> UInt64 {
    let earliest = nowNanos - min(nowNanos, Self.maxBurstNanos)
    nextNanos = max(nextNanos, earliest) + UInt64(nanosPerUnit * Double(units))
    return nextNanos - min(nextNanos, nowNanos)
  }
}
