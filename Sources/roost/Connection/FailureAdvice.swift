import TTRPC

extension CommandFailure {
  /// Puts the failure of a call in words.
  ///
  /// - Parameter settings: Where the server was looked for; `nil` only where no connection was
  ///   ever asked for.
  init(_ error: RPCError, settings: ConnectionSettings?) {
    let endpoint = settings?.endpoint.description ?? EndpointText.defaultText
    let status = ExitStatus(error.code)
    var message = error.message.isEmpty ? Self.words(error.code) : error.message
    let advice: String?
    switch error.code {
    case .unavailable where Self.isAnswer(error):
      advice = "The server at \(endpoint) answered so: try again later."
    case .unavailable:
      advice =
        """
        Is roostd running at \(endpoint)? Start it with: roostd
        Another server: --endpoint or ROOST_ENDPOINT.
        """ + Self.adviceOnOutcome(error)
    case .deadlineExceeded:
      let timeout = settings.map { DurationText.text(milliseconds: $0.timeoutMilliseconds) } ?? "?"
      advice =
        """
        No answer from \(endpoint) within \(timeout).
        Allow more time with --timeout or ROOST_TIMEOUT.
        """ + Self.adviceOnOutcome(error)
    case .unauthenticated:
      // The server's words are for programs that make calls.
      let hasToken = settings?.token.token?.isEmpty == false
      message = hasToken ? "the token is wrong, expired or revoked" : "the server wants a token"
      advice = Self.adviceOnTokens(settings)
    case .permissionDenied: advice = "roost whoami shows what the token may do."
    case .aborted:
      advice = "roost get KEY -o json shows the entry as it is now."
    case .alreadyExists: advice = "Leave --if-absent out to overwrite it."
    case .notFound:
      advice = "Nothing is there to change: leave --if-exists out, or store it with roost set."
    case .resourceExhausted:
      advice = "Send or ask for less at once; roostd --help names the limits of the server."
    case .unimplemented:
      advice = "The server at \(endpoint) does not offer this: roost status shows its version."
    case .internal, .dataLoss: advice = "The log of roostd says more."
    // The server's words depend on the call, and say it best.
    case .ok, .cancelled, .unknown, .invalidArgument, .failedPrecondition, .outOfRange:
      advice = nil
    }
    self.init(status, message, advice: advice)
  }

  /// Whether the server itself said that it cannot do it now. Else nobody answered: the connection
  /// could not be made, or it was lost.
  private static func isAnswer(_ error: RPCError) -> Bool {
    !error.isOutcomeUnknown && !error.message.hasPrefix("cannot connect to ")
  }

  private static func adviceOnOutcome(_ error: RPCError) -> String {
    error.isOutcomeUnknown
      ? "\nA write may have happened all the same: look before you repeat it." : ""
  }

  private static func adviceOnTokens(_ settings: ConnectionSettings?) -> String {
    guard let source = settings?.token else { return "Give a token with --token-file." }
    let found =
      source.token?.isEmpty != false
      ? "No token was sent; looked in \(source.origin)."
      : "The token came from \(source.origin)."
    return """
      \(found)
      Give another with --token-file, ROOST_TOKEN or ROOST_TOKEN_FILE.
      roostd writes a full-rights token to <data-dir>/admin.token at its first start; \
      more: roostd token create
      """
  }

  private static func words(_ code: StatusCode) -> String {
    switch code {
    case .ok: "done"
    case .cancelled: "the call was cancelled"
    case .unknown: "the server failed without saying why"
    case .invalidArgument: "the server refused the request as invalid"
    case .deadlineExceeded: "no answer in time"
    case .notFound: "not found"
    case .alreadyExists: "the key exists already"
    case .permissionDenied: "the token may not do this"
    case .resourceExhausted: "a limit of the server was reached"
    case .failedPrecondition: "the key does not hold what this needs"
    case .aborted: "the entry has changed"
    case .outOfRange: "out of range"
    case .unimplemented: "the server does not know this call"
    case .internal: "the server failed"
    case .unavailable: "the server cannot be reached"
    case .dataLoss: "stored data is damaged"
    case .unauthenticated: "the server does not accept the token"
    }
  }
}
