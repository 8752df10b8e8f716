/// What a caller asks for beside the request.
public struct CallOptions: Sendable, Hashable {
  /// From now to the answer, waiting for a connection included; `nil`: the client's default. Zero
  /// or less: the deadline has passed, and nothing is sent.
  public var timeout: Duration?
  /// Travels with the request.
  public var metadata: Metadata

  /// Without arguments: the client's default timeout, and no metadata.
  public init(timeout: Duration? = nil, metadata: Metadata = [:]) {
    self.timeout = timeout
    self.metadata = metadata
  }
}

/// What generated client stubs call; a transport implements it (`TTRPCClient`), and so may a
/// test. Messages are encoded here as protobuf.
public protocol RPCClient: Sendable {
  /// One request, one answer.
  /// - Throws: `RPCError`, also where the transport failed (`unavailable`), the deadline passed
  ///   (`deadlineExceeded`) or the task was cancelled (`cancelled`). Its `isOutcomeUnknown` says
  ///   whether the call may have been executed all the same.
  func unary(
    _ method: MethodDescriptor, _ request: [UInt8], options: CallOptions
  ) async throws(RPCError) -> [UInt8]

  /// Opens a call of any streaming kind.
  /// - Throws: what `unary` throws; `unimplemented` where the transport has no streams.
  func stream(
    _ method: MethodDescriptor, options: CallOptions
  ) async throws(RPCError) -> any RPCStream
}

extension RPCClient {
  /// For a transport without streams: fails with `unimplemented`.
  public func stream(
    _ method: MethodDescriptor, options: CallOptions
  ) async throws(RPCError) -> any RPCStream {
    throw RPCError(
      .unimplemented, "\(method.service)/\(method.name): this client carries no streaming calls")
  }
}

/// The caller's side of one streaming call. Sending and receiving may happen in different tasks;
/// each of them in one task at a time.
public protocol RPCStream: Sendable {
  /// Sends one message; waits while the peer reads too slowly.
  /// - Throws: the status that ended the call.
  func send(_ message: [UInt8]) async throws(RPCError)
  /// Says that no more messages follow from this side.
  /// - Throws: the status that ended the call.
  func finishSending() async throws(RPCError)
  /// The next message of the peer; `nil`: the call ended well.
  /// - Throws: the status that ended the call.
  func next() async throws(RPCError) -> [UInt8]?
  /// Ends the call; whoever waits gets `cancelled`.
  func cancel()
}
