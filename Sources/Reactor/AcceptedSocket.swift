import CLinux
import TTRPC

#if canImport(Glibc)
  import Glibc
#endif

/// A connection that was accepted, on its way to the loop that will have it.
struct AcceptedSocket: Sendable {
  let descriptor: Int32
  let id: UInt64
  let peer: Peer

  /// Why nothing was accepted: `errno`.
  struct AcceptError: Error { var code: Int32 }

  /// Accepts one connection.
  init(from listener: SocketListener, id: UInt64) throws(AcceptError) {
    var storage = sockaddr_storage()
    var size = socklen_t(MemoryLayout<sockaddr_storage>.size)
    let descriptor = clinux_accept(listener.descriptor, &storage, &size)
    if descriptor < 0 { throw AcceptError(code: errno) }
    self.descriptor = descriptor
    self.id = id
    if case .unix = listener.address {
      peer = .unix(userID: SocketAddress.userID(descriptor))
    } else {
      peer = .tcp(SocketAddress.text(&storage))
      Self.setOptions(descriptor)
    }
  }

  /// Answers leave at once, and a peer that vanished without a word is noticed: by probes on an
  /// idle connection, by unacknowledged bytes on any other.
  private static func setOptions(_ descriptor: Int32) {
    func set(_ level: Int32, _ option: Int32, _ value: Int32) {
      var value = value
      setsockopt(descriptor, level, option, &value, socklen_t(MemoryLayout<Int32>.size))
    }
    let tcp = Int32(IPPROTO_TCP)
    set(tcp, TCP_NODELAY, 1)
    set(SOL_SOCKET, SO_KEEPALIVE, 1)
    set(tcp, TCP_KEEPIDLE, 60)
    set(tcp, TCP_KEEPINTVL, 15)
    set(tcp, TCP_KEEPCNT, 4)
    set(tcp, TCP_USER_TIMEOUT, 120_000)
  }
}

/// Reads what the kernel says of a socket's ends.
enum SocketAddress {
  static func port(_ storage: inout sockaddr_storage) -> UInt16 {
    withUnsafePointer(to: &storage) {
      $0.withMemoryRebound(to: sockaddr_in.self, capacity: 1) {
        // IPv6 has its port in the same place.
        UInt16(bigEndian: $0.pointee.sin_port)
      }
    }
  }

  /// As in `127.0.0.1:50000` or `[::1]:50000`.
  static func text(_ storage: inout sockaddr_storage) -> String {
    let port = port(&storage)
    var buffer = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
    let size = socklen_t(buffer.count)
    let isIPv6 = Int32(storage.ss_family) == AF_INET6
    withUnsafePointer(to: &storage) { pointer in
      if isIPv6 {
        pointer.withMemoryRebound(to: sockaddr_in6.self, capacity: 1) {
          var address = $0.pointee.sin6_addr
          _ = inet_ntop(AF_INET6, &address, &buffer, size)
        }
      } else {
        pointer.withMemoryRebound(to: sockaddr_in.self, capacity: 1) {
          var address = $0.pointee.sin_addr
          _ = inet_ntop(AF_INET, &address, &buffer, size)
        }
      }
    }
    let host = buffer.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
    return isIPv6 ? "[\(host)]:\(port)" : "\(host):\(port)"
  }

  /// Of the process that connected a Unix socket.
  static func userID(_ descriptor: Int32) -> UInt32? {
    UInt32(exactly: clinux_peer_user(descriptor))
  }
}
