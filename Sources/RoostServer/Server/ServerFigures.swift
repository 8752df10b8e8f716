import Reactor
import Synchronization

/// What Status tells beside the engine's figures.
struct ServerFigures: Sendable {
  var connectionCount: Int64
  var callCount: Int64
  var uptimeMillis: Int64
  var draining: Bool
}

/// Where the figures come from. The handlers that ask are made before the transport is known, so
/// that is told later. Safe to use from any thread.
final class ServerFigureSource: Sendable {
  private let start = ContinuousClock.now
  private let counters = Mutex<ReactorCounters?>(nil)

  /// Tells which transport counts.
  func follow(_ counters: ReactorCounters) {
    self.counters.withLock { $0 = counters }
  }

  /// The figures of this moment.
  var figures: ServerFigures {
    let counters = counters.withLock { $0 }
    return ServerFigures(
      connectionCount: Int64(counters?.connectionCount ?? 0),
      callCount: Int64(counters?.callCount ?? 0),
      uptimeMillis: Int64((ContinuousClock.now - start) / .milliseconds(1)),
      draining: counters?.isDraining ?? false)
  }
}
