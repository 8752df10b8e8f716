/// Where a connection comes from.
public enum Peer: Sendable, Hashable, CustomStringConvertible {
  /// An address and a port, as in `127.0.0.1:50000` or `[::1]:50000`.
  case tcp(String)
  /// A local process, with the user ID that the kernel vouches for, where it does.
  case unix(userID: UInt32?)
  /// No socket: a test.
  case local

  /// As logs show it.
  public var description: String {
    switch self {
    case .tcp(let address): "tcp://\(address)"
    case .unix(let userID?): "unix (uid \(userID))"
    case .unix(nil): "unix"
    case .local: "local"
    }
  }
}

/// What handlers and interceptors know of a connection. One for each; confined to its event loop.
public final class ServerConnectionContext {
  /// Unique among the connections of the process.
  public let id: UInt64
  /// Who is at the other end.
  public let peer: Peer
  /// An interceptor's own, for instance the identity that the connection is bound to.
  public var attachment: AnyObject? {
    didSet { unsafeAttachment = attachment.map { Unmanaged.passUnretained($0) } }
  }
  /// `attachment`, borrowed for the hot path: valid until that is set again.
  public private(set) var unsafeAttachment: Unmanaged<AnyObject>?

  /// For a driver of connections, and for tests of handlers.
  public init(id: UInt64, peer: Peer) {
    self.id = id
    self.peer = peer
  }
}
