import TTRPC

/// One socket with its machine. Confined to its loop's thread; the loop allocates and frees it.
struct Connection {
  let descriptor: Int32
  let machine: UnsafeMutablePointer<ServerConnection>
  /// What epoll reports, as it was told last.
  var interest: UInt32
  /// Whether it was closed; its memory stays until the events of the turn are done.
  var isClosed = false
  /// Whether it is in the loop's list of connections whose backlog can go on.
  var isResuming = false
  /// CLOCK_MONOTONIC: when a frame came or an answer went out.
  var activeNanos: UInt64
  /// CLOCK_MONOTONIC: when the peer last sent or took any byte.
  var progressNanos: UInt64
}
