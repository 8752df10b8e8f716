import CLinux
import Logging
import TTRPC

#if canImport(Glibc)
  import Glibc
#endif

/// One event loop: waits on epoll, level-triggered, and drives its connections' machines in ticks.
/// Confined to its thread; others reach it through its mailbox.
///
/// 1. A closed connection's memory is freed only when all events of the turn are done, since a
///    later one may name it.
/// 2. What a tick received lies in `input` until the tick ends.
/// 3. A connection is asked for input only while its machine takes some (`wantsInput`).
final class EventLoop {
  /// What `epoll_event.data` holds where it is no connection's address.
  enum Token {
    static let mailbox: UInt64 = 0
    static let firstListener: UInt64 = 1
    static let firstAddress: UInt64 = 4096
  }

  /// What one `read` may take: enough for long pipelines, and little enough that one connection
  /// does not hold up the others.
  static let readBytes = 64 << 10
  static let inputBytes = 320 << 10
  static let maxEvents = 256

  let epoll: Int32
  let mailbox: LoopMailbox
  let tick: ServerTick
  let configuration: ReactorConfiguration
  let counters: ReactorCounters
  let index: Int
  var acceptor: Acceptor?
  let mailboxes: [LoopMailbox]

  let input: UnsafeMutableRawPointer
  var inputUsed = 0
  let events: UnsafeMutablePointer<epoll_event>
  var connections: Set<UnsafeMutablePointer<Connection>> = []
  var closed: [UnsafeMutablePointer<Connection>] = []
  var resuming: [UnsafeMutablePointer<Connection>] = []
  var readyListeners: [Int] = []
  var nowNanos: UInt64
  var callsCounted: UInt64 = 0
  var inFlightCounted = 0
  var drainUntilNanos: UInt64?
  var sweepAtNanos: UInt64 = 0
  var listenersRestUntilNanos: UInt64?

  /// - Parameters:
  ///   - epoll: handed over; closed at the loop's end.
  ///   - mailboxes: of all loops.
  init(
    index: Int, epoll: Int32, mailboxes: [LoopMailbox], acceptor: consuming Acceptor?,
    _ configuration: ReactorConfiguration, _ counters: ReactorCounters,
    _ makeDispatcher: ReactorServer.MakeDispatcher
  ) {
    self.index = index
    self.epoll = epoll
    self.mailboxes = mailboxes
    self.acceptor = acceptor
    self.configuration = configuration
    self.counters = counters
    mailbox = mailboxes[index]
    let loop = ServerLoop(index: index) { [mailbox] in mailbox.requestWake() }
    tick = ServerTick(
      dispatcher: makeDispatcher(loop), loop: loop, limits: configuration.limits,
      mailbox: mailbox)
    input = .allocate(byteCount: Self.inputBytes, alignment: 64)
    events = .allocate(capacity: Self.maxEvents)
    nowNanos = MonotonicClock.nowNanos()
  }

  deinit {
    close(epoll)
    input.deallocate()
    events.deallocate()
  }

  /// Runs on the calling thread until it has drained.
  func run() {
    mailbox.becomeOwner()
    watch(mailbox.wakeDescriptor, Token.mailbox)
    watchListeners(operation: EPOLL_CTL_ADD, events: EPOLLIN.rawValue)
    while !isFinished {
      let count = Int(epoll_wait(epoll, events, Int32(Self.maxEvents), timeoutMillis()))
      nowNanos = MonotonicClock.nowNanos()
      runTicks(max(count, 0))
      for connection in closed { free(connection) }
      closed.removeAll(keepingCapacity: true)
      acceptReady()
      if nowNanos >= sweepAtNanos { sweep() }
      publishCounters()
      if drainUntilNanos != nil { closeDrained() }
    }
    finish()
  }

