// Frames that do not become calls of a handler. Each is answered in its turn, as a call that is
// refused.
extension ServerTick {
  /// No request, or not on a client's stream.
  @inline(never)
  func addStray(
    _ header: FrameHeader, _ frame: UnsafeRawPointer,
    _ machine: UnsafeMutablePointer<ServerConnection>
  ) {
    append(header, frame, machine, .stray(header))
  }

  /// The envelope does not decode, or names no method that there is.
  @inline(never)
  func addUnreadable(
    _ header: FrameHeader, _ frame: UnsafeRawPointer,
    _ machine: UnsafeMutablePointer<ServerConnection>, _ envelope: RequestEnvelope
  ) {
    if envelope.isMalformed { return append(header, frame, machine, .malformedEnvelope) }
    if methods.hasService(envelope.service) {
      return append(header, frame, machine, .unknownMethod(envelope.service, envelope.method))
    }
    append(header, frame, machine, .unknownService(envelope.service))
  }

  /// More data than a frame may have.
  @inline(never)
  func addOversized(
    _ header: FrameHeader, _ frame: UnsafeRawPointer,
    _ machine: UnsafeMutablePointer<ServerConnection>
  ) {
    if header.kind == .request, header.streamID & 1 == 1, !claimStream(header.streamID, machine) {
      return close(machine, .streamInUse)
    }
    append(header, frame, machine, .oversizedFrame(header.dataByteCount))
  }

  /// A request of a method that there is, which asks for something else that there is not.
  @inline(never)
  func refuse(
    _ call: UnsafeMutablePointer<InlineCall>, _ header: FrameHeader, _ envelope: RequestEnvelope
  ) {
    if call.pointee.method.kind != .unary { return call.pointee.refuse(.notServed) }
    if header.flags.rawValue != 0 { return call.pointee.refuse(.flagsOfUnaryCall(header.flags)) }
    call.pointee.refuse(
      .metadataTooLarge(envelope.metadataBytes, limit: limits.maxMetadataBytes))
  }

  private func append(
    _ header: FrameHeader, _ frame: UnsafeRawPointer,
    _ machine: UnsafeMutablePointer<ServerConnection>, _ error: RPCError
  ) {
    let nothing = UnsafeRawBufferPointer(start: nil, count: 0)
    let call = nextCallSlot()
    call.initialize(
      to: InlineCall(
        payload: nothing, deadlineNanos: .max, machine: machine, frame: frame, registered: nil,
        refusal: .passRetained(Refusal(error)), metadataFields: nothing,
        streamID: header.streamID, requestBytes: UInt32(truncatingIfNeeded: header.dataByteCount)))
    tickCallCount += 1
  }
}

extension RPCError {
  static let malformedEnvelope = RPCError(
    .invalidArgument, "the request is not the encoding of a ttrpc.Request")
  static let notServed = RPCError(
    .unimplemented, "streaming calls are not served by this version")
  static let drainingServer = RPCError(
    .unavailable, "the server is shutting down; the call was not executed",
    details: [.retry(afterMillis: 100)])
  static let overloadedServer = RPCError(
    .unavailable, "too many calls are in flight on the server; the call was not executed",
    details: [.retry(afterMillis: 100)])
  static let deadlinePassed = RPCError(.deadlineExceeded, "the deadline has passed")
  static let unanswered = RPCError(.internal, "the handler ended without an answer")

  static func stray(_ header: FrameHeader) -> RPCError {
    if header.streamID & 1 == 0 {
      return RPCError(.invalidArgument, "a client's stream ID is odd, not \(header.streamID)")
    }
    if header.kind == .data { return RPCError(.invalidArgument, "no call here takes data") }
    return RPCError(.invalidArgument, "a client sends no frames of type \(header.kind.rawValue)")
  }

  static func oversizedFrame(_ bytes: Int) -> RPCError {
    RPCError(
      .resourceExhausted,
      "the frame has \(bytes) bytes of data, at most \(FrameHeader.maxDataBytes) are allowed")
  }

  static func flagsOfUnaryCall(_ flags: FrameHeader.Flags) -> RPCError {
    RPCError(.invalidArgument, "a unary request has no flags, not \(flags.rawValue)")
  }

  static func metadataTooLarge(_ bytes: Int, limit: Int) -> RPCError {
    RPCError(
      .resourceExhausted, "the metadata has \(bytes) bytes, at most \(limit) are allowed")
  }

  static func tooManyCalls(_ limit: Int) -> RPCError {
    RPCError(
      .resourceExhausted, "\(limit) calls of this connection are in flight: wait for answers")
  }

  static func tooMuchUnread(_ bytes: Int) -> RPCError {
    RPCError(
      .resourceExhausted,
      "\(bytes) bytes of answers are not read yet: read them before asking for more")
  }

  static func unknownService(_ service: UnsafeRawBufferPointer) -> RPCError {
    RPCError(.unimplemented, "service \(printable(service)) is unknown")
  }

  static func unknownMethod(
    _ service: UnsafeRawBufferPointer, _ method: UnsafeRawBufferPointer
  ) -> RPCError {
    RPCError(
      .unimplemented, "method \(printable(method)) of service \(printable(service)) is unknown")
  }

  /// A name that a peer chose, as a message may repeat it.
  private static func printable(_ name: UnsafeRawBufferPointer) -> String {
    let shown = UnsafeRawBufferPointer(rebasing: name.prefix(128))
    return String(decoding: shown, as: UTF8.self).debugDescription
  }
}

extension StatusDetail {
  /// `google.rpc.RetryInfo`: how long to wait before the next attempt.
  /// Field numbers after googleapis' `google/rpc/error_details.proto` and `duration.proto`.
  static func retry(afterMillis millis: UInt64) -> StatusDetail {
    var nanos: [UInt8] = []
    var rest = millis % 1000 * 1_000_000
    while rest >= 0x80 {
      nanos.append(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    let duration = [2 << 3] + nanos + [UInt8(rest)]
    return StatusDetail(
      typeURL: "type.googleapis.com/google.rpc.RetryInfo",
      value: [1 << 3 | 2, UInt8(duration.count)] + duration)
  }
}
