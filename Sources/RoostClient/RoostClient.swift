import ServiceLifecycle
import TTRPC
import TTRPCClient

/// A client of one Roost server.
///
/// It is a value and cheap to copy; copies share one connection. It connects with the first
/// call. Add it to a `ServiceGroup`, or call `close()` at the end, or use `withRoostClient`.
public struct RoostClient: Service, Sendable {
  /// What carries the calls, for generated stubs: `KV.Client(client.rpc)`.
  public let rpc: any RPCClient
  /// Given to every call.
  public var callOptions: CallOptions
  private let connection: TTRPCClient?

  /// Connects to nothing yet.
  public init(configuration: Configuration) {
    let client = TTRPCClient(configuration: configuration.completeTransport)
    self.connection = client
    self.rpc = client
    self.callOptions = CallOptions()
  }

  /// Calls through any transport: a test's, for example. `run()` and `close()` leave it alone.
  public init(rpc: any RPCClient) {
    self.connection = nil
    self.rpc = rpc
    self.callOptions = CallOptions()
  }

  /// The same client, whose calls take at most `timeout`.
  public func with(timeout: Duration) -> RoostClient {
    var copy = self
    copy.callOptions.timeout = timeout
    return copy
  }

  /// Waits for a graceful shutdown, lets the calls in flight finish, and closes. Cancelling its
  /// task closes at once. Not needed for calls.
  public func run() async throws {
    if let connection { try await connection.run() } else { try? await gracefulShutdown() }
  }

  /// Lets the calls in flight finish, for at most the configured time, and closes the connection.
  public func close() async { await connection?.close() }
}

/// Makes a client, lends it to `body`, and closes it.
/// - Parameter isolation: where `body` runs: its caller's actor.
/// - Throws: what `body` throws.
public func withRoostClient<Result>(
  configuration: RoostClient.Configuration, isolation: isolated (any Actor)? = #isolation,
  _ body: (RoostClient) async throws -> Result
) async throws -> Result {
  let client = RoostClient(configuration: configuration)
  do {
    let result = try await body(client)
    await client.close()
    return result
  } catch {
    await client.close()
    throw error
  }
}
