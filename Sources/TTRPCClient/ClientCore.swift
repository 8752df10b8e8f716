import Logging
import NIOCore
import TTRPC

/// What makes a client go: it performs what the machines decide. Confined to its event loop, but
/// for `submit` and `cancel`, which any thread may call.
///
/// 1. Calls are sent on `current` only. A connection that is used up goes to `retired`, and closes
///    when nobody waits for an answer on it any more.
/// 2. There is at most one attempt to connect, whose number is `attempt`; what comes of an
///    earlier one is dropped.
/// 3. Each ticket is finished exactly once: with its answer, its deadline, its cancellation, or the
///    loss of its connection.
///
/// Unchecked: every property but the mailbox is touched on the event loop only.
final class ClientCore: @unchecked Sendable {
  let eventLoop: any EventLoop
  let configuration: TTRPCClientConfiguration
  private let mailbox = CallMailbox()
  private var items: [CallMailbox.Item] = []
  private var timer: (task: Scheduled<Void>, nanos: UInt64)?
  private var closing: ClosingState?
  private var closePromises: [EventLoopPromise<Void>] = []
  // Shared with `ClientCore+Connecting`.
  var calls: CallTable<CallTicket>
  var reconnect: ReconnectMachine
  var handshake = HandshakeState()
  var current: ConnectionHandler?
  var attempt = 0
  var connectionCount = 0
  var lastConnectFailure: String?
  private var retired: [Int: ConnectionHandler] = [:]

  private struct ClosingState {
    var deadlineNanos: UInt64
    /// Connections are being closed, and no call is left.
    var isFinal = false
  }

  init(configuration: TTRPCClientConfiguration) {
    self.configuration = configuration
    eventLoop = configuration.eventLoopGroup.any()
    calls = CallTable(
      limits: .init(
        maxWaitingCalls: configuration.maxWaitingCalls,
        maxWaitingBytes: configuration.maxWaitingBytes))
    reconnect = ReconnectMachine(backoff: configuration.backoff)
  }

  /// CLOCK_MONOTONIC, as the event loop's timers have it.
  static func nowNanos() -> UInt64 { NIODeadline.now().uptimeNanoseconds }

  // MARK: From any thread

  func submit(_ ticket: CallTicket, _ request: OutgoingRequest, deadlineNanos: UInt64?) {
    put(.submit(ticket, request, deadlineNanos: deadlineNanos))
  }

  func cancel(_ ticket: CallTicket) { put(.cancel(ticket)) }

  /// New calls are refused from now on.
  /// - Parameters:
  ///   - timeout: how long calls may take to finish; zero: they fail now.
  ///   - promise: succeeds when every connection is closed.
  func close(timeout: Duration, promise: EventLoopPromise<Void>?) {
    eventLoop.execute { self.beginClosing(timeout, promise) }
  }

  private func put(_ item: CallMailbox.Item) {
    if mailbox.put(item) { eventLoop.execute { self.drainMailbox() } }
  }

  // MARK: Calls

  private func drainMailbox() {
    mailbox.take(into: &items)
    for item in items {
      switch item {
      case .submit(let ticket, let request, let deadline): admit(ticket, request, deadline)
      case .cancel(let ticket): drop(ticket)
      }
    }
    items.removeAll(keepingCapacity: true)
    proceed()
  }

  private func admit(_ ticket: CallTicket, _ request: OutgoingRequest, _ deadline: UInt64?) {
    guard !ticket.isCancelled else {
      return ticket.finish(
        .failure(RPCError(.cancelled, "the call was cancelled; it was not sent")))
    }
    guard closing == nil else {
      return ticket.finish(.failure(.clientClosed("the client is closed")))
    }
    do {
      ticket.id = try calls.admit(ticket, request, deadline: deadline)
    } catch {
      ticket.finish(.failure(error))
    }
  }

  private func drop(_ ticket: CallTicket) {
    ticket.isCancelled = true
    guard let id = ticket.id, let ended = calls.end(id) else { return }
    if ended.place == nil {
      ticket.finish(.failure(RPCError(.cancelled, "the call was cancelled; it was not sent")))
    } else {
      abandon(ended)
      ticket.finish(.failure(RPCError(.cancelled, "the call was cancelled").withUnknownOutcome()))
    }
  }

  private func abandon(_ ended: CallTable<CallTicket>.Ended) {
    guard let place = ended.place else { return }
    if let connection = connection(place.connection) {
      connection.abandon(place.streamID)
      closeIfDone(connection)
    }
  }

  private func connection(_ number: Int) -> ConnectionHandler? {
    current?.number == number ? current : retired[number]
  }

  /// Ends what has expired, sends what can be sent, connects where that is needed, and sees to
  /// the timer. Called at the end of whatever happened.
  func proceed() {
    let now = Self.nowNanos()
    expire(now)
    send(now)
    var wakeUp = calls.earliestDeadline
    if calls.waitingCount > 0, current == nil {
      switch reconnect.callsWait(now: now) {
      case .none: break
      case .connect: beginAttempt()
      case .wait(let until): wakeUp = min(wakeUp ?? .max, until)
      }
    }
    if let closing, !closing.isFinal {
      if calls.count == 0 || closing.deadlineNanos <= now { return closeConnections() }
      wakeUp = min(wakeUp ?? .max, closing.deadlineNanos)
    }
    if let wakeUp { setTimer(wakeUp) }
  }

