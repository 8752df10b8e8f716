import Glibc
import TTRPC

/// A socket that speaks frames and blocks. Confined to one thread. What takes longer than
/// `timeoutSeconds` fails.
public final class BlockingClient {
  /// What a system call said.
  public struct SocketError: Error, CustomStringConvertible {
    /// The call and its `errno`.
    public let description: String
    init(_ operation: String) { description = "\(operation): \(String(cString: strerror(errno)))" }
  }

  /// The socket.
  public let descriptor: Int32
  private var input: [UInt8] = []

  /// Connects to a Unix socket.
  public init(unixPath: String, timeoutSeconds: Int = 30) throws {
    descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: Array(unixPath.utf8)) }
    try connectTo(&address, timeoutSeconds)
  }

  /// Connects to 127.0.0.1.
  public init(port: UInt16, timeoutSeconds: Int = 30) throws {
    descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
    try connectTo(&address, timeoutSeconds)
  }

  private func connectTo<Address>(_ address: inout Address, _ timeoutSeconds: Int) throws {
    guard descriptor >= 0 else { throw SocketError("socket") }
    var limit = timeval(tv_sec: timeoutSeconds, tv_usec: 0)
    let size = socklen_t(MemoryLayout<timeval>.size)
    setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, size)
    setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, size)
    let code = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(descriptor, $0, socklen_t(MemoryLayout<Address>.size))
      }
    }
    if code != 0 { throw SocketError("connect") }
  }

  deinit { close(descriptor) }

  /// Sends all bytes.
  public func send(_ bytes: [UInt8]) throws {
    var offset = 0
    while offset < bytes.count {
      let count = bytes.withUnsafeBytes {
        Glibc.send(
          descriptor, $0.baseAddress! + offset, bytes.count - offset, Int32(MSG_NOSIGNAL))
      }
      if count <= 0 { throw SocketError("send") }
      offset += count
    }
  }

  /// Sends what the socket takes without waiting; gives how many bytes that were.
  public func sendWithoutWaiting(_ bytes: [UInt8]) -> Int {
    bytes.withUnsafeBytes {
      Glibc.send(
        descriptor, $0.baseAddress, bytes.count, Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT))
    }
  }

  /// Waits for so many answers; fewer where the server closes first.
  public func receive(_ count: Int = 1) throws -> [WireAnswer] {
    var answers: [WireAnswer] = []
    while answers.count < count {
      guard let taken = WireAnswer.take(from: &input) else { throw SocketError("not an answer") }
      answers += taken
      if answers.count < count, try !receiveMore() { break }
    }
    return answers
  }

  /// One call, one answer.
  public func call(_ request: [UInt8]) throws -> WireAnswer? {
    try send(request)
    return try receive().first
  }

  /// Reads until the server closes; the answers that came before.
  public func receiveUntilClosed() throws -> [WireAnswer] {
    while try receiveMore() {}
    guard let answers = WireAnswer.take(from: &input) else { throw SocketError("not an answer") }
    return answers
  }

  /// `false`: the server has closed. A reset counts as that too.
  private func receiveMore() throws -> Bool {
    var chunk = [UInt8](repeating: 0, count: 256 << 10)
    let count = recv(descriptor, &chunk, chunk.count, 0)
    if count > 0 {
      input += chunk[..<count]
      return true
    }
    if count < 0 && errno != ECONNRESET { throw SocketError("recv") }
    return false
  }

  /// Lets TCP send a reset when the socket is closed, as it does where answers were not read.
  public func resetOnClose() {
    var value = linger(l_onoff: 1, l_linger: 0)
    let size = socklen_t(MemoryLayout<linger>.size)
    setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &value, size)
  }

  /// Waits until the peer has read all that was sent. Unix sockets only.
  public func waitUntilRead() throws {
    var unread: Int32 = 0
    while true {
      // SIOCOUTQ, which Swift does not import; it is TIOCOUTQ.
      guard ioctl(descriptor, UInt(TIOCOUTQ), &unread) == 0 else { throw SocketError("ioctl") }
      if unread == 0 { return }
      sched_yield()
    }
  }

  /// Says that nothing more follows.
  public func finishSending() { shutdown(descriptor, Int32(SHUT_WR)) }
}
