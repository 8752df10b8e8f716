/// What an interceptor decides of a call.
public enum Decision: Sendable {
  /// On to the next interceptor, and then to the handler.
  case proceed
  /// The call fails with this; its handler does not run.
  case refuse(RPCError)
}

/// How a call ended, for the completion hook. Valid during the hook.
public struct CompletedCall {
  /// How it ended.
  public let code: StatusCode
  /// Bytes of data in the request's frame, the envelope included.
  public let requestBytes: Int
  /// Bytes of the answer's frame, its header included; 0 where nobody waits for it any more.
  public let responseBytes: Int
  /// CLOCK_MONOTONIC, nanoseconds: when the execution of its tick began.
  public let startedNanos: UInt64
  /// When it was answered; for a call answered inline the same as `startedNanos`.
  public let completedNanos: UInt64
  let registered: Unmanaged<RegisteredMethod>?
  let context: Unmanaged<ServerConnectionContext>

  /// Which method; empty names where there is no such method.
  public var method: MethodDescriptor { MethodDescriptor(registered) }

  /// The connection that it came on.
  public var connection: ServerConnectionContext { context._withUnsafeGuaranteedRef { $0 } }
}

/// Stands before every call of its event loop whose method exists, of every kind; one per loop,
/// and confined to it. It decides at once: what it does for each call is on the hot path.
public protocol ServerInterceptor: AnyObject {
  /// Whether `completed` is to be called. Read once, when the loop starts.
  var wantsCompletions: Bool { get }
  /// Runs in the order in which calls came, right before the handler: after the effects of the
  /// calls before it, also of those in the same tick. May set `call.attachment`.
  func intercept(_ call: inout InlineCall) -> Decision
  /// Runs after a call was answered, by whomever: also one that was refused, or that named no
  /// known method. A call that was started and whose connection ended first is `cancelled`.
  func completed(_ call: borrowing CompletedCall)
}

extension ServerInterceptor {
  /// `false`.
  public var wantsCompletions: Bool { false }
  /// Does nothing.
  public func completed(_ call: borrowing CompletedCall) {}
}

/// Wraps async handlers, of every kind of call; inline handlers it does not see. The first of a
/// dispatcher's is the outermost. It may refuse a call by throwing, change what the handler sees
/// of it, or answer by itself.
public protocol AsyncServerInterceptor: Sendable {
  /// What `next` is for a call with one request and one answer, both encoded.
  typealias Unary = @Sendable (ServerCall, [UInt8]) async throws -> [UInt8]
  /// What `next` is for a streaming call: it returns when the handler has.
  typealias Streaming = @Sendable (ServerCall) async throws -> Void

  /// Around a call with one request and one answer. The default passes it on.
  /// - Throws: an `RPCError` is the caller's status.
  func unary(_ call: ServerCall, _ request: [UInt8], next: Unary) async throws -> [UInt8]

  /// Around a streaming call. The default passes it on.
  /// - Throws: an `RPCError` is the caller's status.
  func stream(_ call: ServerCall, next: Streaming) async throws
}

extension AsyncServerInterceptor {
  /// Passes the call on.
  public func unary(
    _ call: ServerCall, _ request: [UInt8], next: Unary
  ) async throws -> [UInt8] {
    try await next(call, request)
  }

  /// Passes the call on.
  public func stream(_ call: ServerCall, next: Streaming) async throws { try await next(call) }
}
