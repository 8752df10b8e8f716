import CProtobufC

/// proto3's JSON mapping of any message, by its descriptor.
///
/// `bytes` are base64, 64-bit integers strings, enums their names; on input a 64-bit integer may
/// be a number, an enum its number, a field named as in the proto file. Fields at their default
/// are left out on output. A name that the type does not have is an error. Custom `json_name`
/// options and the special forms of `google.protobuf` types are not known here.
public enum MessageJSON {
  /// The encoded message of a JSON object.
  /// - Throws: `JSONError`, which names the path to what is wrong.
  public static func encode(
    _ json: String, as type: UnsafePointer<ProtobufCMessageDescriptor>
  ) throws(JSONError) -> [UInt8] {
    let arena = Arena(blockBytes: 4096, retainedBytes: 0, budgetBytes: Arena.trustedBudgetBytes)
    let message = try MessageJSONReader(arena: arena).read(try JSONParser.parse(json), as: type)
    // The arena, which owns the message, must outlive the packing.
    return withExtendedLifetime(arena) {
      [UInt8](unsafeUninitializedCapacity: protobuf_c_message_get_packed_size(message)) {
        buffer, count in
        if let base = buffer.baseAddress { count = protobuf_c_message_pack(message, base) }
      }
    }
  }

  /// The JSON object of an encoded message, on one line, or on many where it is `pretty`.
  /// - Throws: `malformed`, `invalidUTF8`, `overBudget`.
  public static func decode(
    _ bytes: [UInt8], as type: UnsafePointer<ProtobufCMessageDescriptor>, pretty: Bool = false
  ) throws(DecodeError) -> String {
    let arena = Arena(blockBytes: 4096, retainedBytes: 0, budgetBytes: Arena.trustedBudgetBytes)
    guard let message = protobuf_c_message_unpack(type, arena.allocator, bytes.count, bytes) else {
      throw arena.exceededBudget ? .overBudget(bytes: arena.budgetBytes) : .malformed
    }
    guard MessageStrings.areValid(in: message) else { throw .invalidUTF8 }
    return withExtendedLifetime(arena) {
      var printer = MessageJSONPrinter(isPretty: pretty)
      printer.print(message)
      return String(decoding: printer.text, as: UTF8.self)
    }
  }

  /// A JSON object with every field of the type, to be filled in; of a oneof the first member.
  public static func template(of type: UnsafePointer<ProtobufCMessageDescriptor>) -> String {
    template(of: type, indent: "")
  }

  private static func template(
    of type: UnsafePointer<ProtobufCMessageDescriptor>, indent: String
  ) -> String {
    let inner = indent + "  "
    var oneofs: Set<Int> = []
    let lines = FieldAccess.all(of: type).compactMap { field -> String? in
      if field.isInOneof && !oneofs.insert(field.quantifierOffset).inserted { return nil }
      let value = placeholder(field, indent: inner)
      return "\(inner)\"\(field.jsonName)\": \(field.isRepeated ? "[\(value)]" : value)"
    }
    return lines.isEmpty ? "{}" : "{\n\(lines.joined(separator: ",\n"))\n\(indent)}"
  }

  private static func placeholder(_ field: FieldAccess, indent: String) -> String {
    switch field.descriptor.type {
    case PROTOBUF_C_TYPE_MESSAGE: return template(of: field.messageDescriptor, indent: indent)
    case PROTOBUF_C_TYPE_STRING, PROTOBUF_C_TYPE_BYTES: return "\"\""
    case PROTOBUF_C_TYPE_BOOL: return "false"
    case PROTOBUF_C_TYPE_ENUM: return field.enumName(of: 0).map { "\"\($0)\"" } ?? "0"
    case PROTOBUF_C_TYPE_INT64, PROTOBUF_C_TYPE_SINT64, PROTOBUF_C_TYPE_SFIXED64,
      PROTOBUF_C_TYPE_UINT64, PROTOBUF_C_TYPE_FIXED64:
      return "\"0\""
    default: return "0"
    }
  }
}
