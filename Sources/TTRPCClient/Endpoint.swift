/// Where a server listens.
public enum Endpoint: Sendable, Hashable, CustomStringConvertible {
  /// A host name or address, and a port from 1 to 65535.
  case tcp(host: String, port: Int)
  /// The absolute path of a Unix socket.
  case unix(path: String)

  /// Reads `tcp://host:port`, `tcp://[::1]:7667` or `unix:///path`; `nil`: it is none of these.
  public init?(_ text: String) {
    if text.hasPrefix("unix://") {
      let path = text.dropFirst("unix://".count)
      guard path.hasPrefix("/"), path.count > 1 else { return nil }
      self = .unix(path: String(path))
      return
    }
    guard text.hasPrefix("tcp://"), let colon = text.lastIndex(of: ":") else { return nil }
    var host = text[text.index(text.startIndex, offsetBy: "tcp://".count)...]
    guard colon >= host.startIndex else { return nil }
    let digits = text[text.index(after: colon)...]
    host = host[..<colon]
    if host.hasPrefix("["), host.hasSuffix("]"), host.contains(":") {
      host = host.dropFirst().dropLast()
    } else if host.contains(where: { ":/[]".contains($0) }) {
      return nil
    }
    guard !host.isEmpty, digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }),
      let port = Int(digits), (1...65535).contains(port)
    else { return nil }
    self = .tcp(host: String(host), port: port)
  }

  /// As `init(_:)` reads it.
  public var description: String {
    switch self {
    case .tcp(let host, let port):
      return host.contains(":") ? "tcp://[\(host)]:\(port)" : "tcp://\(host):\(port)"
    case .unix(let path): return "unix://\(path)"
    }
  }
}
