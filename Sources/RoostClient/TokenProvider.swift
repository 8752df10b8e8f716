import RoostAPI
import TTRPC
import TTRPCClient

extension RoostClient {
  /// Gives the token that a connection is bound with. It is asked again for each connection, and
  /// after a call was refused as unauthenticated, so a token may be rotated while the client runs.
  public struct TokenProvider: Sendable {
    private let provide: @Sendable () async throws -> String

    /// - Parameter token: may read a file or ask a vault. What it throws fails the calls that wait
    ///   for the connection, with `unauthenticated`.
    public init(_ token: @escaping @Sendable () async throws -> String) { provide = token }

    /// Always the same token.
    public static func fixed(_ token: String) -> TokenProvider { TokenProvider { token } }

    /// The token now.
    /// - Throws: what the closure throws.
    public func token() async throws -> String { try await provide() }
  }
}

/// `Auth.Bind`, first on each connection: one token there instead of one with each call.
struct BindHandshake: ConnectionHandshake {
  let provider: RoostClient.TokenProvider

  var method: MethodDescriptor { Auth.Methods.bind.descriptor }

  func request() async throws -> [UInt8] {
    try BindRequest(token: try await provider.token()).encoded()
  }
}
