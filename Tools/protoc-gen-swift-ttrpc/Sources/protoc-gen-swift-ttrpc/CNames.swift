import SwiftProtobufPluginLibrary

/// The names that protoc-c 1.4 gives (its `c_helpers.cc`).
enum CNames {
  /// `roost.v1.GetRequest`: `Roost__V1__GetRequest`.
  static func type(_ fullName: String) -> String {
    pieces(fullName).map(camel).joined(separator: "__")
  }

  /// `roost.v1.GetRequest`: `roost__v1__get_request`.
  static func function(_ fullName: String) -> String {
    pieces(fullName).map(camelToLower).joined(separator: "__")
  }

  /// A member of a message's structure.
  static func member(_ protoName: String) -> String {
    let name = protoName.lowercased()
    return keywords.contains(name) ? name + "_" : name
  }

  /// The member that says which one of a oneof is set.
  static func oneofCase(_ protoName: String) -> String { camelToLower(protoName) + "_case" }

  /// A member of a service's structure, which protoc-c protects from no keyword.
  static func method(_ protoName: String) -> String { camelToLower(protoName) }

  /// Keywords and macros of C that protoc-c does not know of.
  static let impossibleMembers: Set<String> = [
    "linux", "restrict", "static_assert", "typeof", "unix",
  ]

  /// Keywords and macros of C that a method cannot be called by.
  static let impossibleMethods: Set<String> = impossibleMembers.union([
    "asm", "auto", "break", "case", "char", "const", "continue", "default", "do", "double",
    "else", "enum", "extern", "float", "for", "goto", "if", "inline", "int", "long", "register",
    "return", "short", "signed", "sizeof", "static", "struct", "switch", "typedef", "union",
    "unsigned", "void", "volatile", "while",
  ])

  private static func pieces(_ fullName: String) -> [String] {
    fullName.split(separator: ".").map(String.init)
  }

  private static func camel(_ name: String) -> String {
    var result = ""
    var upper = true
    for character in name {
      if character == "_" {
        upper = true
      } else {
        result += upper ? character.uppercased() : String(character)
        upper = false
      }
    }
    return result
  }

  private static func camelToLower(_ name: String) -> String {
    var result = ""
    var wasUpper = true
    for character in name {
      let isUpper = character.isASCII && character.isUppercase
      if isUpper && !wasUpper { result += "_" }
      result += character.lowercased()
      wasUpper = isUpper
    }
    return result
  }

  private static let keywords: Set<String> = [
    "and", "and_eq", "asm", "auto", "bitand", "bitor", "bool", "break", "case", "catch", "char",
    "class", "compl", "const", "const_cast", "continue", "default", "delete", "do", "double",
    "dynamic_cast", "else", "enum", "explicit", "extern", "false", "float", "for", "friend",
    "goto", "if", "inline", "int", "long", "mutable", "namespace", "new", "not", "not_eq",
    "operator", "or", "or_eq", "private", "protected", "public", "register",
    "reinterpret_cast", "return", "short", "signed", "sizeof", "static", "static_cast",
    "struct", "switch", "template", "this", "throw", "true", "try", "typedef", "typeid",
    "typename", "union", "unsigned", "using", "virtual", "void", "volatile", "wchar_t", "while",
    "xor", "xor_eq",
  ]
}
