/// Whether a failed call may have been executed all the same. The transport says so in the
/// error's details, as a `google.rpc.ErrorInfo`, so that it survives every layer between.
extension RPCError {
  /// The call had been sent and no answer came: it may have taken effect, or may do so yet.
  ///
  /// `false`: it has an answer from the server, or it was never sent.
  public var isOutcomeUnknown: Bool { details.contains(OutcomeUnknown.detail) }

  /// The same error, with `isOutcomeUnknown`.
  public func withUnknownOutcome() -> RPCError {
    guard !isOutcomeUnknown else { return self }
    return RPCError(code, message, details: details + [OutcomeUnknown.detail])
  }
}

/// `google.rpc.ErrorInfo {reason: "OUTCOME_UNKNOWN", domain: "ttrpc.client"}`, encoded. Field
/// numbers after googleapis' `google/rpc/error_details.proto`.
private enum OutcomeUnknown {
  static let detail = StatusDetail(
    typeURL: "type.googleapis.com/google.rpc.ErrorInfo",
    value: field(1, "OUTCOME_UNKNOWN") + field(2, "ttrpc.client"))

  /// A length-delimited field; both texts are shorter than 128 bytes.
  private static func field(_ number: UInt8, _ text: StaticString) -> [UInt8] {
    [number << 3 | 2, UInt8(text.utf8CodeUnitCount)]
      + UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount)
  }
}
