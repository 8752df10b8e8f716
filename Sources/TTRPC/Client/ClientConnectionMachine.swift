/// Names one call of a client among those that are waiting or in flight; never reused.
public struct CallID: Sendable, Hashable {
  let index: UInt32
  let generation: UInt32
}

/// How one call ended.
public struct ClientAnswer: Sendable {
  /// The call.
  public let call: CallID
  /// The encoded message, or the status.
  public let result: Result<[UInt8], RPCError>
}

/// The client's side of one connection: which stream carries which call, and what the server's
/// bytes mean. It does no I/O and knows no time.
///
/// 1. Stream IDs are odd and rise by two, from 1. None is used twice: before they run out
///    (`isUsedUp`) another connection has to take over.
/// 2. `streams` holds each ID that was sent and not answered. Its call is absent where the caller
///    has given up; the answer is still to come then, and is dropped.
/// 3. After a failure nothing is sent or read any more.
public struct ClientConnectionMachine: ~Copyable {
  /// What one connection may carry.
  public struct Limits: Sendable, Hashable {
    /// Sent and not answered, abandoned ones included.
    public var maxCallsInFlight: Int
    /// In all, at most 2^30: IDs are odd and have 31 bits, since known servers keep them signed.
    public var maxCalls: Int

    /// A server's limit of calls in flight is 1,024 as a rule.
    public init(maxCallsInFlight: Int = 1000, maxCalls: Int = 1 << 30) {
      precondition(maxCallsInFlight > 0 && maxCalls > 0)
      self.maxCallsInFlight = maxCallsInFlight
      self.maxCalls = min(maxCalls, 1 << 30)
    }
  }

  private let limits: Limits
  private var reader = ClientFrameReader()
  private let envelope = ResponseEnvelope()
  private var streams: [UInt32: CallID?] = [:]
  private var sentCount = 0
  private var abandonedCount = 0
  private var failure: RPCError?

  /// A connection that has just been opened.
  public init(limits: Limits = Limits()) { self.limits = limits }

  /// Calls that somebody waits for.
  public var callCount: Int { streams.count - abandonedCount }

  /// Whether a call may be sent now.
  public var canSend: Bool {
    failure == nil && streams.count < limits.maxCallsInFlight && !isUsedUp
  }

  /// Whether another connection has to take over: the IDs have run out, or half of what may be in
  /// flight is answers that nobody waits for and that do not come.
  public var isUsedUp: Bool {
    sentCount >= limits.maxCalls || abandonedCount > limits.maxCallsInFlight / 2
  }

  /// Sends a call; `canSend` must hold.
  /// - Parameter timeoutNanos: what is left of the deadline, at least 1; `nil`: there is none.
  /// - Returns: the stream that carries it.
  public mutating func send(
    _ request: OutgoingRequest, call: CallID, timeoutNanos: Int64?,
    into sink: inout some ByteSink
  ) -> UInt32 {
    precondition(canSend)
    let streamID = UInt32(sentCount) * 2 + 1
    sentCount += 1
    streams[streamID] = .some(call)
    request.write(streamID: streamID, timeoutNanos: timeoutNanos, into: &sink)
    return streamID
  }

  /// The caller of a stream in flight has given up. The protocol has no way to tell the server;
  /// its answer, when it comes, is dropped.
  public mutating func abandon(_ streamID: UInt32) {
    guard let call = streams[streamID], call != nil else { return }
    streams[streamID] = .some(nil)
    abandonedCount += 1
  }

  /// Takes bytes from the server, split in any way.
  /// - Parameter answers: gets the calls that they end.
  /// - Returns: why the connection has to be closed; `nil`: it goes on. The calls that are in
  ///   flight then have no answer (see `close`).
  public mutating func receive(
    _ bytes: UnsafeRawBufferPointer, answers: inout [ClientAnswer]
  ) -> RPCError? {
    var input = bytes
    while failure == nil {
      switch reader.next(&input) {
      case .needsMore: return nil
      case .frame(let header, let data):
        accept(header, answers: &answers) { $0.decode(data) }
      case .oversized(let header):
        accept(header, answers: &answers) { _ in
          .failure(
            RPCError(
              .resourceExhausted,
              "the answer takes \(header.dataByteCount) bytes; a frame holds"
                + " \(FrameHeader.maxDataBytes)"))
        }
      case .unreadable(let dataByteCount):
        fail("sent a frame of \(dataByteCount) bytes")
      }
    }
    return failure
  }

  /// The connection is gone.
  /// - Returns: the calls that were in flight. Whether the server executed them is unknown.
  public mutating func close() -> [CallID] {
    if failure == nil { failure = RPCError(.unavailable, "the connection was closed") }
    let calls = streams.values.compactMap { $0 }
    streams = [:]
    abandonedCount = 0
    return calls
  }

  /// Whether a close now would cut a frame in two.
  public var isInsideFrame: Bool { reader.isInsideFrame }

  private mutating func accept(
    _ header: FrameHeader, answers: inout [ClientAnswer],
    _ result: (ResponseEnvelope) -> Result<[UInt8], RPCError>
  ) {
    guard header.kind == .response else {
      return fail("sent a frame of type \(header.kind.rawValue) for a unary call")
    }
    guard let call = streams.removeValue(forKey: header.streamID) else {
      return fail("answered stream \(header.streamID), on which no call is in flight")
    }
    if let call {
      answers.append(ClientAnswer(call: call, result: result(envelope)))
    } else {
      abandonedCount -= 1
    }
  }

  private mutating func fail(_ reason: String) {
    failure = RPCError(.unavailable, "the server broke the protocol: it \(reason)")
  }
}
