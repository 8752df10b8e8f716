import ProtobufC

/// Runs an async handler: the call is deferred, and a task answers it. The task starts on the
/// event loop, so that a handler that does not wait is answered in the same tick.
final class AsyncUnaryHandler<Request: Message, Response: Message>: InlineHandler {
  typealias Handler = @Sendable (Request, ServerCall) async throws -> Response

  private let loop: ServerLoop
  private let interceptors: [any AsyncServerInterceptor]
  private let handler: Handler

  init(
    loop: ServerLoop, interceptors: [any AsyncServerInterceptor], _ handler: @escaping Handler
  ) {
    self.loop = loop
    self.interceptors = interceptors
    self.handler = handler
  }

  func prepare(_ call: inout InlineCall) {}

  func execute(_ call: inout InlineCall, _ response: inout ResponseWriter) {
    guard interceptors.isEmpty else { return executeIntercepted(&call, &response) }
    let request: Request
    do throws(DecodeError) {
      loop.arena.beginCall()
      request = try Request(decoding: call.payload, in: loop.arena)
    } catch {
      return response.fail(RPCError(error))
    }
    let serverCall = ServerCall(call, nowNanos: loop.monotonicNanos)
    let handler = handler
    Self.start(response.deferred()) { try await handler(request, serverCall).encoded() }
  }

  private func executeIntercepted(_ call: inout InlineCall, _ response: inout ResponseWriter) {
    let request = [UInt8](call.payload)
    let serverCall = ServerCall(call, nowNanos: loop.monotonicNanos)
    let chain = Self.chain(interceptors, around: handler)
    Self.start(response.deferred()) { try await chain(serverCall, request) }
  }

  private static func chain(
    _ interceptors: [any AsyncServerInterceptor], around handler: @escaping Handler
  ) -> AsyncServerInterceptor.Unary {
    var next: AsyncServerInterceptor.Unary = { call, bytes in
      let request: Request
      do throws(DecodeError) {
        request = try Request(decoding: bytes)
      } catch {
        throw RPCError(error)
      }
      return try await handler(request, call).encoded()
    }
    for interceptor in interceptors.reversed() {
      let inner = next
      next = { call, bytes in try await interceptor.unary(call, bytes, next: inner) }
    }
    return next
  }

  private static func start(
    _ response: DeferredResponse, _ body: @escaping @Sendable () async throws -> [UInt8]
  ) {
    let task = Task.immediate {
      do {
        response.respond(try await body())
      } catch let error as RPCError {
        response.fail(error)
      } catch is CancellationError {
        response.fail(.cancelled, "the call was cancelled")
      } catch {
        // What it says may tell more than the caller may know.
        response.fail(.internal, "the handler failed")
      }
    }
    response.onCancel { task.cancel() }
  }
}

extension RPCError {
  /// Why a request is refused that does not decode.
  public init(_ error: DecodeError) {
    switch error {
    case .malformed:
      self.init(.invalidArgument, "the request is not the encoding of its message type")
    case .invalidUTF8:
      self.init(.invalidArgument, "a text of the request is not valid UTF-8")
    case .overBudget(let bytes):
      self.init(.resourceExhausted, "decoding the request takes more than \(bytes) bytes")
    }
  }
}

extension ServerCall {
  /// Copies what an async handler may keep.
  init(_ call: InlineCall, nowNanos: UInt64) {
    let context = call.connection
    self.init(method: call.method, peer: context.peer)
    if !call.metadata.isEmpty { metadata = Metadata(call.metadata) }
    if call.deadlineNanos != .max {
      let left = Int64(clamping: call.deadlineNanos) - Int64(clamping: nowNanos)
      deadline = .now.advanced(by: .nanoseconds(left))
    }
    if let attachment = call.attachment {
      // Sendable has no representation at run time, so this changes the static type alone.
      self.attachment = unsafeBitCast(
        attachment.takeUnretainedValue(), to: (any Sendable & AnyObject).self)
    }
  }
}
