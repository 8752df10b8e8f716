import Glibc

/// Keeps the calling thread's work to a quarter of a processor while the process's other threads
/// are at work: a thread that works all the time takes half of the one that it shares with an
/// event loop, and the loop then waits for whole time slices of the scheduler, milliseconds.
///
/// The times are of processors, not of the clock: who is kept waiting has not worked.
struct ProcessorShare {
  /// Rest for each part of work.
  private static let restPerWork: UInt64 = 3
  /// Work between two rests, of which a short one would cost more than it gives.
  private static let minWorkNanos: UInt64 = 50_000
  /// Work without a rest once the others were found idle: they wait that long when they wake up.
  private static let idleWorkNanos: UInt64 = 500_000

  private var ownNanos = Self.nanos(CLOCK_THREAD_CPUTIME_ID)
  private var budgetNanos = Self.minWorkNanos

  /// How long to rest now; `nil`: not yet.
  var restNanos: UInt64? {
    let worked = Self.nanos(CLOCK_THREAD_CPUTIME_ID) - ownNanos
    if worked < budgetNanos { return nil }
    let counted = budgetNanos == Self.idleWorkNanos ? Self.minWorkNanos : worked
    return min(counted * Self.restPerWork, 10_000_000)
  }

  /// Rests by `body`, which is given how long.
  mutating func rest(_ nanos: UInt64, _ body: (UInt64) -> Void) {
    let before = othersNanos
    body(nanos)
    // Two clocks are not read at one instant, so it may seem to go back.
    let areIdle = othersNanos < before + nanos / 8
    budgetNanos = areIdle ? Self.idleWorkNanos : Self.minWorkNanos
    ownNanos = Self.nanos(CLOCK_THREAD_CPUTIME_ID)
  }

  private var othersNanos: UInt64 {
    let own = Self.nanos(CLOCK_THREAD_CPUTIME_ID)
    return max(Self.nanos(CLOCK_PROCESS_CPUTIME_ID), own) - own
  }

  private static func nanos(_ clock: clockid_t) -> UInt64 {
    var time = timespec()
    clock_gettime(clock, &time)
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
  }
}
