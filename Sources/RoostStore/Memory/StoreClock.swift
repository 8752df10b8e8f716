import Glibc
import Synchronization

/// Where an engine reads the time.
public protocol StoreClock: Sendable {
  /// Milliseconds since a fixed point. Never goes back or jumps, and counts suspended time:
  /// lifetimes run on it.
  var elapsedMillis: Int64 { get }
  /// Unix time in milliseconds. May step.
  var wallMillis: Int64 { get }
}

/// The machine's clocks: CLOCK_BOOTTIME and CLOCK_REALTIME.
public struct SystemStoreClock: StoreClock {
  /// The machine's clocks.
  @inlinable public init() {}

  /// CLOCK_BOOTTIME in milliseconds.
  public var elapsedMillis: Int64 { Self.millis(CLOCK_BOOTTIME) }
  /// CLOCK_REALTIME in milliseconds.
  public var wallMillis: Int64 { Self.millis(CLOCK_REALTIME) }

  /// Reads a clock by its number, through the vDSO.
  @inline(__always) static func millis(_ clock: clockid_t) -> Int64 {
    var time = timespec()
    clock_gettime(clock, &time)
    return Int64(time.tv_sec) &* 1000 &+ Int64(time.tv_nsec) / 1_000_000
  }
}

/// A clock that moves only when it is told to, for tests of what depends on time.
public final class ManualStoreClock: StoreClock {
  private let elapsed: Atomic<Int64>
  private let wall: Atomic<Int64>

  /// - Parameters:
  ///   - wallMillis: Unix time to start at, in milliseconds.
  ///   - elapsedMillis: where the never-stepping clock starts.
  public init(wallMillis: Int64 = 1_700_000_000_000, elapsedMillis: Int64 = 1_000_000) {
    elapsed = Atomic(elapsedMillis)
    wall = Atomic(wallMillis)
  }

  /// Milliseconds as advanced so far.
  public var elapsedMillis: Int64 { elapsed.load(ordering: .acquiring) }
  /// Unix time as advanced and stepped so far.
  public var wallMillis: Int64 { wall.load(ordering: .acquiring) }

  /// Lets time pass on both clocks.
  public func advance(millis: Int64) {
    elapsed.wrappingAdd(millis, ordering: .acquiringAndReleasing)
    wall.wrappingAdd(millis, ordering: .acquiringAndReleasing)
  }

  /// Sets the wall clock forward or back, as an administrator or a time server does.
  public func stepWall(millis: Int64) {
    wall.wrappingAdd(millis, ordering: .acquiringAndReleasing)
  }
}
