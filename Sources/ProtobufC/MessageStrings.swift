import CProtobufC

/// What libprotobuf-c leaves undone about `string` fields: it checks no UTF-8, and encodes them
/// only up to their first NUL byte.
public enum MessageStrings {
  /// Whether every `string` of a decoded message, and of the messages in it, is valid UTF-8. The
  /// walk is as deep as the message's type: recursive types are not supported.
  public static func areValid(in message: UnsafePointer<ProtobufCMessage>) -> Bool {
    let descriptor = message.pointee.descriptor.pointee
    let fields = UnsafeBufferPointer(start: descriptor.fields, count: Int(descriptor.n_fields))
    return fields.allSatisfy { field in
      guard field.type == PROTOBUF_C_TYPE_STRING || field.type == PROTOBUF_C_TYPE_MESSAGE else {
        return true
      }
      return isValid(field, in: UnsafeRawPointer(message))
    }
  }

  private static func isValid(
    _ field: ProtobufCFieldDescriptor, in message: UnsafeRawPointer
  ) -> Bool {
    let member = message + Int(field.offset)
    let quantifier = message + Int(field.quantifier_offset)
    if field.label == PROTOBUF_C_LABEL_REPEATED {
      let count = quantifier.load(as: Int.self)
      guard count > 0 else { return true }
      let elements = member.load(as: UnsafeRawPointer.self)
      return (0..<count).allSatisfy { isValid(field.type, at: elements + $0 * elementBytes) }
    }
    if field.flags & PROTOBUF_C_FIELD_FLAG_ONEOF.rawValue != 0,
      quantifier.load(as: UInt32.self) != field.id
    {
      return true
    }
    return isValid(field.type, at: member)
  }

  private static let elementBytes = MemoryLayout<UnsafeRawPointer>.stride

  private static func isValid(_ type: ProtobufCType, at member: UnsafeRawPointer) -> Bool {
    guard let pointer = member.load(as: UnsafeRawPointer?.self) else { return true }
    if type == PROTOBUF_C_TYPE_MESSAGE {
      return areValid(in: pointer.assumingMemoryBound(to: ProtobufCMessage.self))
    }
    return isValidUTF8(bytes(of: pointer.assumingMemoryBound(to: CChar.self)))
  }

  /// A decoded string's bytes, without the NUL byte behind them.
  @inlinable public static func bytes(
    of string: UnsafePointer<CChar>?
  ) -> UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(start: string, count: protobuf_c_arena_string_length(string))
  }

  /// Whether the bytes are well-formed UTF-8 (Unicode 15, table 3-7).
  public static func isValidUTF8(_ bytes: UnsafeRawBufferPointer) -> Bool {
    guard let base = bytes.baseAddress else { return true }
    if isASCII(bytes) { return true }
    let start = base.assumingMemoryBound(to: UInt8.self)
    return String(
      validating: UnsafeBufferPointer(start: start, count: bytes.count), as: UTF8.self) != nil
  }

  private static func isASCII(_ bytes: UnsafeRawBufferPointer) -> Bool {
    var bits: UInt64 = 0
    var index = 0
    while index + 8 <= bytes.count {
      bits |= bytes.loadUnaligned(fromByteOffset: index, as: UInt64.self)
      index += 8
    }
    while index < bytes.count {
      bits |= UInt64(bytes[index])
      index += 1
    }
    return bits & 0x8080_8080_8080_8080 == 0
  }
}
