import CLinux
import Logging
import ServiceLifecycle
import Synchronization
import TTRPC

#if canImport(Glibc)
  import Glibc
#endif

/// A ttrpc server on epoll: N event loops, each on a thread of its own. Safe from any thread.
///
/// `bind()` once, then `run()` once. A graceful shutdown, or `shutDown()`, drains: nothing is
/// accepted any more, idle connections close at once, new calls are UNAVAILABLE, those in flight
/// finish within `drainTimeout`; then `run()` returns. Cancelling its task stops it at once.
public final class ReactorServer: Service {
  /// Builds what one loop dispatches to. Called once for each loop, on the loop's thread.
  public typealias MakeDispatcher = @Sendable (ServerLoop) -> Dispatcher

  /// What is counted while the server runs.
  public let counters = ReactorCounters()

  let configuration: ReactorConfiguration
  let logger: Logger
  let makeDispatcher: MakeDispatcher
  private let state = Mutex(State())

  private struct State {
    var listeners: [SocketListener] = []
    var mailboxes: [LoopMailbox] = []
    var hasRun = false
    var drainUntilNanos: UInt64?
    var runningLoopCount = 0
    var continuation: CheckedContinuation<Void, Never>?
  }

  /// - Parameter logger: not used for each call or connection.
  public init(
    configuration: ReactorConfiguration, logger: Logger,
    makeDispatcher: @escaping MakeDispatcher
  ) {
    precondition(!configuration.listeners.isEmpty, "a server listens somewhere")
    precondition((1...256).contains(configuration.threads), "1 to 256 threads")
    self.configuration = configuration
    self.logger = logger
    self.makeDispatcher = makeDispatcher
  }

  /// Opens the listeners. Connections may come from now on, and wait until the server runs.
  /// - Returns: where it listens, port 0 replaced by the kernel's choice; in the listeners' order.
  /// - Throws: `BindError`; then nothing is open.
  @discardableResult
  public func bind() throws(BindError) -> [ListenAddress] {
    let listeners = try state.withLock { state throws(BindError) in
      if state.listeners.isEmpty && !state.hasRun {
        var opened: [SocketListener] = []
        for address in configuration.listeners { opened.append(try SocketListener(address)) }
        state.listeners = opened
      }
      return state.listeners
    }
    return listeners.map(\.address)
  }

  /// Serves until a graceful shutdown has drained, or the task is cancelled. Binds, where
  /// `bind()` was not called.
  /// - Throws: `BindError`.
  public func run() async throws {
    try bind()
    let loops = try start()
    await withTaskCancellationHandler {
      await withGracefulShutdownHandler {
        await withCheckedContinuation { continuation in
          state.withLock { $0.continuation = continuation }
          for loop in loops { loop.startThread() }
        }
      } onGracefulShutdown: {
        self.shutDown()
      }
    } onCancel: {
      drain(untilNanos: 0)
    }
  }

  /// Begins to drain, as a graceful shutdown does. Before `run()`, that returns at once.
  public func shutDown() {
    logger.info("draining")
    drain(untilNanos: MonotonicClock.nowNanos() + configuration.drainTimeout.clampedNanos)
  }

  /// What a drain that has begun leaves of `drainTimeout`; zero where it is over, or has not begun.
  public var drainTimeLeft: Duration {
    guard let until = state.withLock({ $0.drainUntilNanos }) else { return .zero }
    let nowNanos = MonotonicClock.nowNanos()
    return .nanoseconds(Int64(clamping: until > nowNanos ? until - nowNanos : 0))
  }

  private func drain(untilNanos: UInt64) {
    counters.draining.store(true, ordering: .relaxed)
    let mailboxes = state.withLock { state in
      state.drainUntilNanos = min(state.drainUntilNanos ?? .max, untilNanos)
      return state.mailboxes
    }
    for mailbox in mailboxes { mailbox.post(.drain(untilNanos: untilNanos)) }
  }

  /// What the loops need that may fail to be had.
  private func start() throws(BindError) -> [LoopStart] {
    try state.withLock { state throws(BindError) in
      precondition(!state.hasRun, "a server runs once")
      state.hasRun = true
      var mailboxes: [LoopMailbox] = []
      for _ in 0..<configuration.threads { mailboxes.append(try LoopMailbox()) }
      var loops: [LoopStart] = []
      for index in 0..<configuration.threads {
        let epoll = clinux_epoll()
        if epoll < 0 { throw BindError(operation: "epoll", errno) }
        let listeners = index == 0 ? state.listeners : []
        loops.append(LoopStart(self, index, epoll, mailboxes, listeners))
      }
      // The loops have them now, and close them when they drain.
      state.listeners = []
      state.mailboxes = mailboxes
      state.runningLoopCount = configuration.threads
      if let until = state.drainUntilNanos {
        for mailbox in mailboxes { mailbox.post(.drain(untilNanos: until)) }
      }
      return loops
    }
  }

  /// Called on a loop's thread, at its end.
  func loopEnded() {
    let (continuation, mailboxes) = state.withLock { state in
      state.runningLoopCount -= 1
      let isLast = state.runningLoopCount == 0
      return (isLast ? state.continuation.take() : nil, isLast ? state.mailboxes : [])
    }
    // Connections that were on their way to a loop that had ended.
    for mailbox in mailboxes { mailbox.discardAll() }
    continuation?.resume()
  }
}
