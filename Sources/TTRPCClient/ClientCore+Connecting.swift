import Logging
import NIOCore
import NIOPosix
import TTRPC

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// The handshake of the current connection.
struct HandshakeState {
  /// Its call, while it waits or is in flight.
  var call: CallID?
  /// When it was last sent; 0: never.
  var sentAtNanos: UInt64 = 0
  /// Counts requests for one, so that an answer that comes too late is known as such.
  var requestNumber = 0

  /// A refused call makes a new handshake no sooner than this after the last.
  static let minIntervalNanos: UInt64 = 1_000_000_000
}

// Attempts to connect, and the handshake that a connection begins with.
extension ClientCore {
  func beginAttempt() {
    attempt += 1
    let number = attempt
    configuration.logger.debug(
      "connecting", metadata: ["endpoint": "\(configuration.endpoint)", "attempt": "\(number)"])
    guard let source = configuration.handshake else { return connect(number, handshake: nil) }
    let timeout = eventLoop.scheduleTask(in: connectTimeout) {
      guard number == self.attempt else { return }
      self.attemptFailed("no credentials within \(self.configuration.connectTimeout)")
    }
    request(source) { result in
      timeout.cancel()
      guard number == self.attempt else { return }
      switch result {
      case .success(let handshake): self.connect(number, handshake: handshake)
      case .failure(let error):
        self.attempt += 1
        self.reconnect.retired()
        self.failWaiting(error)
        self.proceed()
      }
    }
  }

  private var connectTimeout: TimeAmount {
    .nanoseconds(max(Int64(configuration.connectTimeout.timerNanos), 1))
  }

