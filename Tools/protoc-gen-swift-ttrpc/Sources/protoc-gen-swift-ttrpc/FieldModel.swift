import SwiftProtobufPluginLibrary

/// A field as the generators see it: its names, and how its Swift, C and borrowed forms convert.
struct FieldModel {
  enum Kind {
    case scalar(String)
    case bool, string, bytes
    case enumeration(String)
    case message(String)
  }

  let descriptor: FieldDescriptor
  let kind: Kind
  /// The Swift property, without backticks.
  let property: String
  /// The member of the C structure.
  let member: String
  let isRepeated: Bool

  var number: Int { Int(descriptor.number) }

  init(_ field: FieldDescriptor, names: Names) {
    descriptor = field
    property = Names.property(field)
    member = Names.imported(CNames.member(field.name))
    isRepeated = field.isRepeated
    let scope: Descriptor = field.containingType
    switch field.type {
    case .int32, .sint32, .sfixed32: kind = .scalar("Int32")
    case .uint32, .fixed32: kind = .scalar("UInt32")
    case .int64, .sint64, .sfixed64: kind = .scalar("Int64")
    case .uint64, .fixed64: kind = .scalar("UInt64")
    case .float: kind = .scalar("Float")
    case .double: kind = .scalar("Double")
    case .bool: kind = .bool
    case .string: kind = .string
    case .bytes: kind = .bytes
    case .enum: kind = .enumeration(names.reference(field.enumType, in: scope))
    case .message, .group: kind = .message(names.reference(field.messageType, in: scope))
    }
  }

  // MARK: The value type

  /// The element's or the oneof member's type.
  var payloadType: String {
    switch kind {
    case .scalar(let name), .enumeration(let name), .message(let name): return name
    case .bool: return "Bool"
    case .string: return "String"
    case .bytes: return "[UInt8]"
    }
  }

  var valueType: String {
    if isRepeated { return "[\(payloadType)]" }
    if case .message = kind { return payloadType + "?" }
    return payloadType
  }

  var defaultValue: String {
    if isRepeated { return "[]" }
    switch kind {
    case .scalar: return "0"
    case .bool: return "false"
    case .string: return "\"\""
    case .bytes: return "[]"
    case .enumeration(let name): return "\(name)()"
    case .message: return "nil"
    }
  }

  /// A value out of `view`, one element of its borrowed form.
  func value(of view: String) -> String {
    switch kind {
    case .scalar, .bool, .enumeration: return view
    case .string: return "String(decoding: \(view), as: UTF8.self)"
    case .bytes: return "[UInt8](\(view))"
    case .message(let name): return "\(name)(\(view))"
    }
  }

  /// The whole field's value out of the view's property.
  func fieldValue(of view: String) -> String {
    switch kind {
    case .scalar where isRepeated, .bool where isRepeated, .enumeration where isRepeated:
      return "Array(\(view))"
    case .bytes where isRepeated: return "\(view).map { [UInt8]($0.bytes) }"
    case .string where isRepeated: return "\(view).map { \(value(of: "$0")) }"
    case .message: return "\(view).map { \(value(of: "$0")) }"
    default: return value(of: view)
    }
  }

  // MARK: The view

  /// The borrowed type of a single value.
  var viewPayloadType: String {
    switch kind {
    case .scalar(let name), .enumeration(let name): return name
    case .bool: return "Bool"
    case .string, .bytes: return "UnsafeRawBufferPointer"
    case .message(let name): return name + ".View"
    }
  }

  var viewType: String {
    guard isRepeated else {
      if case .message = kind { return viewPayloadType + "?" }
      return viewPayloadType
    }
    switch kind {
    case .scalar(let name): return "UnsafeBufferPointer<\(name)>"
    case .bool: return "RepeatedBools"
    case .string: return "RepeatedStrings"
    case .bytes: return "UnsafeBufferPointer<ProtobufCBinaryData>"
    case .enumeration(let name): return "RepeatedEnums<\(name)>"
    case .message(let name): return "RepeatedMessages<\(name).View>"
    }
  }

  private var path: String { "unsafeMessage.pointee.\(member)" }

  /// The borrowed form of a set oneof member or of a singular field other than a message.
  var viewPayload: String {
    switch kind {
    case .scalar: return path
    case .bool: return "\(path) != 0"
    case .string: return "MessageStrings.bytes(of: \(path))"
    case .bytes: return "\(path).bytes"
    case .enumeration(let name):
      return "\(name)(rawValue: Int32(truncatingIfNeeded: \(path).rawValue))"
    case .message(let name): return "\(name).View(unsafe: UnsafePointer(\(path)))"
    }
  }

  var view: String {
    guard isRepeated else {
      guard case .message(let name) = kind else { return viewPayload }
      return "\(path).map { \(name).View(unsafe: UnsafePointer($0)) }"
    }
    let count = "count: unsafeMessage.pointee.n_\(CNames.member(descriptor.name))"
    return "\(viewType)(start: \(path), \(count))"
  }
}
