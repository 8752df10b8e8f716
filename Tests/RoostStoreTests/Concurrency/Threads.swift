import Synchronization

#if canImport(Glibc)
  import Glibc
#endif

/// Runs `body` on `count` threads of the system at once and gives back what each returned. They
/// begin together, as close as a spin on one flag lets them.
func runThreads<Output: Sendable>(
  _ count: Int, _ body: @escaping @Sendable (Int) -> Output
) -> [Output] {
  let start = Start(count: count)
  let outputs = (0..<count).map { _ in Box<Output>() }
  let threads = (0..<count).map { index in
    spawn {
      start.wait()
      outputs[index].value.withLock { $0 = body(index) }
    }
  }
  for thread in threads { pthread_join(thread, nil) }
  return outputs.map { box in box.value.withLock { $0! } }
}

private final class Box<Value: Sendable>: Sendable {
  let value = Mutex<Value?>(nil)
}

private final class Start: Sendable {
  private let missing: Atomic<Int>

  init(count: Int) { missing = Atomic(count) }

  func wait() {
    missing.subtract(1, ordering: .acquiringAndReleasing)
    while missing.load(ordering: .acquiring) > 0 { sched_yield() }
  }
}

private final class Body: Sendable {
  let run: @Sendable () -> Void
  init(_ run: @escaping @Sendable () -> Void) { self.run = run }
}

/// Runs `run` on a new thread of the system, which is joined or detached.
func spawn(_ run: @escaping @Sendable () -> Void) -> pthread_t {
  var thread = pthread_t()
  let result = pthread_create(
    &thread, nil,
    { argument in
      Unmanaged<Body>.fromOpaque(argument!).takeRetainedValue().run()
      return nil
    }, Unmanaged.passRetained(Body(run)).toOpaque())
  precondition(result == 0, "pthread_create: error \(result)")
  return thread
}

/// CLOCK_MONOTONIC in nanoseconds: one order for all threads.
func monotonicNanos() -> UInt64 {
  var time = timespec()
  clock_gettime(CLOCK_MONOTONIC, &time)
  return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
}
