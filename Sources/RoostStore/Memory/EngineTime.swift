import Glibc
import Synchronization

/// The time by which keys end: CLOCK_BOOTTIME, set to the wall clock when the engine starts.
/// It never steps.
///
/// 1. A deadline is a moment of engine time, in milliseconds; a key is visible while
///    `now < deadline`.
/// 2. `stepMillis` is by how much the wall clock was stepped since the start: zero until they
///    differ by more than `toleranceMillis`. A deadline is reported, and one given as a
///    wall-clock time is taken, with it.
///
/// `@unchecked Sendable`: all is constant but `step`, which is atomic.
struct EngineTime: @unchecked Sendable {
  /// Slow corrections of the wall clock are not followed up to this.
  static let toleranceMillis: Int64 = 500
  /// Deadlines are kept in 48 bits.
  static let maxDeadline: Int64 = (1 << 48) - 1

  private let clock: any StoreClock
  private let isSystem: Bool
  private let offsetNanos: Int64
  private let step: UnsafeMutablePointer<Atomic<Int64>>

  init(clock: any StoreClock) {
    self.clock = clock
    isSystem = clock is SystemStoreClock
    if isSystem {
      offsetNanos = Self.nanos(CLOCK_REALTIME) &- Self.nanos(CLOCK_BOOTTIME)
    } else {
      offsetNanos = (clock.wallMillis &- clock.elapsedMillis) &* 1_000_000
    }
    step = .allocate(capacity: 1)
    step.initialize(to: Atomic(0))
  }

  /// Frees what it owns. Nothing may use it or a copy of it any more.
  func release() {
    step.deinitialize(count: 1)
    step.deallocate()
  }

  /// Engine time, exact to the millisecond.
  @inline(__always) var now: Int64 {
    isSystem ? (Self.nanos(CLOCK_BOOTTIME) &+ offsetNanos) / 1_000_000 : injectedNow
  }

  /// Wall-clock time for creation and update stamps. It may lag by a tick of the kernel's, up
  /// to 4 ms, and costs a quarter of an exact reading.
  @inline(__always) var stamp: Int64 {
    isSystem ? SystemStoreClock.millis(CLOCK_REALTIME_COARSE) : injectedWall
  }

  /// By how much the wall clock was stepped since the start.
  @inline(__always) var stepMillis: Int64 { step.pointee.load(ordering: .relaxed) }

  /// Looks for a step of the wall clock.
  func observeStep() {
    let wall = isSystem ? SystemStoreClock.millis(CLOCK_REALTIME) : injectedWall
    let difference = wall &- now
    let current = step.pointee.load(ordering: .relaxed)
    if abs(difference &- current) > Self.toleranceMillis {
      let settled = abs(difference) <= Self.toleranceMillis ? 0 : difference
      step.pointee.store(settled, ordering: .relaxed)
    }
  }

  /// A wall-clock time as a moment of engine time.
  func deadline(atWall millis: Int64) -> Int64 {
    observeStep()
    let (moment, overflow) = millis.subtractingReportingOverflow(stepMillis)
    return overflow ? millis : moment
  }

  @inline(never) private var injectedNow: Int64 {
    clock.elapsedMillis &+ offsetNanos / 1_000_000
  }

  @inline(never) private var injectedWall: Int64 { clock.wallMillis }

  @inline(__always) private static func nanos(_ clock: clockid_t) -> Int64 {
    var time = timespec()
    clock_gettime(clock, &time)
    return Int64(time.tv_sec) &* 1_000_000_000 &+ Int64(time.tv_nsec)
  }
}
