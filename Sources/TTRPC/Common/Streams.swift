import ProtobufC

/// The messages that a caller sends on a stream, in their order.
public struct RequestStream<Request: Message>: AsyncSequence, Sendable {
  public typealias Element = Request
  private let messages: AsyncThrowingStream<Request, any Error>

  /// Messages from elsewhere: a test, another transport.
  public init(_ messages: AsyncThrowingStream<Request, any Error>) { self.messages = messages }

  public func makeAsyncIterator() -> AsyncThrowingStream<Request, any Error>.AsyncIterator {
    messages.makeAsyncIterator()
  }
}

/// Where a handler writes the messages of a stream, one after the other.
public struct ResponseSink<Response: Message>: Sendable {
  private let write: @Sendable (Response) async throws -> Void

  /// - Parameter write: sends one message, and returns when there is room for the next.
  public init(_ write: @escaping @Sendable (Response) async throws -> Void) { self.write = write }

  /// Sends one message; returns when there is room for the next.
  /// - Throws: `RPCError` where the stream has ended.
  public func send(_ response: Response) async throws { try await write(response) }
}
