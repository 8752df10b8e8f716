/// Where the server listens, as people write it: `tcp://host:port`, `unix:///path`.
enum EndpointText: Equatable, Sendable {
  case tcp(host: String, port: Int)
  case unix(path: String)

  static let defaultText = "tcp://127.0.0.1:7667"
  static let defaultPort = 7667

  /// - Parameter text: A host without a port gets `defaultPort`; an IPv6 address stands in
  ///   brackets; a path that begins with `/` is a Unix socket.
  init(_ text: String) throws(UsageError) {
    if text.hasPrefix("/") || text.hasPrefix("unix:") {
      var path = text[...]
      if path.hasPrefix("unix:") { path = path.dropFirst("unix:".count) }
      if path.hasPrefix("//") { path = path.dropFirst(2) }
      guard path.hasPrefix("/"), path.count > 1 else {
        throw UsageError("'\(text)' names no socket: write unix:///path/to/roost.sock")
      }
      self = .unix(path: String(path))
      return
    }
    var address = text[...]
    if address.hasPrefix("tcp://") { address = address.dropFirst("tcp://".count) }
    let (host, port) = Self.split(address)
    guard !host.isEmpty, !host.contains("/"), let port = Self.port(port) else {
      throw UsageError("'\(text)' is not an endpoint: write tcp://host:port or unix:///path")
    }
    self = .tcp(host: String(host), port: port)
  }

  /// Whether only programs on this machine can be on the other end.
  var isLocal: Bool {
    switch self {
    case .unix: true
    case .tcp(let host, _): host == "localhost" || host == "::1" || Self.isIPv4Loopback(host)
    }
  }

  var description: String {
    switch self {
    case .unix(let path): "unix://\(path)"
    case .tcp(let host, let port):
      host.contains(":") ? "tcp://[\(host)]:\(port)" : "tcp://\(host):\(port)"
    }
  }

  private static func split(_ address: Substring) -> (host: Substring, port: Substring?) {
    if address.hasPrefix("["), let end = address.firstIndex(of: "]") {
      let host = address[address.index(after: address.startIndex)..<end]
      let rest = address[address.index(after: end)...]
      return rest.isEmpty ? (host, nil) : (host, rest.hasPrefix(":") ? rest.dropFirst() : "none")
    }
    guard let colon = address.firstIndex(of: ":") else { return (address, nil) }
    return (address[..<colon], address[address.index(after: colon)...])
  }

  private static func port(_ text: Substring?) -> Int? {
    guard let text else { return defaultPort }
    guard let port = Int(text), (1...65535).contains(port), text.first != "+" else { return nil }
    return port
  }

  /// 127.0.0.0/8, RFC 1122.
  private static func isIPv4Loopback(_ host: String) -> Bool {
    let parts = host.split(separator: ".", omittingEmptySubsequences: false)
    return parts.count == 4 && parts[0] == "127" && parts.allSatisfy { UInt8($0) != nil }
  }
}
