import NIOCore
import ServiceLifecycle
import TTRPC

/// A client of one server: one connection, with many calls in flight on it.
///
/// It connects with the first call, and again after a loss. Calls may be made from any task, with
/// or without `run()`.
///
/// What a failure says of the call: with `isOutcomeUnknown` it had been sent, and may have been
/// executed; without, it was refused by the server or never sent. A call that was sent is never
/// sent again by this type; an interceptor may do that (`RetryInterceptor`).
public final class TTRPCClient: RPCClient, Service {
  /// As it was made with.
  public let configuration: TTRPCClientConfiguration
  private let core: ClientCore
  private let interceptors: ClientInterceptorChain
  private let peer: String

  /// Connects to nothing yet.
  public init(configuration: TTRPCClientConfiguration) {
    self.configuration = configuration
    core = ClientCore(configuration: configuration)
    interceptors = ClientInterceptorChain(configuration.interceptors)
    peer = "\(configuration.endpoint)"
  }

  deinit { core.close(timeout: .zero, promise: nil) }

  /// One request, one answer.
  /// - Throws: the server's status, or: `unavailable` (no connection, or it was lost),
  ///   `deadlineExceeded`, `cancelled` (this task was), `resourceExhausted` (request or answer do
  ///   not fit a frame, or too many calls wait), `internal` (the answer is malformed).
  public func unary(
    _ method: MethodDescriptor, _ request: [UInt8], options: CallOptions
  ) async throws(RPCError) -> [UInt8] {
    let timeout = options.timeout ?? configuration.defaultTimeout
    if interceptors.isEmpty {
      return try await send(method, request, metadata: options.metadata, timeout: timeout)
    }
    return try await interceptors.unary(call(method, options, timeout), request) {
      (call, request) async throws(RPCError) in
      try await self.send(
        call.method, request, metadata: call.metadata, timeout: call.deadline.map { $0 - .now })
    }
  }

  /// The interceptors see the call; then it fails: this version carries no streams.
  /// - Throws: `unimplemented`, or what an interceptor throws.
  public func stream(
    _ method: MethodDescriptor, options: CallOptions
  ) async throws(RPCError) -> any RPCStream {
    let timeout = options.timeout ?? configuration.defaultTimeout
    return try await interceptors.stream(call(method, options, timeout)) {
      (call) async throws(RPCError) in
      throw RPCError(
        .unimplemented,
        "\(call.method.service)/\(call.method.name): this client carries no streaming calls")
    }
  }

  /// Waits for a graceful shutdown, lets the calls in flight finish, and closes. Cancelling its
  /// task closes at once. Not needed for calls.
  public func run() async throws {
    await withTaskCancellationHandler {
      try? await gracefulShutdown()
      if !Task.isCancelled { await close() }
    } onCancel: {
      core.close(timeout: .zero, promise: nil)
    }
    await close(timeout: .zero)
  }

  /// Lets the calls in flight finish, for at most the configured time; new ones fail with
  /// `unavailable`. Then closes the connection.
  public func close() async { await close(timeout: configuration.shutdownTimeout) }

  private func close(timeout: Duration) async {
    let promise = core.eventLoop.makePromise(of: Void.self)
    core.close(timeout: timeout, promise: promise)
    try? await promise.futureResult.get()
  }

  private func call(
    _ method: MethodDescriptor, _ options: CallOptions, _ timeout: Duration?
  ) -> ClientCall {
    ClientCall(
      method: method, peer: peer, metadata: options.metadata,
      deadline: timeout.map { .now + .nanoseconds(Int64($0.timerNanos)) })
  }

  private func send(
    _ method: MethodDescriptor, _ request: [UInt8], metadata: Metadata, timeout: Duration?
  ) async throws(RPCError) -> [UInt8] {
    if let timeout, timeout <= .zero {
      throw RPCError(.deadlineExceeded, "the deadline had passed before the call was sent")
    }
    let outgoing = try OutgoingRequest(method: method, payload: request, metadata: metadata)
    let deadline = timeout.map { ClientCore.nowNanos() + $0.timerNanos }
    let hasOwnIdentity = !metadata.pairs.isEmpty && metadata.first("authorization") != nil
    let ticket = CallTicket(hasOwnIdentity: hasOwnIdentity)
    let result = await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        ticket.waiter = .caller(continuation)
        core.submit(ticket, outgoing, deadlineNanos: deadline)
      }
    } onCancel: {
      core.cancel(ticket)
    }
    return try result.get()
  }
}
