import CProtobufC

/// What protoc-c's descriptors say about a field, in Swift's types.
struct FieldAccess {
  let descriptor: ProtobufCFieldDescriptor

  /// As the proto file names it.
  var protoName: String { String(cString: descriptor.name) }
  /// lowerCamelCase, as proto3's JSON mapping names it.
  var jsonName: String { FieldAccess.jsonName(protoName) }
  var isRepeated: Bool { descriptor.label == PROTOBUF_C_LABEL_REPEATED }
  var isInOneof: Bool { descriptor.flags & PROTOBUF_C_FIELD_FLAG_ONEOF.rawValue != 0 }
  var offset: Int { Int(descriptor.offset) }
  /// Of the count of a repeated field, or of the case of a oneof.
  var quantifierOffset: Int { Int(descriptor.quantifier_offset) }

  var messageDescriptor: UnsafePointer<ProtobufCMessageDescriptor> {
    descriptor.descriptor.assumingMemoryBound(to: ProtobufCMessageDescriptor.self)
  }

  var enumDescriptor: ProtobufCEnumDescriptor {
    descriptor.descriptor.load(as: ProtobufCEnumDescriptor.self)
  }

  /// Of one value in a C array.
  var elementBytes: Int {
    switch descriptor.type {
    case PROTOBUF_C_TYPE_BYTES: return MemoryLayout<ProtobufCBinaryData>.stride
    case PROTOBUF_C_TYPE_INT64, PROTOBUF_C_TYPE_SINT64, PROTOBUF_C_TYPE_SFIXED64,
      PROTOBUF_C_TYPE_UINT64, PROTOBUF_C_TYPE_FIXED64, PROTOBUF_C_TYPE_DOUBLE,
      PROTOBUF_C_TYPE_STRING, PROTOBUF_C_TYPE_MESSAGE:
      return 8
    default: return 4
    }
  }

  static func all(
    of descriptor: UnsafePointer<ProtobufCMessageDescriptor>
  ) -> [FieldAccess] {
    UnsafeBufferPointer(start: descriptor.pointee.fields, count: Int(descriptor.pointee.n_fields))
      .map { FieldAccess(descriptor: $0) }
  }

  /// An underscore goes, and the letter behind it becomes upper-case.
  static func jsonName(_ protoName: String) -> String {
    var result = ""
    var upper = false
    for character in protoName {
      if character == "_" {
        upper = true
      } else {
        result += upper ? character.uppercased() : String(character)
        upper = false
      }
    }
    return result
  }

  /// The enum's names with their numbers, aliases too.
  func enumNames() -> [(name: String, number: Int32)] {
    let type = enumDescriptor
    return UnsafeBufferPointer(start: type.values_by_name, count: Int(type.n_value_names)).map {
      (String(cString: $0.name), Int32(type.values[Int($0.index)].value))
    }
  }

  /// The first name of the number.
  func enumName(of number: Int32) -> String? {
    let type = enumDescriptor
    return UnsafeBufferPointer(start: type.values, count: Int(type.n_values))
      .first { $0.value == number }.map { String(cString: $0.name) }
  }
}
