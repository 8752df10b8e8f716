import Logging
import RoostAPI
import TTRPC
import TTRPCClient

extension RoostClient {
  /// Where the server is, and how the client behaves.
  public struct Configuration: Sendable {
    /// Everything about the connection.
    public var transport: TTRPCClientConfiguration
    /// Who calls; `nil`: nobody, for a server that asks for no tokens.
    public var token: TokenProvider?
    /// Repeats calls that failed with `unavailable`: those that were not executed, and reads;
    /// `nil`: repeats nothing. A write whose outcome is unknown is never repeated.
    public var retry: RetryInterceptor.Policy? = RetryInterceptor.Policy()

    /// - Parameters:
    ///   - endpoint: a server, on this machine by default.
    ///   - token: binds each connection to an identity.
    ///   - timeout: for calls that name none.
    ///   - logger: hears of connections and their ends, never of keys, values or tokens.
    public init(
      endpoint: Endpoint = .tcp(host: "127.0.0.1", port: 7667), token: TokenProvider? = nil,
      timeout: Duration = .seconds(10),
      logger: Logger = Logger(label: "roost.client", factory: { _ in SwiftLogNoOpLogHandler() })
    ) {
      transport = TTRPCClientConfiguration(endpoint: endpoint, logger: logger)
      transport.defaultTimeout = timeout
      self.token = token
    }
  }
}

extension RoostClient.Configuration {
  /// The transport as the client makes it: with the binding and the retries.
  var completeTransport: TTRPCClientConfiguration {
    var transport = transport
    if let token { transport.handshake = BindHandshake(provider: token) }
    if let retry {
      // Innermost: other interceptors see one call, however often it is tried.
      transport.interceptors.append(
        RetryInterceptor(policy: retry) { Self.reads.contains($0) })
    }
    return transport
  }

  /// Executing one of these twice does no harm.
  private static let reads: Set<MethodDescriptor> = [
    KV.Methods.get.descriptor, KV.Methods.batchGet.descriptor, KV.Methods.listRange.descriptor,
    KV.Methods.scan.descriptor, KV.Methods.count.descriptor, Admin.Methods.ping.descriptor,
    Admin.Methods.status.descriptor, Auth.Methods.whoAmI.descriptor,
  ]
}