  private func expire(_ now: UInt64) {
    while let ended = calls.endExpired(now) {
      guard ended.place == nil else {
        abandon(ended)
        let error = RPCError(.deadlineExceeded, "no answer within the deadline")
        ended.handle.finish(.failure(error.withUnknownOutcome()))
        continue
      }
      let reason = lastConnectFailure.map {
        "; cannot connect to \(configuration.endpoint): \($0)"
      }
      ended.handle.finish(
        .failure(
          RPCError(
            .deadlineExceeded, "the call was not sent within the deadline" + (reason ?? ""))))
    }
  }

  private func send(_ now: UInt64) {
    while let connection = current, calls.waitingCount > 0 {
      if connection.isUsedUp {
        retire(connection)
        return
      }
      guard connection.canSend(), let waiting = calls.nextWaiting else { break }
      let streamID = connection.send(waiting, nowNanos: now)
      calls.markSent(
        waiting.id, place: .init(connection: connection.number, streamID: streamID))
    }
    current?.flush()
  }

  /// The next call goes to a new connection.
  private func retire(_ connection: ConnectionHandler) {
    connection.flush()
    current = nil
    dropHandshake()
    reconnect.retired()
    retired[connection.number] = connection
    configuration.logger.debug("connection retired", metadata: logMetadata(connection))
    closeIfDone(connection)
  }

  private func closeIfDone(_ connection: ConnectionHandler) {
    if retired[connection.number] != nil, connection.callCount == 0 {
      connection.close("it was used up")
    }
  }

  private func setTimer(_ nanos: UInt64) {
    if let timer {
      // An earlier wake-up finds nothing to do and comes here again.
      guard nanos < timer.nanos else { return }
      timer.task.cancel()
    }
    let task = eventLoop.scheduleTask(deadline: .uptimeNanoseconds(nanos)) {
      self.timer = nil
      self.proceed()
    }
    timer = (task, nanos)
  }

  // MARK: From the connections

  func answered(_ answers: inout [ClientAnswer], on connection: ConnectionHandler) {
    guard !answers.isEmpty else { return }
    if connection === current { reconnect.heard() }
    for answer in answers {
      guard let ticket = calls.end(answer.call)?.handle else { continue }
      if case .failure(let error) = answer.result, error.code == .unauthenticated,
        !ticket.hasOwnIdentity
      {
        renewHandshake(on: connection)
      }
      ticket.finish(answer.result)
    }
    answers.removeAll(keepingCapacity: answers.capacity < 4096)
    closeIfDone(connection)
  }

  func lost(_ connection: ConnectionHandler, reason: String) {
    configuration.logger.debug(
      "connection lost: \(reason)", metadata: logMetadata(connection))
    retired[connection.number] = nil
    if connection === current {
      current = nil
      dropHandshake()
      reconnect.lost(now: Self.nowNanos(), random: .random(in: 0...1))
    }
    let error = RPCError(
      .unavailable,
      "the connection to \(configuration.endpoint) was lost (\(reason)) before the answer came;"
        + " whether the call was executed is unknown"
    ).withUnknownOutcome()
    for id in connection.takeCallsInFlight() {
      calls.end(id)?.handle.finish(.failure(error))
    }
    finishClosing()
    proceed()
  }

  // MARK: Closing

  private func beginClosing(_ timeout: Duration, _ promise: EventLoopPromise<Void>?) {
    if let promise { closePromises.append(promise) }
    let deadline = Self.nowNanos() + timeout.timerNanos
    var state = closing ?? ClosingState(deadlineNanos: deadline)
    state.deadlineNanos = min(state.deadlineNanos, deadline)
    closing = state
    finishClosing()
    proceed()
  }

  private func closeConnections() {
    closing?.isFinal = true
    attempt += 1
    timer?.task.cancel()
    timer = nil
    failWaiting(.clientClosed("the client was closed; the call was not sent"))
    for connection in [current].compactMap(\.self) + retired.values {
      connection.close("this client closed it")
    }
    finishClosing()
  }

  private func finishClosing() {
    guard closing?.isFinal == true, current == nil, retired.isEmpty else { return }
    for promise in closePromises { promise.succeed() }
    closePromises = []
  }

  func failWaiting(_ error: RPCError) {
    while let ended = calls.endFirstWaiting() { ended.handle.finish(.failure(error)) }
  }

  func logMetadata(_ connection: ConnectionHandler) -> Logger.Metadata {
    ["endpoint": "\(configuration.endpoint)", "connection": "\(connection.number)"]
  }
}

extension Duration {
  /// For a timer: nanoseconds from 0 to a hundred years, which the clock has room for.
  var timerNanos: UInt64 {
    UInt64(min(max(self, .zero), .seconds(100 * 365 * 86_400)).nanosecondsClamped)
  }
}
