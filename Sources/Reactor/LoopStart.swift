import CLinux
import TTRPC

#if canImport(Glibc)
  import Glibc
#endif

/// What an event loop is made of, on its way to the thread that will run it.
struct LoopStart: Sendable {
  private let server: ReactorServer
  private let index: Int
  private let epoll: Int32
  private let mailboxes: [LoopMailbox]
  private let listeners: [SocketListener]

  init(
    _ server: ReactorServer, _ index: Int, _ epoll: Int32, _ mailboxes: [LoopMailbox],
    _ listeners: [SocketListener]
  ) {
    self.server = server
    self.index = index
    self.epoll = epoll
    self.mailboxes = mailboxes
    self.listeners = listeners
  }

  private final class Box {
    let start: LoopStart
    init(_ start: LoopStart) { self.start = start }
  }

  /// Runs the loop on a new thread.
  func startThread() {
    var thread = pthread_t()
    let box = Unmanaged.passRetained(Box(self)).toOpaque()
    let code = pthread_create(
      &thread, nil,
      { argument in
        guard let argument else { return nil }
        Unmanaged<Box>.fromOpaque(argument).takeRetainedValue().start.run()
        return nil
      }, box)
    precondition(code == 0, "no thread for an event loop: \(String(cString: strerror(code)))")
    pthread_detach(thread)
  }

  private func run() {
    clinux_name_thread("reactor-\(index)")
    runLoop()
    server.loopEnded()
  }

  /// The loop, with all that it owns, is gone when this returns.
  private func runLoop() {
    let acceptor =
      listeners.isEmpty
      ? nil
      : Acceptor(
        listeners, mailboxes, maxConnections: server.configuration.maxConnections,
        server.counters, server.logger)
    EventLoop(
      index: index, epoll: epoll, mailboxes: mailboxes, acceptor: acceptor,
      server.configuration, server.counters, server.makeDispatcher
    ).run()
  }
}
