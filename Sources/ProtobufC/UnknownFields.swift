import CProtobufC

/// Fields that are handed to libprotobuf-c already encoded: it writes a message's unknown fields
/// as they are, behind the known ones. That is how values pass which it would cut or leave out.
@usableFromInline enum UnknownFields {
  private struct Field {
    var wireType: ProtobufCWireType
    var encoded: [UInt8]
  }

  /// Length-delimited fields of the same number, in order.
  static func append<CMessage>(
    _ strings: [String], field number: Int, to message: UnsafeMutablePointer<CMessage>,
    in arena: Arena
  ) throws(DecodeError) {
    let fields = strings.map { string in
      Field(
        wireType: PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED,
        encoded: varint(string.utf8.count) + string.utf8)
    }
    try append(fields, number: number, to: message, in: arena)
  }

  /// -0.0 as eight or four bytes.
  @usableFromInline static func appendMinusZero<CMessage>(
    isDouble: Bool, field number: Int, to message: UnsafeMutablePointer<CMessage>,
    in arena: Arena
  ) throws(DecodeError) {
    let field = Field(
      wireType: isDouble ? PROTOBUF_C_WIRE_TYPE_64BIT : PROTOBUF_C_WIRE_TYPE_32BIT,
      encoded: [UInt8](repeating: 0, count: isDouble ? 7 : 3) + [0x80])
    try append([field], number: number, to: message, in: arena)
  }

  private static func append<CMessage>(
    _ new: [Field], number: Int, to message: UnsafeMutablePointer<CMessage>, in arena: Arena
  ) throws(DecodeError) {
    let base = UnsafeMutableRawPointer(message).assumingMemoryBound(to: ProtobufCMessage.self)
    let present = Int(base.pointee.n_unknown_fields)
    let fields = try arena.allocate(
      ProtobufCMessageUnknownField.self, count: present + new.count)
    if let old = base.pointee.unknown_fields { fields.initialize(from: old, count: present) }
    for (index, field) in new.enumerated() {
      let data: ProtobufCBinaryData = try arena.copy(field.encoded)
      (fields + present + index).initialize(
        to: ProtobufCMessageUnknownField(
          tag: UInt32(number), wire_type: field.wireType, len: data.len, data: data.data))
    }
    base.pointee.unknown_fields = fields
    base.pointee.n_unknown_fields = UInt32(present + new.count)
  }

  private static func varint(_ count: Int) -> [UInt8] {
    var bytes: [UInt8] = []
    var rest = count
    while rest >= 0x80 {
      bytes.append(UInt8(rest & 0x7f) | 0x80)
      rest >>= 7
    }
    return bytes + [UInt8(rest)]
  }
}
