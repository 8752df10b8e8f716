/// A client's calls from their start to their end, whichever connection carries them: the queue
/// of those that wait to be sent, and everybody's deadlines. It does no I/O; times are
/// nanoseconds of one monotonic clock.
///
/// `Handle` is how the transport finds the caller.
///
/// 1. Each call is waiting (it holds its request, and is linked between `firstWaiting` and
///    `lastWaiting`) or sent (it has a place).
/// 2. `waitingCount` and `waitingBytes` are exactly those of the queue, and within the limits.
/// 3. A slot's generation grows when its call ends, so an ID of the past finds nothing.
public struct CallTable<Handle> {
  /// What may wait.
  public struct Limits: Sendable, Hashable {
    /// Calls.
    public var maxWaitingCalls: Int
    /// Of their requests.
    public var maxWaitingBytes: Int

    /// 65,536 calls and 64 MiB.
    public init(maxWaitingCalls: Int = 65_536, maxWaitingBytes: Int = 64 << 20) {
      self.maxWaitingCalls = maxWaitingCalls
      self.maxWaitingBytes = maxWaitingBytes
    }
  }

  /// Where a call was sent.
  public struct Place: Sendable, Hashable {
    /// The transport's number for the connection.
    public var connection: Int
    /// The stream on it.
    public var streamID: UInt32

    /// A stream of a connection.
    public init(connection: Int, streamID: UInt32) {
      self.connection = connection
      self.streamID = streamID
    }
  }

  /// A call that has left the table.
  public struct Ended {
    /// The caller.
    public let handle: Handle
    /// Where it was sent; `nil`: it was not.
    public let place: Place?
  }

  /// The next call to send.
  public struct Waiting {
    /// The call.
    public let id: CallID
    /// Its request.
    public let request: OutgoingRequest
    /// When its caller gives up; `nil`: never.
    public let deadline: UInt64?
  }

  private struct Slot {
    var generation: UInt32 = 0
    var handle: Handle?
    var request: OutgoingRequest?
    var deadline: UInt64?
    var place: Place?
    var previous = none
    var next = none
  }

  private static var none: Int { -1 }

  private let limits: Limits
  private var slots: [Slot] = []
  private var freeSlots: [Int] = []
  private var deadlines = CallDeadlines()
  private var firstWaiting = none
  private var lastWaiting = none

  /// Calls that wait to be sent.
  public private(set) var waitingCount = 0
  /// Their requests' bytes.
  public private(set) var waitingBytes = 0

  /// No calls.
  public init(limits: Limits = Limits()) { self.limits = limits }

  /// All calls, waiting or sent.
  public var count: Int { slots.count - freeSlots.count }

  /// The earliest deadline of all calls.
  public var earliestDeadline: UInt64? { deadlines.earliest }

  /// Puts a call at the end of the queue.
  /// - Parameter isFirst: puts it at the front instead, and admits it over the limits.
  /// - Throws: `resourceExhausted` where the queue is full.
  public mutating func admit(
    _ handle: Handle, _ request: OutgoingRequest, deadline: UInt64?, isFirst: Bool = false
  ) throws(RPCError) -> CallID {
    if !isFirst {
      guard waitingCount < limits.maxWaitingCalls else {
        throw RPCError(.resourceExhausted, "\(waitingCount) calls wait to be sent: too many")
      }
      guard waitingBytes + request.byteCount <= limits.maxWaitingBytes || waitingCount == 0 else {
        throw RPCError(.resourceExhausted, "\(waitingBytes) bytes wait to be sent: too many")
      }
    }
    let index = freeSlots.popLast() ?? slots.count
    if index == slots.count { slots.append(Slot()) }
    slots[index].handle = handle
    slots[index].request = request
    slots[index].deadline = deadline
    if let deadline { deadlines.insert(deadline, key: index) }
    link(index, isFirst: isFirst)
    waitingBytes += request.byteCount
    return CallID(index: UInt32(index), generation: slots[index].generation)
  }

  /// The call at the front of the queue.
  public var nextWaiting: Waiting? {
    guard firstWaiting != Self.none, let request = slots[firstWaiting].request else { return nil }
    let slot = slots[firstWaiting]
    return Waiting(
      id: CallID(index: UInt32(firstWaiting), generation: slot.generation), request: request,
      deadline: slot.deadline)
  }

  /// The waiting call has been sent.
  public mutating func markSent(_ id: CallID, place: Place) {
    let index = Int(id.index)
    precondition(slots[index].generation == id.generation && slots[index].request != nil)
    unlink(index)
    slots[index].place = place
  }

  /// The call has ended.
  /// - Returns: `nil`: it had ended before.
  public mutating func end(_ id: CallID) -> Ended? {
    let index = Int(id.index)
    guard index < slots.count, slots[index].generation == id.generation else { return nil }
    return end(at: index)
  }

  /// Ends one call whose deadline is not after `now`.
  /// - Returns: `nil`: there is no such call.
  public mutating func endExpired(_ now: UInt64) -> Ended? {
    deadlines.popExpired(now).flatMap { end(at: $0) }
  }

  /// Ends the call at the front of the queue.
  /// - Returns: `nil`: no call waits.
  public mutating func endFirstWaiting() -> Ended? {
    firstWaiting == Self.none ? nil : end(at: firstWaiting)
  }

  private mutating func end(at index: Int) -> Ended? {
    guard let handle = slots[index].handle else { return nil }
    unlink(index)
    deadlines.remove(key: index)
    let place = slots[index].place
    slots[index].handle = nil
    slots[index].place = nil
    slots[index].deadline = nil
    slots[index].generation &+= 1
    freeSlots.append(index)
    return Ended(handle: handle, place: place)
  }

  private mutating func link(_ index: Int, isFirst: Bool) {
    slots[index].previous = isFirst ? Self.none : lastWaiting
    slots[index].next = isFirst ? firstWaiting : Self.none
    if slots[index].previous == Self.none {
      firstWaiting = index
    } else {
      slots[lastWaiting].next = index
    }
    if slots[index].next == Self.none {
      lastWaiting = index
    } else {
      slots[slots[index].next].previous = index
    }
    waitingCount += 1
  }

  /// Takes a waiting call out of the queue, and drops its request.
  private mutating func unlink(_ index: Int) {
    guard let request = slots[index].request else { return }
    let (previous, next) = (slots[index].previous, slots[index].next)
    if previous == Self.none { firstWaiting = next } else { slots[previous].next = next }
    if next == Self.none { lastWaiting = previous } else { slots[next].previous = previous }
    slots[index].request = nil
    waitingCount -= 1
    waitingBytes -= request.byteCount
  }
}
