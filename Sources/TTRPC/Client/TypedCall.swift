import ProtobufC

// What generated stubs call: messages on one side, bytes on the other.
extension RPCClient {
  /// Encodes the request, calls, and decodes the answer.
  /// - Throws: what `unary` throws; `internal` where the request cannot be encoded or the answer
  ///   is not the encoding of a `Response`.
  public func call<Request: Message, Response: Message>(
    _ method: Method<Request, Response>, _ request: Request, options: CallOptions
  ) async throws(RPCError) -> Response {
    let bytes = try request.encoded(for: method.descriptor)
    let answer = try await unary(method.descriptor, bytes, options: options)
    return try Response(answer: answer, of: method.descriptor)
  }

  /// Opens the call, sends its one request, and returns what the peer sends.
  /// - Throws: what `stream` throws; `internal` where the request cannot be encoded.
  public func serverStreaming<Request: Message, Response: Message>(
    _ method: Method<Request, Response>, _ request: Request, options: CallOptions
  ) async throws(RPCError) -> ResponseStream<Response> {
    let bytes = try request.encoded(for: method.descriptor)
    let stream = try await stream(method.descriptor, options: options)
    try await stream.send(bytes)
    try await stream.finishSending()
    return ResponseStream(method.descriptor, stream)
  }

  /// Opens the call; its requests follow, and then one answer.
  /// - Throws: what `stream` throws.
  public func clientStreaming<Request: Message, Response: Message>(
    _ method: Method<Request, Response>, options: CallOptions
  ) async throws(RPCError) -> StreamingCall<Request, Response> {
    StreamingCall(method, try await stream(method.descriptor, options: options))
  }

  /// Opens the call; both sides send as they like.
  /// - Throws: what `stream` throws.
  public func bidirectional<Request: Message, Response: Message>(
    _ method: Method<Request, Response>, options: CallOptions
  ) async throws(RPCError) -> StreamingCall<Request, Response> {
    StreamingCall(method, try await stream(method.descriptor, options: options))
  }
}

extension Message {
  /// Encodes a request.
  /// - Throws: `internal`.
  func encoded(for method: MethodDescriptor) throws(RPCError) -> [UInt8] {
    do throws(DecodeError) {
      return try encoded()
    } catch {
      throw RPCError(.internal, "a request of \(method.name) cannot be encoded: \(error)")
    }
  }

  /// Decodes an answer, with the budget for a trusted peer.
  /// - Throws: `internal`.
  init(answer bytes: [UInt8], of method: MethodDescriptor) throws(RPCError) {
    do throws(DecodeError) {
      self = try Self(decoding: bytes, budgetBytes: Arena.trustedBudgetBytes)
    } catch {
      throw RPCError(.internal, "an answer of \(method.name) cannot be decoded: \(error)")
    }
  }
}
