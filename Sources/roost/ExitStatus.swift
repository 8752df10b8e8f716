import TTRPC

/// How `roost` ends; scripts build on these numbers.
enum ExitStatus: Int32, CaseIterable, Sendable {
  case success = 0
  /// The key, list or token is not there.
  case notFound = 1
  /// The arguments, a variable of the environment or the request itself is wrong.
  case usage = 2
  /// No token, a wrong one, or one that may not do this.
  case permission = 3
  /// A condition did not hold, or the key holds another type.
  case precondition = 4
  /// Nobody answered, or not in time; the call was cancelled.
  case unavailable = 5
  /// A limit of the server.
  case exhausted = 6
  case other = 7

  init(_ code: StatusCode) {
    self =
      switch code {
      case .ok: .success
      case .notFound: .notFound
      case .invalidArgument: .usage
      case .unauthenticated, .permissionDenied: .permission
      case .alreadyExists, .aborted, .failedPrecondition: .precondition
      case .unavailable, .deadlineExceeded, .cancelled: .unavailable
      case .resourceExhausted: .exhausted
      case .unknown, .outOfRange, .unimplemented, .internal, .dataLoss: .other
      }
  }

  /// For the root command's help.
  static let help = """
    EXIT STATUS:
      0  done
      1  not found
      2  wrong usage, or the server refused the request as invalid
      3  no token, a wrong one, or one without the right
      4  a condition did not hold, or the key holds another type
      5  the server cannot be reached, or did not answer in time
      6  a limit of the server was reached
      7  anything else
    """
}

/// Why a command ends without success: one line of what was wrong, and lines of what to do.
struct CommandFailure: Error, Equatable {
  let status: ExitStatus
  let message: String
  let advice: String?

  init(_ status: ExitStatus, _ message: String, advice: String? = nil) {
    self.status = status
    self.message = message
    self.advice = advice
  }

  /// What standard error gets, with the line breaks.
  func rendered(style: TerminalStyle) -> String {
    // A server's message may quote what somebody sent: no control character reaches a terminal.
    var text = style.red("error:") + " " + EscapedText.block(Array(message.utf8)) + "\n"
    for line in (advice ?? "").split(separator: "\n") { text += style.dim("  \(line)") + "\n" }
    return text
  }
}
