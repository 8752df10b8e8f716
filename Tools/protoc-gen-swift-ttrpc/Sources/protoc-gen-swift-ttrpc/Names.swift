import SwiftProtobufPluginLibrary

/// The Swift names. Types carry the file's `swift_prefix` and no package; members are
/// lowerCamelCase; what would collide with Swift or with the generated code's own names is
/// changed in one way that depends on the name alone.
struct Names {
  let files: [FileDescriptor]
  let module: String?
  private let cModule: String
  private let shadows: [String: Set<String>]

  init(files: [FileDescriptor], module: String?, cModule: String) {
    self.files = files
    self.module = module
    self.cModule = cModule
    var shadows: [String: Set<String>] = [:]
    for message in files.flatMap(\.messages) { Names.collect(message, into: &shadows) }
    self.shadows = shadows
  }

  // MARK: Types

  /// The message's own name, without what contains it.
  static func type(_ message: Descriptor) -> String {
    type(message.name, suffix: "Message", parent: message.containingType, file: message.file)
  }

  static func type(_ enumeration: EnumDescriptor) -> String {
    type(
      enumeration.name, suffix: "Enum", parent: enumeration.containingType,
      file: enumeration.file)
  }

  static func type(_ service: ServiceDescriptor) -> String {
    type(service.name, suffix: "Service", parent: nil, file: service.file)
  }

  /// The enum of a oneof: `Kind` for `kind`.
  static func type(_ oneof: OneofDescriptor) -> String {
    let name = upperCamel(oneof.name)
    let message: Descriptor = oneof.containingType
    let taken = message.messages.map(type) + message.enums.map(type)
    let collides = taken.contains(name) || reservedTypes.contains(name) || name == type(message)
    return collides ? name + "Oneof" : name
  }

  private static func type(
    _ name: String, suffix: String, parent: Descriptor?, file: FileDescriptor
  ) -> String {
    let prefixed = parent == nil ? file.options.swiftPrefix + name : name
    let upper = prefixed.prefix(1).uppercased() + prefixed.dropFirst()
    var ancestor = parent
    while let message = ancestor {
      if type(message) == upper { return upper + suffix }
      ancestor = message.containingType
    }
    return reservedTypes.contains(upper) ? upper + suffix : upper
  }

  /// How code inside `scope` (`nil`: at file level) names a type.
  func reference(_ message: Descriptor, in scope: Descriptor?) -> String {
    qualified(Names.path(message), in: scope)
  }

  func reference(_ enumeration: EnumDescriptor, in scope: Descriptor?) -> String {
    let path = enumeration.containingType.map(Names.path) ?? []
    return qualified(path + [Names.type(enumeration)], in: scope)
  }

  static func path(_ message: Descriptor) -> [String] {
    (message.containingType.map(path) ?? []) + [type(message)]
  }

  private func qualified(_ path: [String], in scope: Descriptor?) -> String {
    let name = path.joined(separator: ".")
    guard let module, hides(path[0], in: scope) else { return name }
    return "\(module).\(name)"
  }

  /// Whether a name nested in `scope` hides the top-level type `name`.
  func hides(_ name: String, in scope: Descriptor?) -> Bool {
    var scope = scope
    while let message = scope {
      if shadows[message.fullName]?.contains(name) == true { return true }
      scope = message.containingType
    }
    return false
  }

  private static func collect(_ message: Descriptor, into shadows: inout [String: Set<String>]) {
    let nested = message.messages.map(type) + message.enums.map(type)
    shadows[message.fullName] = Set(nested + message.realOneofs.map(type))
    for inner in message.messages { collect(inner, into: &shadows) }
  }

  /// protoc-c's structure. Without a package it has the name of the Swift type, which comes first.
  func cType(_ message: Descriptor) -> String {
    let name = CNames.type(message.fullName)
    return message.file.package.isEmpty ? "\(cModule).\(name)" : name
  }

  // MARK: Members

  static func property(_ field: FieldDescriptor) -> String { member(lowerCamel(field.name)) }
  static func property(_ oneof: OneofDescriptor) -> String { member(lowerCamel(oneof.name)) }
  static func method(_ method: MethodDescriptor) -> String {
    member(lowerFirstRun(method.name))
  }

  /// The cases of an enum, in order; the prefix that all share with the enum's name is dropped.
  static func cases(_ enumeration: EnumDescriptor) -> [String] {
    let prefix = upperSnake(enumeration.name) + "_"
    let canStrip = enumeration.values.allSatisfy {
      $0.name.uppercased().hasPrefix(prefix)
        && $0.name.dropFirst(prefix.count).first?.isLetter == true
    }
    return enumeration.values.map { value in
      member(lowerCamel(canStrip ? String(value.name.dropFirst(prefix.count)) : value.name))
    }
  }

