import Logging
import Reactor
import RoostStore
import ServiceLifecycle
import Synchronization
import TTRPC

/// A Roost server: an engine, the API's services over it, and their transport. Safe from any
/// thread.
///
/// `bind()` once, then `run()` once. A graceful shutdown drains: idle connections close at once,
/// new calls are UNAVAILABLE, those in flight finish within the configured time; then `run()`
/// returns.
public final class RoostServer: Service {
  /// Adds what finds out who calls to one loop's dispatcher.
  typealias RegisterAuthentication = @Sendable (inout Dispatcher, ServerLoop) -> Void

  /// What it was made with.
  public let configuration: ServerConfiguration

  /// What calls have to notice that they were cancelled, where the drain's time is up.
  private static let minClosingTime: Duration = .milliseconds(100)

  private let engine: any StorageEngine
  private let logger: Logger
  let service: StoreService
  private let reactor: ReactorServer
  private let bound = Mutex<[String]?>(nil)

  /// Opens the engine; nothing is listened to yet.
  /// - Parameters:
  ///   - tokens: whom to let in; needed where the configuration requires authentication, and
  ///     otherwise not used. Who runs the server keeps them fresh with a `TokenWatcher`.
  ///   - logger: not used for each call.
  /// - Throws: `ListenAddress.ParseError`; `LogError`, where the data cannot be opened.
  public convenience init(
    configuration: ServerConfiguration, tokens: TokenStore? = nil, logger: Logger
  ) throws {
    precondition(
      configuration.auth == .off || tokens != nil, "authentication is required: give the tokens")
    let tokens = configuration.auth == .off ? nil : tokens
    try self.init(configuration: configuration, logger: logger) { dispatcher, loop in
      AuthService.register(on: &dispatcher, loop: loop, tokens: tokens, logger: logger)
    }
  }

  init(
    configuration: ServerConfiguration, logger: Logger,
    registerAuthentication: @escaping RegisterAuthentication
  ) throws {
    let transport = try ReactorConfiguration(configuration)
    let engine = try Self.openEngine(configuration, logger)
    let source = ServerFigureSource()
    let service = StoreService(engine: engine, limits: RequestLimits(configuration.limits)) {
      source.figures
    }
    self.configuration = configuration
    self.engine = engine
    self.logger = logger
    self.service = service
    reactor = ReactorServer(configuration: transport, logger: logger) { loop in
      var dispatcher = Dispatcher(loop: loop)
      registerAuthentication(&dispatcher, loop)
      service.register(on: &dispatcher, loop: loop)
      return dispatcher
    }
    source.follow(reactor.counters)
  }

  private static func openEngine(
    _ configuration: ServerConfiguration, _ logger: Logger
  ) throws(LogError) -> any StorageEngine {
    switch configuration.engine {
    case .memory: MemoryEngine(configuration: MemoryEngineConfiguration(configuration, logger))
    case .log: try LogEngine.open(configuration, logger)
    }
  }

  /// Opens the listeners.
  /// - Returns: where it listens, as `tcp://127.0.0.1:7667` or `unix:///path`, port 0 replaced by
  ///   the system's choice; in the order of the configuration.
  /// - Throws: what keeps a listener from being opened; then nothing is open.
  @discardableResult
  public func bind() throws -> [String] {
    let addresses = try reactor.bind().map(\.description)
    bound.withLock { $0 = addresses }
    return addresses
  }

  /// What to say once `bind()` has returned, on one line: whoever connects now is answered as soon
  /// as `run()` runs.
  public var readyLine: String {
    let addresses = bound.withLock { $0 } ?? []
    return "roostd ready \(addresses.joined(separator: " ")) engine=\(engine.name)"
  }

  /// Serves until a graceful shutdown has drained, or its task is cancelled. Binds, where `bind()`
  /// was not called.
  /// - Throws: as `bind()`.
  public func run() async throws {
    if bound.withLock({ $0 == nil }) { try bind() }
    let result: Result<Void, any Error>
    do {
      result = .success(try await reactor.run())
    } catch {
      result = .failure(error)
    }
    await closeEngine()
    try result.get()
  }

  /// Waits for the calls beside the loops as long as the drain may last. Nobody hears of those that
  /// take longer: they do not hold up the end, and the engine stays as it is for them. What was
  /// acknowledged needs no closing to last.
  private func closeEngine() async {
    let limit = max(reactor.drainTimeLeft, Self.minClosingTime)
    if await service.longCalls.finish(within: limit) { return engine.close() }
    logger.warning("stopping while long calls still run: they end without an answer")
    service.longCalls.whenIdle { [engine] in engine.close() }
  }

  /// Begins to drain, as a graceful shutdown does.
  public func shutDown() { reactor.shutDown() }
}

extension ReactorConfiguration {
  /// What the configuration says of the transport.
  /// - Throws: `ListenAddress.ParseError`.
  init(_ configuration: ServerConfiguration) throws {
    self.init(listeners: try configuration.listen.map { try ListenAddress(parsing: $0) })
    threads = configuration.threads
    drainTimeout = configuration.drainTimeout
    idleTimeout = configuration.idleTimeout == .zero ? nil : configuration.idleTimeout
    maxConnections = configuration.limits.maxConnections
    limits.maxMetadataBytes = configuration.limits.maxMetadataBytes
    limits.maxCallsPerConnection = configuration.limits.maxCallsPerConnection
    limits.maxUnreadBytes = configuration.limits.maxUnreadBytes
  }
}

extension MemoryEngineConfiguration {
  /// What the configuration says of the data.
  init(_ configuration: ServerConfiguration, _ logger: Logger) {
    self.init()
    maxIdempotencyBytes = configuration.maxIdempotencyBytes
    onShortWindow = { millis in
      logger.warning(
        "idempotency keys are forgotten early: raise max-idempotency-bytes",
        metadata: ["windowMilliseconds": "\(millis)"])
    }
    maxListItems = configuration.limits.maxListItems
    maxListBytes = configuration.limits.maxListBytes
    let bytes = configuration.maxMemoryBytes
    maxMemoryBytes = bytes == 0 ? nil : Int(bytes)
  }
}
