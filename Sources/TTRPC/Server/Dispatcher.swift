import ProtobufC

/// Which handler answers which method, and what stands before them. Built once for each event
/// loop, and confined to it.
public struct Dispatcher {
  /// Called in each tick that executed calls or delivered answers, between that and the writing
  /// of the answers: what must be durable before an answer leaves goes out here.
  public var endOfTick: ((TickSummary) -> Void)?
  /// Says when answers may leave that handlers hold back (`ResponseWriter.hold`); `nil`: at once.
  public var gate: (any AnswerGate)?
  /// Calls that are executed together, at most about; the bytes of a tick bound them too. More
  /// than the default gain nothing, and their memory would no longer fit the processor's cache,
  /// unless what `endOfTick` does is dear and done once for all of them.
  public var callsPerTick = 512

  private(set) var methods: [MethodDescriptor: RegisteredMethod] = [:]
  private(set) var interceptors: [any ServerInterceptor] = []
  private var asyncInterceptors: [any AsyncServerInterceptor] = []
  private let loop: ServerLoop

  /// - Parameter loop: the one whose calls it will dispatch.
  public init(loop: ServerLoop) { self.loop = loop }

  /// Adds one that stands before every call, after those added before it.
  public mutating func add(interceptor: any ServerInterceptor) { interceptors.append(interceptor) }

  /// Adds one that wraps the async handlers that are registered after it; the first added is the
  /// outermost.
  public mutating func add(asyncInterceptor: any AsyncServerInterceptor) {
    asyncInterceptors.append(asyncInterceptor)
  }

  /// Lets `handler` answer a unary method on the event loop. A method is registered once.
  public mutating func register(
    inline handler: any InlineHandler, for method: MethodDescriptor
  ) {
    precondition(method.kind == .unary, "\(method): an inline handler answers unary calls")
    add(RegisteredMethod(method, handler))
  }

  /// Lets an async `handler` answer a unary method. It starts on the event loop's thread, and what
  /// it does before it first waits delays the loop. Its task is cancelled when the caller is gone
  /// or the deadline has passed. An error that is no `RPCError` reads INTERNAL for the caller.
  public mutating func register<Request: Message, Response: Message>(
    _ method: Method<Request, Response>,
    handler: @escaping @Sendable (Request, ServerCall) async throws -> Response
  ) {
    precondition(method.descriptor.kind == .unary, "\(method.descriptor): not a unary method")
    let unary = AsyncUnaryHandler(loop: loop, interceptors: asyncInterceptors, handler)
    add(RegisteredMethod(method.descriptor, unary))
  }

  /// Registers a method whose caller streams. Not served yet: its calls are UNIMPLEMENTED.
  public mutating func register<Request: Message, Response: Message>(
    _ method: Method<Request, Response>,
    clientStreaming handler:
      @escaping @Sendable (
        RequestStream<Request>, ServerCall
      ) async throws -> Response
  ) {
    precondition(method.descriptor.kind == .clientStreaming)
    add(RegisteredMethod(method.descriptor, NotServedHandler()))
  }

  /// Registers a method that answers with a stream. Not served yet: its calls are UNIMPLEMENTED.
  public mutating func register<Request: Message, Response: Message>(
    _ method: Method<Request, Response>,
    serverStreaming handler:
      @escaping @Sendable (
        Request, ResponseSink<Response>, ServerCall
      ) async throws -> Void
  ) {
    precondition(method.descriptor.kind == .serverStreaming)
    add(RegisteredMethod(method.descriptor, NotServedHandler()))
  }

  /// Registers a method that streams both ways. Not served yet: its calls are UNIMPLEMENTED.
  public mutating func register<Request: Message, Response: Message>(
    _ method: Method<Request, Response>,
    bidirectional handler:
      @escaping @Sendable (
        RequestStream<Request>, ResponseSink<Response>, ServerCall
      ) async throws -> Void
  ) {
    precondition(method.descriptor.kind == .bidirectional)
    add(RegisteredMethod(method.descriptor, NotServedHandler()))
  }

  private mutating func add(_ method: RegisteredMethod) {
    let previous = methods.updateValue(method, forKey: method.descriptor)
    precondition(previous == nil, "\(method.descriptor) is registered twice")
  }
}