  private static func member(_ name: String) -> String {
    reservedMembers.contains(name) ? name + "_" : name
  }

  // MARK: Words

  /// `list_end`, `LIST_END`: `listEnd`; what would not be a name keeps an underscore: `_1`.
  static func lowerCamel(_ name: String) -> String {
    let words = name.split(separator: "_")
    guard let first = words.first else { return "__" }
    let isUpperSnake = !name.contains { $0.isLowercase }
    let rest = words.dropFirst().map { word in
      let tail = String(word.dropFirst())
      return word.prefix(1).uppercased() + (isUpperSnake ? tail.lowercased() : tail)
    }
    let start = isUpperSnake ? first.lowercased() : lowerFirstRun(String(first))
    let isName = first.first?.isNumber == false
    return (isName ? "" : "_") + start + rest.joined()
  }

  static func upperCamel(_ name: String) -> String {
    let lower = lowerCamel(name)
    return lower.prefix(1).uppercased() + lower.dropFirst()
  }

  /// `WhoAmI`: `whoAmI`; `URLFetch`: `urlFetch`; `KV`: `kv`.
  static func lowerFirstRun(_ name: String) -> String {
    let run = name.prefix { $0.isUppercase }
    guard run.count > 1, run.count < name.count else {
      return run.lowercased() + name.dropFirst(run.count)
    }
    let count = name.dropFirst(run.count).first!.isLetter ? run.count - 1 : run.count
    return name.prefix(count).lowercased() + name.dropFirst(count)
  }

  /// `ListEnd`: `LIST_END`.
  static func upperSnake(_ name: String) -> String {
    var result = ""
    let characters = Array(name)
    for (index, character) in characters.enumerated() {
      let startsWord =
        character.isUppercase && index > 0
        && (!characters[index - 1].isUppercase
          || (index + 1 < characters.count && characters[index + 1].isLowercase))
      if startsWord && characters[index - 1] != "_" { result += "_" }
      result += character.uppercased()
    }
    return result
  }

  // MARK: What is taken

  /// Names that generated code uses, or that Swift does not allow as a nested type.
  static let reservedTypes: Set<String> = [
    "Any", "AnyObject", "Arena", "Array", "Bool", "CallKind", "CallOptions", "CaseIterable",
    "Client", "DecodeError", "Dispatcher", "Double", "Error", "Float", "Hashable", "Int",
    "Int32", "Int64", "Message", "MessageStrings", "MessageView", "Method", "MethodCodec",
    "MethodDescriptor", "Methods", "Never", "OpenEnum", "Optional", "ProtobufCBinaryData",
    "ProtobufCMessageDescriptor", "Protocol", "RPCClient", "RPCError", "RawRepresentable",
    "RepeatedBools", "RepeatedEnums", "RepeatedMessages", "RepeatedStrings", "RequestStream",
    "ResponseSink", "ResponseStream", "Result", "Self", "Sendable", "ServerCall", "Service",
    "StreamingCall", "String", "Swift", "Type", "UInt32", "UInt64", "UInt8", "UTF8",
    "UnsafeBufferPointer", "UnsafeMutablePointer", "UnsafePointer", "UnsafeRawBufferPointer",
    "View", "Void",
  ]

  private static let reservedMembers: Set<String> = [
    "all", "allCases", "asMessage", "containsStrings", "descriptor", "encoded",
    "encodedByteCount", "hash", "hashValue", "init", "makeCMessage", "none", "rawValue", "rpc",
    "self", "serviceName", "some", "unrecognized", "unsafeMessage",
  ]

  /// A name as it is written where it is declared: in backticks where Swift needs them.
  static func declared(_ name: String) -> String { keywords.contains(name) ? "`\(name)`" : name }

  /// A name of C's as Swift reaches it behind a dot.
  static func imported(_ name: String) -> String {
    name == "init" || name == "self" ? "`\(name)`" : declared(name)
  }

  private static let keywords: Set<String> = [
    "Any", "as", "associatedtype", "await", "break", "case", "catch", "class", "continue",
    "default", "defer", "deinit", "do", "else", "enum", "extension", "fallthrough", "false",
    "fileprivate", "for", "func", "guard", "if", "import", "in", "inout", "internal", "is",
    "let", "nil", "operator", "precedencegroup", "private", "protocol", "public", "repeat",
    "rethrows", "return", "static", "struct", "subscript", "super", "switch", "throw", "throws",
    "true", "try", "typealias", "var", "where", "while",
  ]
}
