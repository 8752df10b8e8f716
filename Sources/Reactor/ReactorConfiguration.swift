import TTRPC

/// How a `ReactorServer` listens and what it allows.
public struct ReactorConfiguration: Sendable, Hashable {
  /// Where it listens; at least one.
  public var listeners: [ListenAddress]
  /// Event loops, each on a thread of its own; 1 to 256.
  public var threads = 1
  /// What calls in flight have to finish, from the begin of the graceful shutdown.
  public var drainTimeout: Duration = .seconds(10)
  /// A connection without calls and answers for so long is closed; `nil`: never.
  public var idleTimeout: Duration? = .seconds(3600)
  /// So long a peer may take over one frame, and over taking any of the answers that wait for it.
  public var stallTimeout: Duration = .seconds(30)
  /// Connections at once, of all listeners; those over it are closed as they come.
  public var maxConnections = 10_000
  /// What each connection may ask for.
  public var limits = ConnectionLimits()

  /// With the defaults beside the listeners.
  public init(listeners: [ListenAddress]) { self.listeners = listeners }
}
