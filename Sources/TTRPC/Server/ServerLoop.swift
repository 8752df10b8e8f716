import ProtobufC

/// What an event loop lends to its handlers and interceptors. Confined to the loop's thread.
public final class ServerLoop {
  /// Which of the server's loops it is, from 0.
  public let index: Int
  /// Requests are decoded into it; it is reset after each tick.
  public let arena: Arena
  /// CLOCK_MONOTONIC in nanoseconds, as of this phase of the tick: it is read when a tick begins
  /// and again before its calls are executed.
  public internal(set) var monotonicNanos: UInt64 = 0

  /// Wakes the loop from any thread, so that it looks at its gate. Calls before the loop has looked
  /// wake it once. Never blocks.
  public let wake: @Sendable () -> Void

  /// - Parameters:
  ///   - arena: gives each call its budget.
  ///   - wake: the driver's; by default nobody is woken.
  public init(
    index: Int, arena: Arena = Arena(), wake: @escaping @Sendable () -> Void = {}
  ) {
    self.index = index
    self.arena = arena
    self.wake = wake
  }
}
