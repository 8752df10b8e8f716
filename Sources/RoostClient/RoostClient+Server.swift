import RoostAPI
import TTRPC

extension RoostClient {
  /// How the server is.
  public struct ServerStatus: Sendable, Hashable {
    /// Of the server.
    public let version: String
    /// Its engine: `memory`, `log`, ….
    public let engine: String
    /// Since its start.
    public let uptime: Duration
    /// Of the last change.
    public let revision: Int64
    /// Everything up to here survives power loss; 0: nothing does.
    public let durableRevision: Int64
    /// Keys that are there.
    public let keyCount: Int
    /// What keys, values and their index take.
    public let memoryBytes: Int
    /// What the log takes on disk.
    public let logBytes: Int
    /// What the answers of idempotency keys take.
    public let idempotencyBytes: Int
    /// How old a write may be and still be known by its key.
    public let idempotencyWindow: Duration
    /// Open now.
    public let connectionCount: Int
    /// Since its start.
    public let callCount: Int
    /// It ends as soon as the calls in flight have.
    public let isDraining: Bool

    init(_ message: StatusResponse) {
      version = message.version
      engine = message.engine
      uptime = .milliseconds(message.uptimeMs)
      revision = message.revision
      durableRevision = message.durableRevision
      keyCount = Int(message.keyCount)
      memoryBytes = Int(message.memoryBytes)
      logBytes = Int(message.logBytes)
      idempotencyBytes = Int(message.idempotencyBytes)
      idempotencyWindow = .milliseconds(message.idempotencyWindowMs)
      connectionCount = Int(message.connectionCount)
      callCount = Int(message.callCount)
      isDraining = message.draining
    }
  }

  /// What a token may do with keys.
  public struct Grant: Sendable, Hashable {
    /// The keys that begin with it; empty: all.
    public let prefix: RoostKey
    /// What may be done with them.
    public let actions: [RoostAPI.Action]
  }

  /// Whom the server takes this client for.
  public struct Identity: Sendable, Hashable {
    /// The public part of the token.
    public let tokenID: String
    /// As it was named at its creation.
    public let name: String
    /// All that it may do.
    public let grants: [Grant]
    /// Unix time in milliseconds; `nil`: it never expires.
    public let expiresAtMillis: Int64?

    init(_ message: TokenInfo) {
      tokenID = message.id
      name = message.name
      grants = message.grants.map { Grant(prefix: RoostKey($0.prefix), actions: $0.actions) }
      expiresAtMillis = message.expiresAtMs == 0 ? nil : message.expiresAtMs
    }
  }

  /// Asks the server for an answer; needs no token.
  /// - Returns: how long it took.
  /// - Throws: `RoostError`.
  @discardableResult
  public func ping() async throws(RoostError) -> Duration {
    let start = ContinuousClock.now
    do {
      _ = try await Admin.Client(rpc).ping(PingRequest(), options: callOptions)
    } catch {
      throw RoostError(error)
    }
    return .now - start
  }

  /// How the server is; needs any valid token.
  /// - Throws: `RoostError`.
  public func status() async throws(RoostError) -> ServerStatus {
    do {
      return ServerStatus(
        try await Admin.Client(rpc).status(StatusRequest(), options: callOptions))
    } catch {
      throw RoostError(error)
    }
  }

  /// Whom the server takes this client for; needs any valid token.
  /// - Throws: `RoostError`.
  public func whoAmI() async throws(RoostError) -> Identity {
    do {
      let response = try await Auth.Client(rpc).whoAmI(WhoAmIRequest(), options: callOptions)
      return Identity(response.token ?? TokenInfo())
    } catch {
      throw RoostError(error)
    }
  }
}
