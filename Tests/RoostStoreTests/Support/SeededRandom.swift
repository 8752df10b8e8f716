#if canImport(Glibc)
  import Glibc
#endif

/// The seed of this run's random tests: `ROOST_TEST_SEED`, or a new one, which is printed.
func seed() -> UInt64 { processSeed }

private let processSeed: UInt64 = {
  if let text = getenv("ROOST_TEST_SEED"), let seed = UInt64(String(cString: text)) {
    return seed
  }
  let seed = UInt64.random(in: 1...999_999_999)
  print("random tests run with ROOST_TEST_SEED=\(seed)")
  return seed
}()

/// SplitMix64: small, and the same everywhere.
struct SeededRandom: RandomNumberGenerator {
  private var state: UInt64

  init(_ seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
    return mixed ^ (mixed >> 31)
  }

  mutating func int(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &self) }

  /// True once in `count` times.
  mutating func oneIn(_ count: Int) -> Bool { int(1...count) == 1 }

  mutating func pick<C: Collection>(_ choices: C) -> C.Element {
    choices.randomElement(using: &self)!
  }
}

extension String {
  var utf8Array: [UInt8] { Array(utf8) }
}

/// How many times the random tests run, each with a seed of its own: `ROOST_TEST_RUNS`, for a
/// long hunt, or `usual`.
func runCount(_ usual: Int) -> Int {
  getenv("ROOST_TEST_RUNS").flatMap { Int(String(cString: $0)) } ?? usual
}

/// What this thread spends on `body`, whatever else the machine does in the meantime.
func cpuTime(_ body: () throws -> Void) rethrows -> Duration {
  let start = threadNanos()
  try body()
  return .nanoseconds(threadNanos() - start)
}

private func threadNanos() -> Int64 {
  var time = timespec()
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
  return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
}
