#if canImport(Glibc)
  import Glibc
#endif

/// Where a server listens: `tcp://HOST:PORT` or `unix:///PATH`.
public enum ListenAddress: Sendable, Hashable, CustomStringConvertible {
  /// A name or an address, and a port; port 0 lets the kernel choose one.
  case tcp(host: String, port: UInt16)
  /// A file's path.
  case unix(path: String)

  /// Why a text is not an address.
  public struct ParseError: Error, Hashable, CustomStringConvertible {
    /// What was given.
    public let text: String
    /// What is wrong with it, and what is right.
    public let reason: String
    /// Both in one line.
    public var description: String { "\(text): \(reason)" }
  }

  /// The longest path of a Unix socket, in bytes: the kernel's field less the NUL byte behind it.
  public static let maxPathBytes = 107

  /// Reads `tcp://127.0.0.1:7667`, `tcp://[::1]:7667`, `tcp://localhost:0` or `unix:///run/x.sock`.
  public init(parsing text: String) throws(ParseError) {
    if text.hasPrefix("unix://") {
      self = try Self.parseUnix(text, text.dropFirst("unix://".count))
    } else if text.hasPrefix("tcp://") {
      self = try Self.parseTCP(text, text.dropFirst("tcp://".count))
    } else {
      throw ParseError(text: text, reason: "begin with tcp:// or unix://")
    }
  }

  private static func parseUnix(
    _ text: String, _ path: Substring
  ) throws(ParseError) -> ListenAddress {
    guard path.hasPrefix("/") else {
      throw ParseError(text: text, reason: "the socket's path begins with /, as in unix:///run/s")
    }
    guard path.utf8.count <= maxPathBytes, !path.utf8.contains(0) else {
      throw ParseError(text: text, reason: "a socket's path has at most \(maxPathBytes) bytes")
    }
    return .unix(path: String(path))
  }

  private static func parseTCP(
    _ text: String, _ rest: Substring
  ) throws(ParseError) -> ListenAddress {
    guard let colon = rest.lastIndex(of: ":") else {
      throw ParseError(text: text, reason: "the port is missing, as in tcp://127.0.0.1:7667")
    }
    guard let port = UInt16(rest[rest.index(after: colon)...]) else {
      throw ParseError(text: text, reason: "a port is a number from 0 to 65535")
    }
    var host = rest[..<colon]
    if host.hasPrefix("["), host.hasSuffix("]") {
      host = host.dropFirst().dropLast()
    } else if host.contains(":") {
      throw ParseError(
        text: text, reason: "an IPv6 address stands in brackets, as in tcp://[::1]:1")
    }
    guard !host.isEmpty, !host.utf8.contains(0) else {
      throw ParseError(text: text, reason: "the host is missing, as in tcp://127.0.0.1:7667")
    }
    return .tcp(host: String(host), port: port)
  }

  /// As `init(parsing:)` reads it.
  public var description: String {
    switch self {
    case .tcp(let host, let port) where host.contains(":"): "tcp://[\(host)]:\(port)"
    case .tcp(let host, let port): "tcp://\(host):\(port)"
    case .unix(let path): "unix://\(path)"
    }
  }

  /// Whether only this machine reaches it: a Unix socket, `localhost`, 127.0.0.0/8 or ::1.
  public var isLoopback: Bool {
    switch self {
    case .unix: return true
    case .tcp(let host, _):
      if host == "localhost" { return true }
      var address = in_addr()
      if inet_pton(AF_INET, host, &address) == 1 {
        return UInt32(bigEndian: address.s_addr) >> 24 == 127
      }
      var address6 = in6_addr()
      guard inet_pton(AF_INET6, host, &address6) == 1 else { return false }
      return withUnsafeBytes(of: address6) { $0.dropLast().allSatisfy { $0 == 0 } && $0[15] == 1 }
    }
  }
}
