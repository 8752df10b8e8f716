import TTRPC

/// How a call of a `RoostClient` failed.
///
/// Absence is not an error: a read of a missing key gives `nil`.
public struct RoostError: Error, Sendable, Hashable, CustomStringConvertible {
  /// The value that was read has another type than was asked for.
  public struct TypeMismatch: Sendable, Hashable {
    /// What the key holds.
    public let stored: RoostValue.Kind
    /// The Swift type that was asked for.
    public let requested: String
  }

  /// The status: the server's, or the client's own where no answer came. A type mismatch is
  /// `failedPrecondition`, as it is where the server notices.
  public var code: StatusCode
  /// What was wrong, for developers.
  public var message: String
  /// More, for programs.
  public var details: [StatusDetail]
  /// Set where that was the reason.
  public var typeMismatch: TypeMismatch?

  /// A failure of this client's own.
  public init(_ code: StatusCode, _ message: String) {
    self.code = code
    self.message = message
    self.details = []
  }

  /// What the call below failed with.
  public init(_ error: RPCError) {
    code = error.code
    message = error.message
    details = error.details
  }

  /// The call had been sent and no answer came: it may have taken effect, or may do so yet.
  public var isOutcomeUnknown: Bool {
    RPCError(code, message, details: details).isOutcomeUnknown
  }

  /// Code and message.
  public var description: String { "\(code): \(message)" }
}
