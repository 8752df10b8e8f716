import CProtobufC
import ProtobufC

/// Writes the answer of one call into its connection's output. Valid during the handler's
/// `execute`.
///
/// The envelope, `ttrpc.Response`, has two fields: a status, which is left out when it is OK, and
/// the payload. So an OK answer is a tag, a length and the message, which libprotobuf-c packs
/// right behind them, without a copy.
public struct ResponseWriter {
  /// The most that an encoded message may have to fit a frame, in bytes: 4 MiB less the envelope.
  public static let maxMessageBytes = FrameHeader.maxDataBytes - 1 - 4

  /// The most that an encoded message may have to fit a frame, in bytes.
  public var maxMessageBytes: Int { Self.maxMessageBytes }

  private let call: UnsafeMutablePointer<InlineCall>
  private let tick: Unmanaged<ServerTick>
  private let machine: UnsafeMutablePointer<ServerConnection>
  private let streamID: UInt32
  /// `nil`: not answered yet.
  private(set) var code: StatusCode?
  private(set) var isDeferred = false
  private(set) var isHeld = false
  /// What the connection had not sent when the call began: the answer comes behind it.
  private let unsentBefore: Int

  @inline(__always)
  init(_ call: UnsafeMutablePointer<InlineCall>, _ tick: ServerTick, unsentBefore: Int) {
    self.call = call
    self.unsentBefore = unsentBefore
    self.tick = .passUnretained(tick)
    machine = call.pointee.machine
    streamID = call.pointee.streamID
  }

  /// Answers with a message. It is packed before this returns. One that no frame holds makes the
  /// call RESOURCE_EXHAUSTED.
  /// - Parameter maxBytes: the encoded message takes at most this: a bound that is cheap to know.
  ///   A wrong one is a bug that overwrites memory.
  @inline(__always)
  public mutating func respond(_ message: UnsafePointer<ProtobufCMessage>, maxBytes: Int) {
    noteAnswer(.ok)
    // Above this the exact size is cheaper than the memory.
    guard maxBytes < 1 << 14 else { return respondLarge(message) }
    let lengthBytes = maxBytes < 1 << 7 ? 1 : 2
    let start = FrameHeader.byteCount &+ 1 &+ lengthBytes
    let frame = machine.pointee.output.reserve(start &+ maxBytes)
    let payload = (frame + start).assumingMemoryBound(to: UInt8.self)
    let count = protobuf_c_message_pack(message, payload)
    precondition(count <= maxBytes, "a message is larger than its handler said")
    ResponseFrame.finish(
      frame, streamID, payloadBytes: count, reservedLengthBytes: lengthBytes,
      &machine.pointee.output)
  }

  /// Answers with a message that `write` encodes in place.
  /// - Parameters:
  ///   - maxBytes: the encoded message takes at most this. A wrong bound is a bug that overwrites
  ///     memory. Above what a frame holds the call is RESOURCE_EXHAUSTED.
  ///   - write: called at most once, with memory for `maxBytes`; says how many it wrote.
  @inline(__always)
  public mutating func respond(
    unsafeMaxBytes maxBytes: Int, _ write: (UnsafeMutableRawPointer) -> Int
  ) {
    noteAnswer(.ok)
    guard maxBytes <= maxMessageBytes else { return failTooLarge(maxBytes) }
    let lengthBytes = ResponseFrame.lengthBytes(maxBytes)
    let start = FrameHeader.byteCount &+ 1 &+ lengthBytes
    let frame = machine.pointee.output.reserve(start &+ maxBytes)
    let count = write(frame + start)
    precondition(count <= maxBytes, "a message is larger than its handler said")
    ResponseFrame.finish(
      frame, streamID, payloadBytes: count, reservedLengthBytes: lengthBytes,
      &machine.pointee.output)
  }

  @inline(never)
  private mutating func respondLarge(_ message: UnsafePointer<ProtobufCMessage>) {
    let count = protobuf_c_message_get_packed_size(message)
    guard count <= maxMessageBytes else { return failTooLarge(count) }
    let lengthBytes = ResponseFrame.lengthBytes(count)
    let start = FrameHeader.byteCount + 1 + lengthBytes
    let frame = machine.pointee.output.reserve(start + count)
    protobuf_c_message_pack(message, (frame + start).assumingMemoryBound(to: UInt8.self))
    ResponseFrame.finish(
      frame, streamID, payloadBytes: count, reservedLengthBytes: lengthBytes,
      &machine.pointee.output)
  }

  /// Answers with an encoded message. One that no frame holds makes the call RESOURCE_EXHAUSTED.
  public mutating func respond(_ bytes: UnsafeRawBufferPointer) {
    noteAnswer(.ok)
    guard bytes.count <= maxMessageBytes else { return failTooLarge(bytes.count) }
    ResponseFrame.append(bytes, streamID: streamID, to: &machine.pointee.output)
  }

  /// Lets the call fail.
  public mutating func fail(
    _ code: StatusCode, _ message: String, details: [StatusDetail] = []
  ) {
    fail(RPCError(code, message, details: details))
  }

  /// Lets the call fail.
  @inline(never)
  public mutating func fail(_ error: RPCError) {
    noteAnswer(error.code)
    StatusFrame.append(error, streamID: streamID, to: &machine.pointee.output)
  }

  /// Lets the call be answered later, from any thread.
  /// - Parameter isExclusive: later calls of the same connection wait until this one was answered
  ///   or cancelled, or its deadline has passed; so they cannot overtake it, and the connection has
  ///   one such call in flight at most. Other connections go on.
  @inline(never)
  public mutating func deferred(isExclusive: Bool = false) -> DeferredResponse {
    noteAnswer(.unknown)
    isDeferred = true
    return tick._withUnsafeGuaranteedRef { $0.`defer`(call, isExclusive: isExclusive) }
  }

  /// Keeps the answer back until the dispatcher's gate has reached a mark: after `respond` or
  /// `fail`, and at most once. It leaves in this tick where `endOfTick` opens the mark; otherwise
  /// the call stays in flight, with its deadline, and its answer leaves in a later tick, perhaps
  /// after answers of later calls. A mark that is open already costs one comparison; without a gate
  /// every mark is open. Not after `deferred()`: whoever answers later does so when it may.
  @inline(__always)
  public mutating func hold(until mark: Int64) {
    precondition(code != nil && !isDeferred && !isHeld, "an answer is held once, and once written")
    tick._withUnsafeGuaranteedRef { tick in
      guard mark > tick.openMark else { return }
      isHeld = true
      let frameBytes = machine.pointee.output.unsentBytes &- unsentBefore
      tick.hold(call, until: mark, code.unsafelyUnwrapped, frameBytes: frameBytes)
    }
  }

  private mutating func failTooLarge(_ bytes: Int) {
    code = .resourceExhausted
    let error = RPCError.responseTooLarge(bytes: bytes)
    StatusFrame.append(error, streamID: streamID, to: &machine.pointee.output)
  }

  @inline(__always)
  private mutating func noteAnswer(_ code: StatusCode) {
    precondition(self.code == nil, "a call is answered once")
    self.code = code
  }
}

extension RPCError {
  static func responseTooLarge(bytes: Int) -> RPCError {
    RPCError(
      .resourceExhausted,
      "the answer has \(bytes) bytes, a frame holds \(ResponseWriter.maxMessageBytes): "
        + "ask for less at a time")
  }
}