  private func connect(_ number: Int, handshake: OutgoingRequest?) {
    let limits = ClientConnectionMachine.Limits(
      maxCallsInFlight: max(configuration.maxCallsInFlight, 1),
      // One for the handshake, one for a call.
      maxCalls: max(configuration.maxCallsPerConnection, 2))
    var bootstrap = ClientBootstrap(group: eventLoop)
      .connectTimeout(connectTimeout)
      .channelOption(.writeBufferWaterMark, value: .init(low: 512 << 10, high: 2 << 20))
      .channelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          self.connectionCount += 1
          let handler = ConnectionHandler(
            number: self.connectionCount, limits: limits, core: self)
          try channel.pipeline.syncOperations.addHandler(handler)
        }
      }
    let channel: EventLoopFuture<any Channel>
    switch configuration.endpoint {
    case .tcp(let host, let port):
      for (option, value) in tcpOptions {
        bootstrap = bootstrap.channelOption(option, value: value)
      }
      channel = bootstrap.connect(host: host, port: port)
    case .unix(let path):
      channel = bootstrap.connect(unixDomainSocketPath: path)
    }
    channel.whenComplete { self.attemptEnded(number, $0, handshake: handshake) }
  }

  /// A peer that is gone without a word is noticed: by probes where nothing is sent, by missing
  /// acknowledgements where something is.
  private var tcpOptions: [(ChannelOptions.Types.SocketOption, Int)] {
    let seconds = Int(min(max(configuration.keepaliveTimeout.components.seconds, 4), 3600))
    func tcp(_ name: CInt) -> ChannelOptions.Types.SocketOption {
      .init(level: .tcp, name: .init(rawValue: name))
    }
    return [
      (.socketOption(.so_keepalive), 1),
      (tcp(TCP_NODELAY), 1),
      (tcp(TCP_KEEPIDLE), seconds / 2),
      (tcp(TCP_KEEPINTVL), max(seconds / 8, 1)),
      (tcp(TCP_KEEPCNT), 4),
      (tcp(TCP_USER_TIMEOUT), seconds * 1000),
    ]
  }

  private func attemptEnded(
    _ number: Int, _ result: Result<any Channel, any Error>, handshake: OutgoingRequest?
  ) {
    guard number == attempt else {
      if case .success(let channel) = result { channel.close(promise: nil) }
      return
    }
    switch result {
    case .failure(let error): attemptFailed(ConnectError.describe(error))
    case .success(let channel):
      guard channel.isActive,
        let connection = try? channel.pipeline.syncOperations.handler(type: ConnectionHandler.self)
      else { return attemptFailed("the server closed the connection at once") }
      current = connection
      lastConnectFailure = nil
      reconnect.connected()
      configuration.logger.debug("connected", metadata: logMetadata(connection))
      if let handshake { send(handshake: handshake) }
      connection.isReady = true
      proceed()
    }
  }

  private func attemptFailed(_ reason: String) {
    attempt += 1
    configuration.logger.log(
      level: lastConnectFailure == reason ? .debug : .warning, "cannot connect: \(reason)",
      metadata: ["endpoint": "\(configuration.endpoint)"])
    lastConnectFailure = reason
    reconnect.lost(now: Self.nowNanos(), random: .random(in: 0...1))
    if configuration.whenUnreachable == .fail {
      failWaiting(RPCError(.unavailable, "cannot connect to \(configuration.endpoint): \(reason)"))
    }
    proceed()
  }

  // MARK: Handshake

  /// Asks for a handshake's request; `completion` is called on the event loop.
  private func request(
    _ source: any ConnectionHandshake,
    _ completion: @escaping @Sendable (Result<OutgoingRequest, RPCError>) -> Void
  ) {
    Task {
      let result: Result<OutgoingRequest, RPCError>
      do {
        let payload = try await source.request()
        result = .success(
          try OutgoingRequest(method: source.method, payload: payload, metadata: [:]))
      } catch let error as RPCError {
        result = .failure(error)
      } catch {
        result = .failure(RPCError(.unauthenticated, "no credentials: \(error)"))
      }
      self.eventLoop.execute { completion(result) }
    }
  }

  /// Puts it before all calls that wait.
  private func send(handshake request: OutgoingRequest) {
    let now = Self.nowNanos()
    handshake.sentAtNanos = now
    let ticket = CallTicket(
      hasOwnIdentity: true,
      waiter: .client { result in
        self.handshake.call = nil
        guard case .failure(let error) = result else { return }
        self.configuration.logger.warning(
          "the handshake was refused: \(error.code): \(error.message)",
          metadata: ["endpoint": "\(self.configuration.endpoint)"])
      })
    let deadline = now + UInt64(connectTimeout.nanoseconds)
    handshake.call = try? calls.admit(ticket, request, deadline: deadline, isFirst: true)
    ticket.id = handshake.call
  }

  /// After a refused call: a token may have expired, and its provider may have a new one. Calls are
  /// held meanwhile.
  func renewHandshake(on connection: ConnectionHandler) {
    let now = Self.nowNanos()
    guard let source = configuration.handshake, connection === current, connection.isReady,
      handshake.call == nil, now > handshake.sentAtNanos + HandshakeState.minIntervalNanos
    else { return }
    connection.isReady = false
    handshake.requestNumber += 1
    let number = handshake.requestNumber
    let proceedWith: @Sendable (Result<OutgoingRequest, RPCError>) -> Void = { result in
      guard number == self.handshake.requestNumber, let current = self.current else { return }
      self.handshake.requestNumber += 1
      self.handshake.sentAtNanos = Self.nowNanos()
      if case .success(let request) = result { self.send(handshake: request) }
      current.isReady = true
      self.proceed()
    }
    let timeout = eventLoop.scheduleTask(in: connectTimeout) {
      proceedWith(.failure(RPCError(.unauthenticated, "no credentials")))
    }
    request(source) { result in
      timeout.cancel()
      proceedWith(result)
    }
  }

  /// What belongs to a connection that is not used any more.
  func dropHandshake() {
    handshake.requestNumber += 1
    handshake.sentAtNanos = 0
    if let call = handshake.call { _ = calls.end(call) }
    handshake.call = nil
  }
}
