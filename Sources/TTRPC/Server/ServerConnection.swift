/// Why the server ends a connection.
public enum CloseReason: Sendable, Hashable {
  /// What came is not ttrpc: a frame of 16 MiB or more.
  case notTTRPC
  /// A request used a stream whose call is not answered; a status would answer that call.
  case streamInUse
  /// The peer left more answers unread than it may.
  case unreadAnswers
  /// The peer closed, or the network did.
  case peerClosed
  /// Neither calls nor answers for too long, or half a frame.
  case idle
  /// The server stops.
  case draining
}

/// A call that was started and not answered, or whose answer is held back.
struct PendingCall {
  /// `nil`: its answer is held back, under the call's serial.
  let state: DeferredState?
  let serial: UInt64
  let registered: Unmanaged<RegisteredMethod>?
  let requestBytes: UInt32
  let startedNanos: UInt64
}

/// The server's side of one connection: a machine without I/O. Its driver gives it bytes through
/// `ServerTick.receive`, split anywhere, and sends what is `unsent`. Confined to its loop's
/// thread; it lives at one address from `ServerTick.attach` to `detach`.
///
/// 1. `pending` has an entry for each call that was started and not answered, and for each whose
///    answer is held back beyond its tick; no other call uses the stream meanwhile.
/// 2. While `isStalled`, `input` begins with a frame, and no bytes are received.
/// 3. With a `closeReason` nothing is received any more. What is unsent may still be sent.
/// 4. `heldBytes` is the size of the frames that are held back for it, those of this tick included.
public struct ServerConnection: ~Copyable {
  /// What handlers know of it.
  public let context: ServerConnectionContext
  /// The driver's own.
  public var driver: UnsafeMutableRawPointer?
  /// Why the connection is to be closed once everything was sent, what is held back included, and
  /// where the peer has closed the answers of calls in flight; `nil`: it is not.
  public private(set) var closeReason: CloseReason?
  /// Whether nobody reads answers any more.
  public private(set) var isAbandoned = false

  var output: OutputBuffer
  var heldBytes = 0
  var input = PendingInput()
  var backlog = PendingInput()
  var isStalled = false
  /// When the oldest bytes of the backlog came.
  var backlogNanos: UInt64 = 0
  /// The tick in which the backlog was last decoded.
  var resumedSerial: UInt64 = 0
  var skipBytes = 0
  var isTouched = false
  /// The method that was called last, and how an envelope that calls it begins.
  var lastMethod: Unmanaged<RegisteredMethod>?
  var lastPrefix = UnsafeRawBufferPointer(start: nil, count: 0)
  var streams = TickStreams()
  var pending: [UInt32: PendingCall] = [:]
  /// Of the pending call that the connection's later calls wait for; 0: there is none.
  var exclusiveSerial: UInt64 = 0

  init(_ context: ServerConnectionContext, blocks: UnsafeMutablePointer<OutputBlocks>) {
    self.context = context
    output = OutputBuffer(blocks: blocks)
  }

  /// What the driver is to send; valid until the next call of a mutating method.
  @inline(__always)
  public var unsent: UnsafeRawBufferPointer { output.unsent }

  /// Bytes that were not sent yet.
  @inline(__always)
  public var unsentBytes: Int { output.unsentBytes }

  /// Bytes of answers that the peer has not taken: those not sent yet, and those held back.
  @inline(__always)
  public var unreadBytes: Int { output.unsentBytes &+ heldBytes }

  /// Whether it goes on and has nothing to send, nor anything that waits for that.
  @inline(__always)
  public var isOpenAndEmpty: Bool {
    output.unsentBytes == 0 && closeReason == nil && !isStalled
  }

  /// Notes that the first `bytes` of `unsent` went out.
  @inline(__always)
  public mutating func didSend(_ bytes: Int) { output.didSend(bytes) }

  /// Calls that were started and not answered, or whose answers are held back.
  public var pendingCallCount: Int { pending.count }

  /// Whether frames wait, received and not executed, until the connection goes on.
  public var hasBacklog: Bool { isStalled }

  /// Whether a frame has begun and not ended.
  public var isInsideFrame: Bool { (!input.isEmpty && !isStalled) || skipBytes > 0 }

  /// Whether it is to be closed now. One whose peer has only stopped sending still gets what it is
  /// owed, also of calls in flight.
  public var isAtEnd: Bool {
    guard let closeReason else { return false }
    return isAbandoned || unreadBytes == 0 && (closeReason != .peerClosed || pending.isEmpty)
  }

  /// Whether no answer is missing, neither of a call in flight nor of one that waits.
  public var owesNothing: Bool { pending.isEmpty && output.unsentBytes == 0 && !isStalled }

  /// Whether nothing would be lost if the connection ended now.
  public var isQuiet: Bool {
    pending.isEmpty && output.unsentBytes == 0 && input.isEmpty && skipBytes == 0
  }

  /// Lets the connection end once everything was sent. The first reason counts.
  public mutating func close(_ reason: CloseReason) {
    if closeReason == nil { closeReason = reason }
    input.removeAll()
    backlog.removeAll()
    isStalled = false
    skipBytes = 0
  }

  /// Lets the connection end at once: its calls of this tick are not executed.
  public mutating func abandon(_ reason: CloseReason) {
    close(reason)
    isAbandoned = true
    output.removeAll()
  }
}

/// The streams that a connection used in the current tick, to find one that is used twice.
/// Clients count upwards, so that one comparison is enough; for any other order there is a set.
struct TickStreams {
  private var tick: UInt64 = 0
  private var highest: UInt32 = 0
  private var others: Set<UInt32>?

  /// `false`: the stream was used before in this tick.
  /// - Parameter previous: the streams that were used in this tick so far.
  @inline(__always)
  mutating func insert(
    _ streamID: UInt32, tick: UInt64, previous: () -> Set<UInt32>
  ) -> Bool {
    if self.tick != tick {
      self.tick = tick
      others = nil
    } else if streamID <= highest || others != nil {
      return insertOutOfOrder(streamID, previous)
    }
    highest = streamID
    return true
  }

  @inline(never)
  private mutating func insertOutOfOrder(
    _ streamID: UInt32, _ previous: () -> Set<UInt32>
  ) -> Bool {
    if others == nil { others = previous() }
    return others?.insert(streamID).inserted ?? true
  }
}
