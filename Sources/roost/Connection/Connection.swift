import NIOCore
import RoostClient
import TTRPC

/// The command's one connection, which its first call opens. It ends with the process.
struct Connection {
  let settings: ConnectionSettings
  /// What carries the calls, for generated stubs.
  let rpc: any RPCClient

  /// One connection is one loop; the default is a thread for each core. It can be said once in a
  /// process, and before the client library takes its first look at the loops.
  private static let limitThreads: Void = {
    NIOSingletons.groupLoopCountSuggestion = 1
    NIOSingletons.blockingPoolThreadCountSuggestion = 1
  }()

  init(_ settings: ConnectionSettings) {
    self.settings = settings
    Self.limitThreads
    var configuration =
      switch settings.endpoint {
      case .tcp(let host, let port):
        RoostClient.Configuration(endpoint: .tcp(host: host, port: port))
      case .unix(let path): RoostClient.Configuration(endpoint: .unix(path: path))
      }
    // A person or a script waits: it is better to say what is wrong than to try again.
    configuration.transport.whenUnreachable = .fail
    configuration.transport.connectTimeout = .milliseconds(settings.timeoutMilliseconds)
    rpc = RoostClient(configuration: configuration).rpc
  }

  /// What a call is given that needs no token.
  var anonymousCallOptions: CallOptions {
    CallOptions(timeout: .milliseconds(settings.timeoutMilliseconds))
  }

  /// What every other call is given beside its request. The token goes with each call, rather than
  /// with the connection: most commands make one call, which saves them the other one.
  var callOptions: CallOptions {
    var options = anonymousCallOptions
    if let token = settings.token.token, !token.isEmpty {
      options.metadata.append("Bearer \(token)", for: "authorization")
    }
    return options
  }
}
