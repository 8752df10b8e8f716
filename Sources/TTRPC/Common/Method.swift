import ProtobufC

/// Which side of a call sends more than one message.
@frozen public enum CallKind: UInt8, Sendable, Hashable {
  case unary, clientStreaming, serverStreaming, bidirectional
}

/// Names one method: `service` is the full name, as in `roost.v1.KV`.
public struct MethodDescriptor: Sendable, Hashable {
  /// The full name of the service.
  public let service: String
  /// The name of the method within its service.
  public let name: String
  /// Which side streams.
  public let kind: CallKind
  public init(service: String, name: String, kind: CallKind = .unary) {
    self.service = service
    self.name = name
    self.kind = kind
  }
}

/// A method with its message types; generated.
public struct Method<Request: Message, Response: Message>: Sendable {
  /// Names the method.
  public let descriptor: MethodDescriptor
  public init(_ descriptor: MethodDescriptor) { self.descriptor = descriptor }
}
