import CProtobufC
import ProtobufC

/// One method with what turns JSON into its requests and its answers into JSON, for callers that
/// know it only by name; generated registries list them.
///
/// Sendable without a check: the pointers are to libprotobuf-c's constants.
public struct MethodCodec: @unchecked Sendable {
  /// Names the method.
  public let descriptor: MethodDescriptor
  /// The request's type.
  public let request: UnsafePointer<ProtobufCMessageDescriptor>
  /// The answer's type.
  public let response: UnsafePointer<ProtobufCMessageDescriptor>

  /// Of a generated method.
  public init<Request: Message, Response: Message>(_ method: Method<Request, Response>) {
    descriptor = method.descriptor
    request = Request.View.descriptor
    response = Response.View.descriptor
  }

  /// The encoded request of a JSON object; see `MessageJSON` for the mapping.
  /// - Throws: `JSONError`, which names the path to what is wrong.
  public func encodeJSON(_ json: String) throws(JSONError) -> [UInt8] {
    try MessageJSON.encode(json, as: request)
  }

  /// The JSON object of an encoded answer.
  /// - Throws: `DecodeError`.
  public func decodeToJSON(_ bytes: [UInt8], pretty: Bool) throws(DecodeError) -> String {
    try MessageJSON.decode(bytes, as: response, pretty: pretty)
  }

  /// A request in JSON with every field, to be filled in; of a oneof the first member.
  public var requestTemplate: String { MessageJSON.template(of: request) }
}
