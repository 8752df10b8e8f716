import Logging
import Synchronization
import TTRPC

#if canImport(Glibc)
  import Glibc
#endif

/// Accepts for all loops, on the first loop's thread, and gives each connection to the loop with
/// the fewest. Confined to that thread.
///
/// Without descriptors a connection cannot even be refused, and epoll would report it without
/// end. So one descriptor is kept in reserve: it is closed, the connection accepted and closed,
/// and the reserve opened again.
struct Acceptor: ~Copyable {
  /// At most so many of one listener in a row: the connections that there are come first.
  private static let maxPerTurn = 64
  /// How long a listener rests that cannot even refuse.
  static let restNanos: UInt64 = 100_000_000

  private(set) var listeners: [SocketListener]
  private let mailboxes: [LoopMailbox]
  private let maxConnections: Int
  private let counters: ReactorCounters
  private let logger: Logger
  private var reserve: Int32
  private var hasWarned = false

  init(
    _ listeners: [SocketListener], _ mailboxes: [LoopMailbox], maxConnections: Int,
    _ counters: ReactorCounters, _ logger: Logger
  ) {
    self.listeners = listeners
    self.mailboxes = mailboxes
    self.maxConnections = maxConnections
    self.counters = counters
    self.logger = logger
    reserve = Self.openReserve()
  }

  deinit { if reserve >= 0 { close(reserve) } }

  private static func openReserve() -> Int32 { open("/dev/null", O_RDONLY | O_CLOEXEC) }

  /// Nothing is accepted any more; the listeners close.
  mutating func stop() {
    for listener in listeners { listener.stop() }
    listeners = []
  }

  /// Accepts what waits at a listener.
  /// - Parameter adopt: takes a connection for the loop with the index.
  /// - Returns: `false`: there are no descriptors, not even to refuse; the listener is to rest.
  mutating func accept(at index: Int, adopt: (Int, AcceptedSocket) -> Void) -> Bool {
    guard index < listeners.count else { return true }
    for _ in 0..<Self.maxPerTurn {
      let socket: AcceptedSocket
      do throws(AcceptedSocket.AcceptError) {
        socket = try AcceptedSocket(from: listeners[index], id: ConnectionID.next())
      } catch {
        switch error.code {
        case EAGAIN: return true
        case EMFILE, ENFILE, ENOBUFS, ENOMEM:
          guard refuseWithReserve(at: index) else { return false }
        default: break  // The connection failed before it was accepted.
        }
        continue
      }
      guard counters.connections.load(ordering: .relaxed) < maxConnections else {
        counters.refused.add(1, ordering: .relaxed)
        close(socket.descriptor)
        continue
      }
      hasWarned = false
      counters.accepted.add(1, ordering: .relaxed)
      counters.connections.add(1, ordering: .relaxed)
      adopt(leastLoaded(), socket)
    }
    return true
  }

  private func leastLoaded() -> Int {
    var best = 0
    var least = Int.max
    for (index, mailbox) in mailboxes.enumerated() {
      let count = mailbox.connectionCount.load(ordering: .relaxed)
      if count < least { (best, least) = (index, count) }
    }
    mailboxes[best].connectionCount.add(1, ordering: .relaxed)
    return best
  }

  private mutating func refuseWithReserve(at index: Int) -> Bool {
    if !hasWarned {
      hasWarned = true
      logger.warning(
        "no descriptors are left: connections are refused; raise the limit (ulimit -n)")
    }
    guard reserve >= 0 else {
      reserve = Self.openReserve()
      return reserve >= 0
    }
    close(reserve)
    let descriptor = Glibc.accept(listeners[index].descriptor, nil, nil)
    let isGone = descriptor < 0 && errno == EAGAIN
    if descriptor >= 0 {
      counters.refused.add(1, ordering: .relaxed)
      close(descriptor)
    }
    reserve = Self.openReserve()
    return descriptor >= 0 || isGone
  }
}

/// Numbers the connections of the process.
enum ConnectionID {
  private static let last = Atomic<UInt64>(0)
  static func next() -> UInt64 { last.add(1, ordering: .relaxed).newValue }
}
