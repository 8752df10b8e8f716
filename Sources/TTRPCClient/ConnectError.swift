import NIOCore
import NIOPosix

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// Why there is no connection, in words.
enum ConnectError {
  static func describe(_ error: any Error) -> String {
    switch error {
    case let error as NIOConnectionError:
      if let single = error.connectionErrors.first { return describe(single.error) }
      if let dns = error.dnsAError ?? error.dnsAAAAError { return describe(dns) }
      return "\(error.host) has no address"
    case let error as IOError:
      return String(cString: strerror(error.errnoCode)).lowercased()
    case ChannelError.connectTimeout(let timeout):
      return "no connection within \(timeout.nanoseconds / 1_000_000) ms"
    case is SocketAddressError:
      return "the address is unknown or not valid"
    default:
      return "\(error)"
    }
  }
}
