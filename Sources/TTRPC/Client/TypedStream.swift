import ProtobufC

/// The caller's side of a client-streaming or bidirectional call, with typed messages. Sending and
/// receiving may happen in different tasks, each in one task at a time.
public struct StreamingCall<Request: Message, Response: Message>: Sendable {
  private let method: MethodDescriptor
  private let stream: any RPCStream

  init(_ method: Method<Request, Response>, _ stream: any RPCStream) {
    self.method = method.descriptor
    self.stream = stream
  }

  /// What the peer sends; for a client-streaming call `finish` is simpler.
  public var responses: ResponseStream<Response> { ResponseStream(method, stream) }

  /// Sends one message; waits while the peer reads too slowly.
  /// - Throws: the status that ended the call; `internal` where the message cannot be encoded.
  public func send(_ request: Request) async throws(RPCError) {
    try await stream.send(try request.encoded(for: method))
  }

  /// Says that no more messages follow from this side; the peer's may still come.
  /// - Throws: the status that ended the call.
  public func finishSending() async throws(RPCError) { try await stream.finishSending() }

  /// Ends this side and waits for the one answer of a client-streaming call.
  /// - Throws: the status that ended the call; `internal` where there is not exactly one answer.
  public func finish() async throws(RPCError) -> Response {
    try await finishSending()
    guard let bytes = try await stream.next() else {
      throw RPCError(.internal, "\(method.name) ended without an answer")
    }
    guard try await stream.next() == nil else {
      cancel()
      throw RPCError(.internal, "\(method.name) has more than one answer")
    }
    return try Response(answer: bytes, of: method)
  }

  /// Ends the call; whoever waits gets `cancelled`.
  public func cancel() { stream.cancel() }
}

/// What the peer of a streaming call sends, in order. Iterated once, in one task; leaving the
/// loop early does not end the call: `cancel` does.
public struct ResponseStream<Response: Message>: AsyncSequence, Sendable {
  /// The answers, one at a time.
  public struct AsyncIterator: AsyncIteratorProtocol {
    let responses: ResponseStream

    /// The next message of the peer; `nil`: the call ended well.
    /// - Throws: `RPCError`, the status that ended the call.
    public mutating func next() async throws -> Response? {
      try await responses.nextResponse()
    }

    /// The next message of the peer; `nil`: the call ended well.
    /// - Throws: the status that ended the call.
    public mutating func next(
      isolation actor: isolated (any Actor)?
    ) async throws(RPCError) -> Response? {
      try await responses.nextResponse()
    }
  }

  private let method: MethodDescriptor
  private let stream: any RPCStream

  init(_ method: MethodDescriptor, _ stream: any RPCStream) {
    self.method = method
    self.stream = stream
  }

  /// Takes the next message each time.
  public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(responses: self) }

  /// Ends the call; whoever waits gets `cancelled`.
  public func cancel() { stream.cancel() }

  fileprivate func nextResponse() async throws(RPCError) -> Response? {
    guard let bytes = try await stream.next() else { return nil }
    return try Response(answer: bytes, of: method)
  }
}
