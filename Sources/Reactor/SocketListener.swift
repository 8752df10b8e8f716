import Synchronization
import TTRPC

#if canImport(Glibc)
  import Glibc
#endif

/// Why a server cannot listen.
public struct BindError: Error, Hashable, CustomStringConvertible {
  /// What failed, and what to do.
  public let description: String

  init(_ description: String) { self.description = description }

  init(operation: String, _ code: Int32) {
    description = "\(operation): \(String(cString: strerror(code)))"
  }

  init(_ address: ListenAddress, _ operation: String, _ code: Int32) {
    let hint =
      switch code {
      case EADDRINUSE: ": another process listens there; stop it, or choose another address"
      case EACCES: ": choose a port of 1024 or more, or a directory that this user may write to"
      case EADDRNOTAVAIL: ": this machine has no such address"
      default: ""
      }
    self.init("\(address): \(operation): \(String(cString: strerror(code)))\(hint)")
  }
}

/// A socket that listens. Closes it, and unlinks a Unix socket's file, at its end.
final class SocketListener: Sendable {
  let descriptor: Int32
  /// Port 0 replaced by the kernel's choice.
  let address: ListenAddress
  private let file: FileIdentity?
  private let isStopped = Atomic<Bool>(false)

  /// What tells this socket's file from another's that took its place.
  private struct FileIdentity: Sendable, Equatable {
    var device: UInt64
    var inode: UInt64

    init?(path: String) {
      var status = stat()
      guard lstat(path, &status) == 0 else { return nil }
      device = UInt64(status.st_dev)
      inode = UInt64(status.st_ino)
    }
  }

  private static let backlog: Int32 = 4096

  init(_ address: ListenAddress) throws(BindError) {
    switch address {
    case .tcp(let host, let port):
      (descriptor, self.address) = try Self.listenTCP(address, host, port)
      file = nil
    case .unix(let path):
      descriptor = try Self.listenUnix(address, path)
      self.address = address
      file = FileIdentity(path: path)
    }
  }

  deinit { stop() }

  /// Closes it, once, from whichever thread: connections are refused from now on.
  func stop() {
    guard !isStopped.exchange(true, ordering: .relaxed) else { return }
    close(descriptor)
    if case .unix(let path) = address, file != nil, file == FileIdentity(path: path) {
      unlink(path)
    }
  }

  // MARK: TCP

  private static func listenTCP(
    _ address: ListenAddress, _ host: String, _ port: UInt16
  ) throws(BindError) -> (Int32, ListenAddress) {
    var hints = addrinfo()
    hints.ai_family = AF_UNSPEC
    hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
    hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV
    var list: UnsafeMutablePointer<addrinfo>?
    let code = getaddrinfo(host, String(port), &hints, &list)
    guard code == 0, let first = list else {
      throw BindError("\(address): \(String(cString: gai_strerror(code)))")
    }
    defer { freeaddrinfo(first) }
    let info = first.pointee
    let descriptor = try open(address, info.ai_family)
    var one: Int32 = 1
    let size = socklen_t(MemoryLayout<Int32>.size)
    setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &one, size)
    if info.ai_family == AF_INET6 {
      setsockopt(descriptor, Int32(IPPROTO_IPV6), IPV6_V6ONLY, &one, size)
    }
    try bindAndListen(descriptor, address, info.ai_addr, info.ai_addrlen)
    let bound = port == 0 ? boundPort(descriptor) : port
    return (descriptor, .tcp(host: host, port: bound))
  }

  private static func boundPort(_ descriptor: Int32) -> UInt16 {
    var storage = sockaddr_storage()
    var size = socklen_t(MemoryLayout<sockaddr_storage>.size)
    let result = withUnsafeMutablePointer(to: &storage) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(descriptor, $0, &size) }
    }
    precondition(result == 0, "a bound socket has a name")
    return SocketAddress.port(&storage)
  }

  // MARK: Unix

  private static func listenUnix(
    _ address: ListenAddress, _ path: String
  ) throws(BindError) -> Int32 {
    let descriptor = try open(address, AF_UNIX)
    var name = try unixName(address, path)
    let size = socklen_t(MemoryLayout<sockaddr_un>.size)
    let isStale = withUnsafePointer(to: &name) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { isStaleSocket(path, $0, size) }
    }
    // Between this and bind another server may take the name; then bind fails.
    if isStale { unlink(path) }
    do throws(BindError) {
      try withUnsafePointer(to: &name) { pointer throws(BindError) in
        try pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { name throws(BindError) in
          try bindAndListen(descriptor, address, name, size)
        }
      }
    } catch {
      throw error
    }
    return descriptor
  }

  private static func unixName(
    _ address: ListenAddress, _ path: String
  ) throws(BindError) -> sockaddr_un {
    var name = sockaddr_un()
    name.sun_family = sa_family_t(AF_UNIX)
    guard path.utf8.count <= ListenAddress.maxPathBytes else {
      throw BindError(address, "bind", ENAMETOOLONG)
    }
    withUnsafeMutableBytes(of: &name.sun_path) { $0.copyBytes(from: path.utf8) }
    return name
  }

  /// Whether a socket's file is there that nobody listens on. Any other file is left alone.
  private static func isStaleSocket(
    _ path: String, _ name: UnsafePointer<sockaddr>, _ size: socklen_t
  ) -> Bool {
    var status = stat()
    guard lstat(path, &status) == 0, status.st_mode & S_IFMT == S_IFSOCK else { return false }
    let probe = socket(AF_UNIX, socketType, 0)
    guard probe >= 0 else { return false }
    defer { close(probe) }
    return connect(probe, name, size) != 0 && errno == ECONNREFUSED
  }

  // MARK: Both

  private static let socketType =
    Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue) | Int32(SOCK_CLOEXEC.rawValue)

  private static func open(
    _ address: ListenAddress, _ family: Int32
  ) throws(BindError) -> Int32 {
    let descriptor = socket(family, socketType, 0)
    if descriptor < 0 { throw BindError(address, "socket", errno) }
    return descriptor
  }

  private static func bindAndListen(
    _ descriptor: Int32, _ address: ListenAddress, _ name: UnsafePointer<sockaddr>?,
    _ size: socklen_t
  ) throws(BindError) {
    if bind(descriptor, name, size) != 0 || listen(descriptor, backlog) != 0 {
      let code = errno
      close(descriptor)
      throw BindError(address, "bind", code)
    }
  }
}
