import ProtobufC

/// One call of a tick: a plain value in the tick's array, without reference counting. Valid until
/// the tick ends, and so is all that it points to.
public struct InlineCall {
  /// The request message, encoded. It lies in the connection's input.
  public internal(set) var payload: UnsafeRawBufferPointer
  /// When the call's time is up, on the monotonic clock; `.max`: never.
  public internal(set) var deadlineNanos: UInt64
  /// Who calls, as an interceptor found. Whoever sets it keeps it alive until the tick ends.
  public var attachment: Unmanaged<AnyObject>?
  /// The handler's own: its decoded request.
  public var message: UnsafeMutableRawPointer?
  /// The handler's own, between its phases.
  public var words: (UInt64, UInt64) = (0, 0)

  /// The connection's machine.
  let machine: UnsafeMutablePointer<ServerConnection>
  /// The frame's header, with its data behind it.
  let frame: UnsafeRawPointer
  /// `nil` where there is no such method, or the frame was no request: then it is refused.
  var registered: Unmanaged<RegisteredMethod>?
  var refusal: Unmanaged<Refusal>?
  /// The envelope's fields from the first metadata pair to the last.
  let metadataFields: UnsafeRawBufferPointer
  let streamID: UInt32
  /// Bytes of data in its frame.
  let requestBytes: UInt32

  /// The method that is called.
  public var method: MethodDescriptor { MethodDescriptor(registered) }

  /// What the caller sent beside the request.
  @inline(__always)
  public var metadata: MetadataView { MetadataView(unsafe: metadataFields) }

  /// The connection that the call came on.
  @inline(__always)
  public var connection: ServerConnectionContext { machine.pointee.context }

  /// The connection's `unsafeAttachment`, without counting a reference to the connection.
  public var unsafeConnectionAttachment: Unmanaged<AnyObject>? {
    machine.pointee.context.unsafeAttachment
  }

  /// Lets the call fail instead of being executed. Interceptors run before, and may refuse it
  /// with another status. The first refusal counts.
  public mutating func refuse(_ code: StatusCode, _ message: String) {
    refuse(RPCError(code, message))
  }

  /// Lets the call fail instead of being executed.
  @inline(never)
  mutating func refuse(_ error: RPCError) {
    guard refusal == nil else { return }
    refusal = Unmanaged.passRetained(Refusal(error))
  }
}

/// Why a call is not executed. Released when its call was answered or put back.
final class Refusal {
  let error: RPCError
  init(_ error: RPCError) { self.error = error }
}

extension MethodDescriptor {
  /// The method's; empty names where there is none.
  init(_ registered: Unmanaged<RegisteredMethod>?) {
    guard let registered else {
      self.init(service: "", name: "")
      return
    }
    self = registered._withUnsafeGuaranteedRef { $0.descriptor }
  }
}
