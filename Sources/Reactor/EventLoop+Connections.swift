import CLinux
import TTRPC

#if canImport(Glibc)
  import Glibc
#endif

// The life of connections.
extension EventLoop {
  /// Takes over an accepted socket.
  func adopt(_ socket: AcceptedSocket) {
    guard drainUntilNanos == nil else {
      close(socket.descriptor)
      return noteClosed()
    }
    let machine = UnsafeMutablePointer<ServerConnection>.allocate(capacity: 1)
    let context = ServerConnectionContext(id: socket.id, peer: socket.peer)
    machine.initialize(to: tick.makeConnection(context))
    let connection = UnsafeMutablePointer<Connection>.allocate(capacity: 1)
    connection.initialize(
      to: Connection(
        descriptor: socket.descriptor, machine: machine, interest: EPOLLIN.rawValue,
        activeNanos: nowNanos, progressNanos: nowNanos))
    machine.pointee.driver = UnsafeMutableRawPointer(connection)
    tick.attach(machine)
    if connections.isEmpty { sweepAtNanos = nowNanos + sweepIntervalNanos }
    connections.insert(connection)
    let address = UInt64(UInt(bitPattern: connection))
    let code = clinux_epoll_set(
      epoll, EPOLL_CTL_ADD, socket.descriptor, EPOLLIN.rawValue, address)
    if code != 0 { tick.abandon(machine, .peerClosed) }
  }

  /// Ends a connection. Its memory is freed at the end of the turn. Not within a tick, unless
  /// after `commit`.
  func shut(_ connection: UnsafeMutablePointer<Connection>) {
    guard !connection.pointee.isClosed else { return }
    connection.pointee.isClosed = true
    let descriptor = connection.pointee.descriptor
    if connection.pointee.machine.pointee.closeReason != .peerClosed { linger(descriptor) }
    close(descriptor)
    tick.detach(connection.pointee.machine)
    connections.remove(connection)
    if connection.pointee.isResuming { resuming.removeAll { $0 == connection } }
    closed.append(connection)
    noteClosed()
  }

  private func noteClosed() {
    counters.connections.subtract(1, ordering: .relaxed)
    mailbox.connectionCount.subtract(1, ordering: .relaxed)
  }

  /// Bytes that nobody read would turn the close into a reset, which could overtake the answers
  /// that are under way: so what is there is read and dropped.
  private func linger(_ descriptor: Int32) {
    shutdown(descriptor, Int32(SHUT_WR))
    for _ in 0..<16 {
      // Nothing of this tick is in the last part any more.
      guard read(descriptor, scratch, Self.readBytes) > 0 else { return }
    }
  }

  /// Frees the memory of a closed connection.
  func free(_ connection: UnsafeMutablePointer<Connection>) {
    let machine = connection.pointee.machine
    machine.deinitialize(count: 1)
    machine.deallocate()
    connection.deinitialize(count: 1)
    connection.deallocate()
  }

  // MARK: Time

  /// Often enough that no limit of time is exceeded by more than a quarter.
  var sweepIntervalNanos: UInt64 {
    let shortest = min(
      configuration.stallTimeout.clampedNanos,
      configuration.idleTimeout?.clampedNanos ?? .max)
    return min(max(shortest / 4, 5_000_000), 5_000_000_000)
  }

  /// Closes connections that are idle, or whose peers have stalled.
  func sweep() {
    sweepAtNanos = nowNanos + sweepIntervalNanos
    let stallNanos = configuration.stallTimeout.clampedNanos
    let idleNanos = configuration.idleTimeout?.clampedNanos ?? .max
    for connection in connections {
      let machine = connection.pointee.machine
      // One that is to be closed waits for answers that are held back, or of calls in flight.
      let isWaiting =
        machine.pointee.unsentBytes > 0 || machine.pointee.isInsideFrame
        || machine.pointee.closeReason != nil
      if isWaiting && nowNanos - connection.pointee.progressNanos > stallNanos {
        machine.pointee.abandon(machine.pointee.unsentBytes > 0 ? .unreadAnswers : .idle)
        shut(connection)
      } else if machine.pointee.isQuiet || machine.pointee.isInsideFrame,
        machine.pointee.pendingCallCount == 0,
        nowNanos - connection.pointee.activeNanos > idleNanos
      {
        machine.pointee.close(.idle)
        shut(connection)
      }
    }
    freeClosed()
  }

  func freeClosed() {
    for connection in closed { free(connection) }
    closed.removeAll(keepingCapacity: true)
  }

  // MARK: Accepting

  func watchListeners(operation: Int32, events: UInt32) {
    guard let count = acceptor?.listeners.count else { return }
    for index in 0..<count {
      guard let descriptor = acceptor?.listeners[index].descriptor else { return }
      _ = clinux_epoll_set(
        epoll, operation, descriptor, events, Token.firstListener + UInt64(index))
    }
  }

  /// Accepts after the turn's calls were answered.
  func acceptReady() {
    if let until = listenersRestUntilNanos, nowNanos >= until {
      listenersRestUntilNanos = nil
      watchListeners(operation: EPOLL_CTL_MOD, events: EPOLLIN.rawValue)
    }
    guard !readyListeners.isEmpty else { return }
    for listener in readyListeners {
      let goesOn = acceptor?.accept(at: listener) { loop, socket in
        if loop == index { adopt(socket) } else { mailboxes[loop].post(.adopt(socket)) }
      }
      if goesOn == false {
        listenersRestUntilNanos = nowNanos + Acceptor.restNanos
        watchListeners(operation: EPOLL_CTL_MOD, events: 0)
      }
    }
    readyListeners.removeAll(keepingCapacity: true)
  }

  // MARK: The end

  var isFinished: Bool {
    guard let until = drainUntilNanos else { return false }
    return connections.isEmpty || nowNanos >= until
  }

  /// No connections and no calls are accepted from now on.
  func beginDrain(_ untilNanos: UInt64) {
    drainUntilNanos = min(drainUntilNanos ?? .max, untilNanos)
    tick.isDraining = true
    acceptor?.stop()
    // What waits for an exclusive call is refused.
    for connection in connections where connection.pointee.machine.pointee.hasBacklog {
      tick.touch(connection.pointee.machine)
    }
  }

  /// Closes the connections that have nothing in flight. What they sent before is refused first.
  func closeDrained() {
    guard !isFinished else { return }
    for connection in connections where connection.pointee.machine.pointee.owesNothing {
      guard !hasInput(connection.pointee.descriptor) else { continue }
      connection.pointee.machine.pointee.close(.draining)
      shut(connection)
    }
    freeClosed()
  }

  private func hasInput(_ descriptor: Int32) -> Bool {
    var byte: UInt8 = 0
    return recv(descriptor, &byte, 1, Int32(MSG_PEEK)) > 0
  }

  /// Closes what is left.
  func finish() {
    acceptor?.stop()
    for connection in connections {
      connection.pointee.machine.pointee.close(.draining)
      shut(connection)
    }
    freeClosed()
    // Connections that were given to this loop and never adopted.
    mailbox.takeAll { item in
      if case .adopt(let socket) = item { adopt(socket) }
    }
    publishCounters()
  }
}
