/// What an async handler knows of its call.
public struct ServerCall: Sendable {
  /// The method that is called.
  public var method: MethodDescriptor
  /// What the caller sent beside the request, and what interceptors added.
  public var metadata: Metadata
  /// Who calls.
  public var peer: Peer
  /// When the call's time is up; `nil`: never. The task is cancelled then, and the caller has
  /// DEADLINE_EXCEEDED.
  public var deadline: ContinuousClock.Instant?
  /// What an interceptor attached to the call. It must be safe to share: whoever attaches
  /// something else keeps it from async handlers.
  public var attachment: (any Sendable & AnyObject)?

  /// For tests of handlers too.
  public init(
    method: MethodDescriptor, metadata: Metadata = [:], peer: Peer = .local,
    deadline: ContinuousClock.Instant? = nil, attachment: (any Sendable & AnyObject)? = nil
  ) {
    self.method = method
    self.metadata = metadata
    self.peer = peer
    self.deadline = deadline
    self.attachment = attachment
  }
}
