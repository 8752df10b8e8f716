import Logging

/// Who is at the other end of one connection. Confined to the connection's loop.
final class ConnectionIdentity {
  /// Whom `Auth.Bind` bound the connection to.
  var bound = Credential()
  /// Whose token a call brought last; it is for calls that bring it again.
  var own = Credential()

  init() {}
}

/// Notes refused calls in the log, so many and no more: what a stranger does must not fill a disk.
/// Confined to one loop.
struct RefusalLog {
  /// Lines in each window; what is over it is counted and said with the next window's first line.
  static let linesPerWindow = 10
  /// The length of a window.
  static let windowNanos: UInt64 = 10_000_000_000

  private let logger: Logger
  private var windowEndNanos: UInt64 = 0
  private var lineCount = 0
  private var hiddenCount = 0

  init(logger: Logger) { self.logger = logger }

  /// Notes one refused call. The reason is for operators only.
  mutating func note(_ reason: TokenRefusal, peer: @autoclosure () -> String, atNanos nanos: UInt64)
  {
    if nanos >= windowEndNanos {
      windowEndNanos = nanos &+ Self.windowNanos
      lineCount = 0
    }
    lineCount += 1
    guard lineCount <= Self.linesPerWindow else {
      hiddenCount += 1
      return
    }
    var metadata: Logger.Metadata = ["reason": "\(reason.rawValue)", "peer": "\(peer())"]
    if hiddenCount > 0 { metadata["more"] = "\(hiddenCount)" }
    hiddenCount = 0
    logger.notice("unauthenticated call", metadata: metadata)
  }
}
