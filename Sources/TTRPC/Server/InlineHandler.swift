import CProtobufC
import ProtobufC

/// A unary handler that answers on the calling event loop from borrowed bytes. Made once per
/// loop and confined to it, so it owns its scratch memory without a lock.
///
/// In one tick every call of every ready connection is prepared, then each is prefetched, then
/// each is executed, in the order in which the calls came. A call of a connection that is closed
/// or paused in between is prepared and never executed, or prepared again in a later tick.
public protocol InlineHandler: AnyObject {
  /// Decodes the request into the loop's arena and computes what needs no shared state (hashes);
  /// may prefetch; touches nothing shared. May refuse the call (`call.refuse`).
  func prepare(_ call: inout InlineCall)
  /// Prefetches what `prepare`'s prefetches made cheap to find.
  func prefetch(_ call: inout InlineCall)
  /// Does the work and answers exactly once, now or through `response.deferred()`.
  func execute(_ call: inout InlineCall, _ response: inout ResponseWriter)
}

extension InlineHandler {
  /// Nothing.
  public func prefetch(_ call: inout InlineCall) {}
}
