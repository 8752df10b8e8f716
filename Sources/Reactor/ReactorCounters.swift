import Synchronization

/// What a server counts. Read from any thread; a loop adds to it once a tick.
public final class ReactorCounters: Sendable {
  let connections = Atomic<Int>(0)
  let calls = Atomic<Int>(0)
  let inFlight = Atomic<Int>(0)
  let accepted = Atomic<Int>(0)
  let refused = Atomic<Int>(0)
  let draining = Atomic<Bool>(false)

  /// Connections that are open.
  public var connectionCount: Int { connections.load(ordering: .relaxed) }
  /// Calls that came since the start, refused ones included.
  public var callCount: Int { calls.load(ordering: .relaxed) }
  /// Calls that were started and not answered.
  public var callsInFlight: Int { inFlight.load(ordering: .relaxed) }
  /// Connections that were accepted since the start.
  public var acceptedCount: Int { accepted.load(ordering: .relaxed) }
  /// Connections that were closed as they came, for there were too many, or no descriptors.
  public var refusedCount: Int { refused.load(ordering: .relaxed) }
  /// Whether the server drains.
  public var isDraining: Bool { draining.load(ordering: .relaxed) }
}
