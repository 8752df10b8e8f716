import CProtobufC

/// Builds libprotobuf-c's structure of a message from parsed JSON, in an arena.
struct MessageJSONReader {
  let arena: Arena

  private struct Place {
    var path: String
    func field(_ name: String) -> Place { Place(path: path.isEmpty ? name : "\(path).\(name)") }
    func element(_ index: Int) -> Place { Place(path: "\(path)[\(index)]") }
    func error(_ problem: String) -> JSONError { JSONError(path: path, problem: problem) }
  }

  func read(
    _ value: JSONValue, as type: UnsafePointer<ProtobufCMessageDescriptor>
  ) throws(JSONError) -> UnsafeMutablePointer<ProtobufCMessage> {
    try message(value, type, Place(path: ""))
  }

  private func allocate(_ bytes: Int, _ place: Place) throws(JSONError) -> UnsafeMutableRawPointer {
    guard let memory = arena.allocate(bytes) else { throw place.error("the message is too large") }
    return memory
  }

  private func message(
    _ value: JSONValue, _ type: UnsafePointer<ProtobufCMessageDescriptor>, _ place: Place
  ) throws(JSONError) -> UnsafeMutablePointer<ProtobufCMessage> {
    guard case .object(let members) = value else {
      throw place.error(
        "\(value.kind) where an object is needed, for \(String(cString: type.pointee.name))")
    }
    let raw = try allocate(type.pointee.sizeof_message, place)
    protobuf_c_message_init(type, raw)
    let fields = FieldAccess.all(of: type)
    var seen: Set<UInt32> = []
    for (name, value) in members {
      guard let field = fields.first(where: { $0.jsonName == name || $0.protoName == name })
      else { throw unknown(name, in: type, fields, place) }
      let place = place.field(name)
      guard seen.insert(field.descriptor.id).inserted else { throw place.error("given twice") }
      if case .null = value { continue }
      try set(field, value, in: raw, fields, place)
    }
    return raw.assumingMemoryBound(to: ProtobufCMessage.self)
  }

  private func unknown(
    _ name: String, in type: UnsafePointer<ProtobufCMessageDescriptor>, _ fields: [FieldAccess],
    _ place: Place
  ) -> JSONError {
    let typeName = String(cString: type.pointee.name)
    let known = fields.map(\.jsonName).joined(separator: ", ")
    let hint = known.isEmpty ? "it has no fields" : "its fields: \(known)"
    return place.field(name).error("no such field in \(typeName); \(hint)")
  }

  private func set(
    _ field: FieldAccess, _ value: JSONValue, in message: UnsafeMutableRawPointer,
    _ fields: [FieldAccess], _ place: Place
  ) throws(JSONError) {
    let member = message + field.offset
    if field.isRepeated { return try setRepeated(field, value, in: message, place) }
    if field.isInOneof {
      let selected = (message + field.quantifierOffset).load(as: UInt32.self)
      if selected != 0 {
        let other = fields.first { $0.descriptor.id == selected }?.jsonName ?? String(selected)
        throw place.error("only one of the oneof can be given, and \(other) is given too")
      }
    }
    if field.descriptor.type == PROTOBUF_C_TYPE_STRING {
      guard let string = try string(value, field, in: message, place) else { return }
      member.storeBytes(of: string, as: UnsafeMutablePointer<CChar>.self)
    } else {
      try store(field, value, at: member, place)
      try keepMinusZero(field, at: member, in: message, place)
    }
    if field.isInOneof {
      (message + field.quantifierOffset).storeBytes(of: field.descriptor.id, as: UInt32.self)
    }
  }

  private func setRepeated(
    _ field: FieldAccess, _ value: JSONValue, in message: UnsafeMutableRawPointer, _ place: Place
  ) throws(JSONError) {
    guard case .array(let elements) = value else {
      throw place.error("\(value.kind) where an array is needed")
    }
    guard !elements.isEmpty else { return }
    let count = message + field.quantifierOffset
    let member = message + field.offset
    if field.descriptor.type == PROTOBUF_C_TYPE_STRING {
      let copies = try strings(elements, field, in: message, place)
      count.storeBytes(of: copies.0, as: Int.self)
      member.storeBytes(of: copies.1, as: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?.self)
      return
    }
    let array = try allocate(elements.count * field.elementBytes, place)
    for (index, element) in elements.enumerated() {
      try store(field, element, at: array + index * field.elementBytes, place.element(index))
    }
    count.storeBytes(of: elements.count, as: Int.self)
    member.storeBytes(of: array, as: UnsafeMutableRawPointer.self)
  }

  // MARK: Strings

  private func text(_ value: JSONValue, _ place: Place) throws(JSONError) -> String {
    guard case .string(let string) = value else {
      throw place.error("\(value.kind) where a string is needed")
    }
    return string
  }

  private func string(
    _ value: JSONValue, _ field: FieldAccess, in message: UnsafeMutableRawPointer, _ place: Place
  ) throws(JSONError) -> UnsafeMutablePointer<CChar>? {
    let string = try text(value, place)
    let base = message.assumingMemoryBound(to: ProtobufCMessage.self)
    do throws(DecodeError) {
      return try arena.copy(string, field: Int(field.descriptor.id), of: base)
    } catch {
      throw place.error("the message is too large")
    }
  }

  private func strings(
    _ values: [JSONValue], _ field: FieldAccess, in message: UnsafeMutableRawPointer,
    _ place: Place
  ) throws(JSONError) -> (Int, UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?) {
    var strings: [String] = []
    for (index, value) in values.enumerated() {
      strings.append(try text(value, place.element(index)))
    }
    let base = message.assumingMemoryBound(to: ProtobufCMessage.self)
    do throws(DecodeError) {
      return try arena.copy(strings, field: Int(field.descriptor.id), of: base)
    } catch {
      throw place.error("the message is too large")
    }
  }

