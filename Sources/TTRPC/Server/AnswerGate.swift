/// Says when answers may leave that were held back (`ResponseWriter.hold`). Safe from any thread.
///
/// Marks are numbers that something outside counts up, for instance positions in a log that become
/// durable one after the other. Whoever moves the mark, or comes to refuse one, calls the `wake` of
/// each loop afterwards.
public protocol AnswerGate: AnyObject, Sendable {
  /// Answers held until a mark up to this, inclusive, may leave. Only grows. Read a few times a
  /// tick.
  var openMark: Int64 { get }
  /// Why the mark will not be reached soon, so that answers which wait for it fail with this now;
  /// nil: they wait on. Where a mark is not refused, no lower one is. Asked only while answers are
  /// held beyond their tick, and only when the loop was woken or every 100 ms.
  func refusal(of mark: Int64) -> RPCError?
}

/// What one tick did, for the hook between executing and writing.
public struct TickSummary: Sendable {
  /// Calls that were executed in this tick, refused ones included.
  public var callCount: Int
  /// Of these, those whose answers are held back and may not leave yet.
  public var heldCount: Int
  /// The highest mark that a held answer of this loop waits for, of this tick or of an earlier one;
  /// 0: none waits. Where a caller has just given up, it may be the mark of that call.
  public var heldMark: Int64
  /// Whether the server drains.
  public var isDraining: Bool

  /// For tests of hooks.
  public init(callCount: Int, heldCount: Int, heldMark: Int64, isDraining: Bool) {
    self.callCount = callCount
    self.heldCount = heldCount
    self.heldMark = heldMark
    self.isDraining = isDraining
  }
}
