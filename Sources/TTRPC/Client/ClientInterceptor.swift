/// One call, as interceptors see it on its way out.
public struct ClientCall: Sendable {
  /// What is called.
  public let method: MethodDescriptor
  /// Where the call goes: the endpoint, as in `tcp://127.0.0.1:7667`.
  public let peer: String
  /// Travels with the request; an interceptor may add to it.
  public var metadata: Metadata
  /// When the caller gives up; `nil`: never. An interceptor may bring it forward.
  public var deadline: ContinuousClock.Instant?

  /// Clients make calls; tests of an interceptor may, too.
  public init(
    method: MethodDescriptor, peer: String, metadata: Metadata = [:],
    deadline: ContinuousClock.Instant? = nil
  ) {
    self.method = method
    self.peer = peer
    self.metadata = metadata
    self.deadline = deadline
  }
}

/// Stands between callers and the connection, for every call of a client. The first of a
/// client's interceptors is the outermost. It may refuse a call by throwing, change its metadata
/// or deadline, call `next` more than once (a retry), or answer by itself.
public protocol ClientInterceptor: Sendable {
  /// What `next` is for a call with one request and one answer.
  typealias Unary = @Sendable (ClientCall, [UInt8]) async throws(RPCError) -> [UInt8]
  /// What `next` is for a streaming call: it opens the stream.
  typealias Streaming = @Sendable (ClientCall) async throws(RPCError) -> any RPCStream

  /// Around a call with one request and one answer, both encoded. The default passes it on.
  func unary(
    _ call: ClientCall, _ request: [UInt8], next: Unary
  ) async throws(RPCError) -> [UInt8]

  /// Around the opening of a streaming call; what is returned may wrap the stream. The default
  /// passes it on.
  func stream(
    _ call: ClientCall, next: Streaming
  ) async throws(RPCError) -> any RPCStream
}

extension ClientInterceptor {
  /// Passes the call on.
  public func unary(
    _ call: ClientCall, _ request: [UInt8], next: Unary
  ) async throws(RPCError) -> [UInt8] {
    try await next(call, request)
  }

  /// Passes the call on.
  public func stream(
    _ call: ClientCall, next: Streaming
  ) async throws(RPCError) -> any RPCStream {
    try await next(call)
  }
}

/// A client's interceptors around its transport.
public struct ClientInterceptorChain: Sendable {
  private let interceptors: [any ClientInterceptor]

  /// - Parameter interceptors: the outermost first.
  public init(_ interceptors: [any ClientInterceptor]) { self.interceptors = interceptors }

  /// Whether every call goes straight to the transport.
  public var isEmpty: Bool { interceptors.isEmpty }

  /// Runs the interceptors around `transport`.
  /// - Throws: what the transport or an interceptor throws.
  public func unary(
    _ call: ClientCall, _ request: [UInt8], transport: @escaping ClientInterceptor.Unary
  ) async throws(RPCError) -> [UInt8] {
    var next = transport
    for interceptor in interceptors.reversed() {
      let inner = next
      next = { (call, request) async throws(RPCError) in
        try await interceptor.unary(call, request, next: inner)
      }
    }
    return try await next(call, request)
  }

  /// Runs the interceptors around `transport`.
  /// - Throws: what the transport or an interceptor throws.
  public func stream(
    _ call: ClientCall, transport: @escaping ClientInterceptor.Streaming
  ) async throws(RPCError) -> any RPCStream {
    var next = transport
    for interceptor in interceptors.reversed() {
      let inner = next
      next = { (call) async throws(RPCError) in
        try await interceptor.stream(call, next: inner)
      }
    }
    return try await next(call)
  }
}
