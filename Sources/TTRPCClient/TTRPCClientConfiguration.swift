import Logging
import NIOCore
import NIOPosix
import TTRPC

/// How a `TTRPCClient` behaves. Everything but the endpoint has a default.
public struct TTRPCClientConfiguration: Sendable {
  /// What becomes of calls while the server cannot be reached.
  public enum UnreachablePolicy: Sendable, Hashable {
    /// They wait for the connection until their deadline.
    case wait
    /// They fail with `unavailable` as soon as one attempt to connect has failed.
    case fail
  }

  /// The server.
  public var endpoint: Endpoint
  /// For calls that name none; `nil`: such calls wait for ever.
  public var defaultTimeout: Duration? = .seconds(30)
  /// For one attempt to connect, name resolution included.
  public var connectTimeout: Duration = .seconds(5)
  /// Between attempts to connect.
  public var backoff = ReconnectBackoff()
  /// What becomes of calls meanwhile.
  public var whenUnreachable: UnreachablePolicy = .wait
  /// Sent and not yet answered, on one connection; others wait. A server has a limit of its own.
  public var maxCallsInFlight = 1000
  /// Waiting to be sent; a call beyond them fails at once with `resourceExhausted`.
  public var maxWaitingCalls = 65_536
  /// What the requests of waiting calls may take, in bytes, with the same end.
  public var maxWaitingBytes = 64 << 20
  /// A connection takes this many calls; then a new one takes its place. At most 2^30, since stream
  /// IDs are odd and have 31 bits.
  public var maxCallsPerConnection = 1 << 30
  /// How long a graceful shutdown waits for calls in flight.
  public var shutdownTimeout: Duration = .seconds(10)
  /// How long sent bytes may stay unacknowledged, and how long a silent TCP connection stays
  /// unprobed, before it counts as lost.
  public var keepaliveTimeout: Duration = .seconds(20)
  /// Around every call; the first is the outermost.
  public var interceptors: [any ClientInterceptor] = []
  /// A call that each new connection begins with.
  public var handshake: (any ConnectionHandshake)?
  /// One of its loops carries all connections of the client. The process-wide group by default.
  public var eventLoopGroup: any EventLoopGroup = MultiThreadedEventLoopGroup.singleton
  /// Connections and their ends; never a call's contents.
  public var logger: Logger

  /// The defaults, for one server.
  public init(
    endpoint: Endpoint,
    logger: Logger = Logger(label: "ttrpc.client", factory: { _ in SwiftLogNoOpLogHandler() })
  ) {
    self.endpoint = endpoint
    self.logger = logger
  }
}

/// A call that goes first on each new connection, before any other: it binds the connection to an
/// identity, for example.
///
/// It is made again, on the same connection, when a later call was answered with
/// `unauthenticated`: a token may have expired. It is not answered before other calls are sent;
/// the server executes it before them.
public protocol ConnectionHandshake: Sendable {
  /// The method that is called.
  var method: MethodDescriptor { get }
  /// The encoded request, asked for once for each handshake.
  /// - Throws: whatever says why there is none. The calls that wait fail with it where it is an
  ///   `RPCError`, else with `unauthenticated`.
  func request() async throws -> [UInt8]
}