  /// As `Arena.keep` does it.
  private func keepMinusZero(
    _ field: FieldAccess, at member: UnsafeMutableRawPointer, in message: UnsafeMutableRawPointer,
    _ place: Place
  ) throws(JSONError) {
    guard !field.isInOneof else { return }
    let base = message.assumingMemoryBound(to: ProtobufCMessage.self)
    let number = Int(field.descriptor.id)
    do throws(DecodeError) {
      switch field.descriptor.type {
      case PROTOBUF_C_TYPE_DOUBLE:
        _ = try arena.keep(member.load(as: Double.self), field: number, of: base)
      case PROTOBUF_C_TYPE_FLOAT:
        _ = try arena.keep(member.load(as: Float.self), field: number, of: base)
      default: break
      }
    } catch {
      throw place.error("the message is too large")
    }
  }

  // MARK: Other values

  private func store(
    _ field: FieldAccess, _ value: JSONValue, at member: UnsafeMutableRawPointer, _ place: Place
  ) throws(JSONError) {
    switch field.descriptor.type {
    case PROTOBUF_C_TYPE_INT32, PROTOBUF_C_TYPE_SINT32, PROTOBUF_C_TYPE_SFIXED32:
      member.storeBytes(of: try integer(value, place), as: Int32.self)
    case PROTOBUF_C_TYPE_UINT32, PROTOBUF_C_TYPE_FIXED32:
      member.storeBytes(of: try integer(value, place), as: UInt32.self)
    case PROTOBUF_C_TYPE_INT64, PROTOBUF_C_TYPE_SINT64, PROTOBUF_C_TYPE_SFIXED64:
      member.storeBytes(of: try integer(value, place), as: Int64.self)
    case PROTOBUF_C_TYPE_UINT64, PROTOBUF_C_TYPE_FIXED64:
      member.storeBytes(of: try integer(value, place), as: UInt64.self)
    case PROTOBUF_C_TYPE_FLOAT: member.storeBytes(of: try float(value, place), as: Float.self)
    case PROTOBUF_C_TYPE_DOUBLE: member.storeBytes(of: try float(value, place), as: Double.self)
    case PROTOBUF_C_TYPE_BOOL:
      guard case .bool(let flag) = value else {
        throw place.error("\(value.kind) where true or false is needed")
      }
      member.storeBytes(of: flag ? 1 : 0, as: protobuf_c_boolean.self)
    case PROTOBUF_C_TYPE_ENUM:
      member.storeBytes(of: try enumNumber(value, field, place), as: Int32.self)
    case PROTOBUF_C_TYPE_BYTES:
      member.storeBytes(of: try bytes(value, place), as: ProtobufCBinaryData.self)
    default:
      let inner = try message(value, field.messageDescriptor, place)
      member.storeBytes(of: inner, as: UnsafeMutablePointer<ProtobufCMessage>.self)
    }
  }

  /// A number or a string of one; `1e3` and `2.0` are integers too.
  private func integer<I: FixedWidthInteger>(
    _ value: JSONValue, _ place: Place
  ) throws(JSONError) -> I {
    let text: String
    switch value {
    case .number(let digits), .string(let digits): text = digits
    default: throw place.error("\(value.kind) where an integer is needed")
    }
    if !text.hasPrefix("+"), let integer = I(text) { return integer }
    guard let number = decimal(text, Double.self) else {
      throw place.error("not an integer")
    }
    // Beyond 2^53 a Double does not say which integer was meant.
    guard abs(number) <= 0x1p53, let integer = I(exactly: number) else {
      throw place.error("not an integer from \(I.min) to \(I.max)")
    }
    return integer
  }

  private func float<F: BinaryFloatingPoint & LosslessStringConvertible>(
    _ value: JSONValue, _ place: Place
  ) throws(JSONError) -> F {
    switch value {
    case .string("NaN"): return .nan
    case .string("Infinity"): return .infinity
    case .string("-Infinity"): return -.infinity
    case .number(let text), .string(let text):
      guard let number = decimal(text, F.self) else {
        throw place.error("not a number, \"NaN\", \"Infinity\" or \"-Infinity\"")
      }
      guard number.isFinite else { throw place.error("the number is out of range") }
      return number
    default: throw place.error("\(value.kind) where a number is needed")
    }
  }

  /// Only decimal notation: Swift alone would read `0x1p3`, `nan` and `inf` too.
  private func decimal<F: LosslessStringConvertible>(_ text: String, _ type: F.Type) -> F? {
    let isDecimal = text.utf8.allSatisfy { byte in
      (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || ".+-eE".utf8.contains(byte)
    }
    return isDecimal && !text.hasPrefix("+") ? F(text) : nil
  }

  private func enumNumber(
    _ value: JSONValue, _ field: FieldAccess, _ place: Place
  ) throws(JSONError) -> Int32 {
    guard case .string(let name) = value else { return try integer(value, place) }
    let names = field.enumNames()
    if let match = names.first(where: { $0.name == name }) { return match.number }
    let known = names.sorted { $0.number < $1.number }.map(\.name).joined(separator: ", ")
    throw place.error("no such value; one of: \(known)")
  }

  private func bytes(
    _ value: JSONValue, _ place: Place
  ) throws(JSONError) -> ProtobufCBinaryData {
    guard let bytes = Base64.decode(try text(value, place)) else {
      throw place.error("not base64")
    }
    do throws(DecodeError) {
      return try arena.copy(bytes)
    } catch {
      throw place.error("the message is too large")
    }
  }
}
