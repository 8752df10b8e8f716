import CProtobufC

/// Writes a decoded message as JSON. Fields at their default are left out.
struct MessageJSONPrinter {
  let isPretty: Bool
  private(set) var text: [UInt8] = []
  private var level = 0

  init(isPretty: Bool) { self.isPretty = isPretty }

  mutating func print(_ message: UnsafePointer<ProtobufCMessage>) {
    let base = UnsafeRawPointer(message)
    let present = FieldAccess.all(of: message.pointee.descriptor).filter { isPresent($0, base) }
    list("{", "}", count: present.count) { printer, index in
      let field = present[index]
      printer.string(field.jsonName)
      printer.append(printer.isPretty ? ": " : ":")
      printer.member(field, base)
    }
  }

  private func isPresent(_ field: FieldAccess, _ message: UnsafeRawPointer) -> Bool {
    let quantifier = message + field.quantifierOffset
    if field.isRepeated { return quantifier.load(as: Int.self) > 0 }
    if field.isInOneof { return quantifier.load(as: UInt32.self) == field.descriptor.id }
    let member = message + field.offset
    switch field.descriptor.type {
    case PROTOBUF_C_TYPE_MESSAGE: return member.load(as: UnsafeRawPointer?.self) != nil
    case PROTOBUF_C_TYPE_STRING: return !stringBytes(member).isEmpty
    case PROTOBUF_C_TYPE_BYTES: return member.load(as: ProtobufCBinaryData.self).len > 0
    default:
      // -0.0 has a bit: it is not the default.
      return field.elementBytes == 8
        ? member.load(as: UInt64.self) != 0 : member.load(as: UInt32.self) != 0
    }
  }

  private mutating func member(_ field: FieldAccess, _ message: UnsafeRawPointer) {
    let member = message + field.offset
    guard field.isRepeated else { return value(field, member) }
    let count = (message + field.quantifierOffset).load(as: Int.self)
    let elements = member.load(as: UnsafeRawPointer.self)
    list("[", "]", count: count) { printer, index in
      printer.value(field, elements + index * field.elementBytes)
    }
  }

  private mutating func value(_ field: FieldAccess, _ member: UnsafeRawPointer) {
    switch field.descriptor.type {
    case PROTOBUF_C_TYPE_INT32, PROTOBUF_C_TYPE_SINT32, PROTOBUF_C_TYPE_SFIXED32:
      append(String(member.load(as: Int32.self)))
    case PROTOBUF_C_TYPE_UINT32, PROTOBUF_C_TYPE_FIXED32:
      append(String(member.load(as: UInt32.self)))
    case PROTOBUF_C_TYPE_INT64, PROTOBUF_C_TYPE_SINT64, PROTOBUF_C_TYPE_SFIXED64:
      append("\"\(member.load(as: Int64.self))\"")
    case PROTOBUF_C_TYPE_UINT64, PROTOBUF_C_TYPE_FIXED64:
      append("\"\(member.load(as: UInt64.self))\"")
    case PROTOBUF_C_TYPE_FLOAT: float(member.load(as: Float.self))
    case PROTOBUF_C_TYPE_DOUBLE: float(member.load(as: Double.self))
    case PROTOBUF_C_TYPE_BOOL:
      append(member.load(as: protobuf_c_boolean.self) != 0 ? "true" : "false")
    case PROTOBUF_C_TYPE_ENUM:
      let number = member.load(as: Int32.self)
      append(field.enumName(of: number).map { "\"\($0)\"" } ?? String(number))
    case PROTOBUF_C_TYPE_STRING: string(String(decoding: stringBytes(member), as: UTF8.self))
    case PROTOBUF_C_TYPE_BYTES:
      append("\"")
      text += Base64.encode(member.load(as: ProtobufCBinaryData.self).bytes)
      append("\"")
    default: print(member.load(as: UnsafePointer<ProtobufCMessage>.self))
    }
  }

  private func stringBytes(_ member: UnsafeRawPointer) -> UnsafeRawBufferPointer {
    MessageStrings.bytes(of: member.load(as: UnsafePointer<CChar>?.self))
  }

  private mutating func float(_ value: some BinaryFloatingPoint & CustomStringConvertible) {
    if value.isNaN {
      append("\"NaN\"")
    } else if value.isInfinite {
      append(value < 0 ? "\"-Infinity\"" : "\"Infinity\"")
    } else {
      // Swift prints the shortest decimal that reads back as the same value.
      let text = value.description
      append(text.hasSuffix(".0") ? String(text.dropLast(2)) : text)
    }
  }

  private mutating func string(_ value: String) {
    append("\"")
    for scalar in value.unicodeScalars {
      switch scalar {
      case "\"": append("\\\"")
      case "\\": append("\\\\")
      case "\n": append("\\n")
      case "\r": append("\\r")
      case "\t": append("\\t")
      case "\u{0}"..<"\u{20}", "\u{7f}":
        let digits = String(scalar.value, radix: 16)
        append("\\u" + String(repeating: "0", count: 4 - digits.count) + digits)
      default: text += UTF8.encode(scalar)!
      }
    }
    append("\"")
  }

  // MARK: Layout

  private mutating func append(_ string: String) { text += string.utf8 }

  private mutating func list(
    _ open: String, _ close: String, count: Int,
    element: (inout MessageJSONPrinter, Int) -> Void
  ) {
    append(open)
    level += 1
    for index in 0..<count {
      if index > 0 { append(",") }
      newLine()
      element(&self, index)
    }
    level -= 1
    if count > 0 { newLine() }
    append(close)
  }

  private mutating func newLine() {
    if isPretty { append("\n" + String(repeating: "  ", count: level)) }
  }
}
