/// What the transport knows of a failed call beside its code: whether it may have been executed all
/// the same, and whether another attempt can do better. It says so in the error's details, as a
/// `google.rpc.ErrorInfo`, so that it survives every layer between.
extension RPCError {
  /// The call had been sent and no answer came: it may have taken effect, or may do so yet.
  ///
  /// `false`: it has an answer from the server, or it was never sent.
  public var isOutcomeUnknown: Bool { details.contains(ClientErrorInfo.outcomeUnknown) }

  /// The same error, with `isOutcomeUnknown`.
  public func withUnknownOutcome() -> RPCError {
    guard !isOutcomeUnknown else { return self }
    return RPCError(code, message, details: details + [ClientErrorInfo.outcomeUnknown])
  }

  /// The client itself is closed, so that no further attempt through it can succeed. The call was
  /// not sent.
  public var isClientClosed: Bool { details.contains(ClientErrorInfo.clientClosed) }

  /// `unavailable`, with `isClientClosed`: for transports.
  public static func clientClosed(_ message: String) -> RPCError {
    RPCError(.unavailable, message, details: [ClientErrorInfo.clientClosed])
  }
}

/// `google.rpc.ErrorInfo {reason: …, domain: "ttrpc.client"}`, encoded. Field numbers after
/// googleapis' `google/rpc/error_details.proto`.
private enum ClientErrorInfo {
  static let outcomeUnknown = detail("OUTCOME_UNKNOWN")
  static let clientClosed = detail("CLIENT_CLOSED")

  private static func detail(_ reason: StaticString) -> StatusDetail {
    StatusDetail(
      typeURL: "type.googleapis.com/google.rpc.ErrorInfo",
      value: field(1, reason) + field(2, "ttrpc.client"))
  }

  /// A length-delimited field; both texts are shorter than 128 bytes.
  private static func field(_ number: UInt8, _ text: StaticString) -> [UInt8] {
    [number << 3 | 2, UInt8(text.utf8CodeUnitCount)]
      + UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount)
  }
}
