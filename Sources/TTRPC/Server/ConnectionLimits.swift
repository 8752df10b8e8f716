/// How much one connection may ask for, and one event loop may take on.
public struct ConnectionLimits: Sendable, Hashable {
  /// Bytes of a request's metadata as they are encoded; over it a call is RESOURCE_EXHAUSTED.
  public var maxMetadataBytes = 8 << 10
  /// Calls of one connection that were started and not answered, or whose answers are held back;
  /// over it a call is RESOURCE_EXHAUSTED. Calls that are answered in the tick in which they come
  /// do not count.
  public var maxCallsPerConnection = 1_024
  /// The same for all connections of one event loop; over it a call is UNAVAILABLE, with a delay
  /// after which to repeat it.
  public var maxCallsPerLoop = 65_536
  /// Bytes of answers that a peer may leave unread; a connection that exceeds it is closed.
  public var maxUnreadBytes = 8 << 20

  /// The defaults.
  public init() {}

  /// With so many bytes unread or held back no more calls of the connection are executed, and no
  /// more of its bytes are read, until the peer has read or the gate has opened. One more answer of
  /// the largest size still fits.
  public var pauseBytes: Int {
    let spare = FrameHeader.byteCount + FrameHeader.maxDataBytes + Self.refusalReserveBytes
    return max(maxUnreadBytes - spare, maxUnreadBytes / 4)
  }

  /// Up to here answers of deferred calls are taken; the rest is room for refusals.
  var deferredBytes: Int { max(maxUnreadBytes - Self.refusalReserveBytes, pauseBytes) }

  /// Refusals are not held back; this is room for those of one tick.
  private static let refusalReserveBytes = 1 << 20
}