  /// The turn's events in as many ticks as their bytes need.
  private func runTicks(_ eventCount: Int) {
    var event = 0
    repeat {
      tick.begin(nowNanos: nowNanos)
      resumeWaiting()
      // At least one, however much was resumed.
      let first = event
      while event < eventCount && (event == first || !tick.isFull)
        && inputUsed + Self.readBytes <= Self.inputBytes
      {
        handle(events[event])
        event += 1
      }
      takeMail()
      tick.expireDeadlines()
      nowNanos = MonotonicClock.nowNanos()
      tick.execute(nowNanos: nowNanos)
      // Answers of async handlers that did not wait.
      takeMail()
      tick.commit()
      while let machine = tick.nextTouched() { send(connection(of: machine)) }
      tick.end()
      inputUsed = 0
    } while event < eventCount
  }

  @inline(__always)
  func connection(
    of machine: UnsafeMutablePointer<ServerConnection>
  ) -> UnsafeMutablePointer<Connection> {
    machine.pointee.driver.unsafelyUnwrapped.assumingMemoryBound(to: Connection.self)
  }

  @inline(__always)
  private func handle(_ event: epoll_event) {
    let data = event.data.u64
    guard data >= Token.firstAddress,
      let connection = UnsafeMutablePointer<Connection>(bitPattern: UInt(data))
    else { return handleToken(data) }
    guard !connection.pointee.isClosed else { return }
    if event.events & EPOLLOUT.rawValue != 0 { tick.touch(connection.pointee.machine) }
    if event.events & ~EPOLLOUT.rawValue != 0 { receive(connection, event.events) }
  }

  private func handleToken(_ token: UInt64) {
    if token == Token.mailbox { return mailbox.acknowledgeWake() }
    readyListeners.append(Int(token - Token.firstListener))
  }

  @inline(__always)
  private func takeMail() {
    guard !mailbox.isEmpty else { return }
    takeItems()
  }

  @inline(never)
  private func takeItems() {
    mailbox.takeAll { item in
      switch item {
      case .answer(let answer): tick.deliver(answer)
      case .wake:
        mailbox.acknowledgeWakeRequest()
        tick.noteWake()
      case .adopt(let socket): adopt(socket)
      case .drain(let untilNanos): beginDrain(untilNanos)
      }
    }
  }

  /// Lets connections go on whose backlog need not wait any more, as many as fit the tick.
  @inline(__always)
  private func resumeWaiting() {
    guard !resuming.isEmpty else { return }
    var count = 0
    while count < resuming.count && !tick.isFull {
      resuming[count].pointee.isResuming = false
      tick.resume(resuming[count].pointee.machine)
      count += 1
    }
    resuming.removeFirst(count)
  }

  func watch(_ descriptor: Int32, _ token: UInt64) {
    let code = clinux_epoll_set(epoll, EPOLL_CTL_ADD, descriptor, EPOLLIN.rawValue, token)
    precondition(code == 0, "epoll_ctl: \(errno)")
  }

  func publishCounters() {
    let calls = tick.callCount
    if calls != callsCounted {
      counters.calls.add(Int(calls - callsCounted), ordering: .relaxed)
      callsCounted = calls
    }
    if tick.inFlightCount != inFlightCounted {
      counters.inFlight.add(tick.inFlightCount - inFlightCounted, ordering: .relaxed)
      inFlightCounted = tick.inFlightCount
    }
  }

  /// How long epoll may wait: until a tick is due, the next sweep, or the end of a rest.
  private func timeoutMillis() -> Int32 {
    if !mailbox.isEmpty || !resuming.isEmpty { return 0 }
    var until = connections.isEmpty ? UInt64.max : sweepAtNanos
    if let due = tick.nextTickNanos { until = min(until, due) }
    if let drain = drainUntilNanos { until = min(until, drain) }
    if let rest = listenersRestUntilNanos { until = min(until, rest) }
    guard until != .max else { return -1 }
    let now = MonotonicClock.nowNanos()
    guard until > now else { return 0 }
    // Rounded up: to wake a moment too early would be to turn in circles.
    return Int32(min((until - now) / 1_000_000 + 1, 60_000))
  }
}
