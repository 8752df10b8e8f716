import Foundation
import SwiftProtobufPluginLibrary

/// One place in a proto file that breaks a rule, and the way out.
struct Violation: CustomStringConvertible {
  var file: String
  /// From 1; `nil` where protoc gave none.
  var line: Int?
  var problem: String
  var wayOut: String

  var description: String {
    let place = line.map { "\(file):\($0)" } ?? file
    return "\(place): \(problem)\n    Way out: \(wayOut)"
  }
}

/// What protoc-c 1.4 and libprotobuf-c cannot do, or not safely, is refused here, before protoc-c
/// runs: it would crash on a group, and decode a recursive message without a limit.
struct Rules {
  let names: Names
  let files: [FileDescriptor]
  private let options: Options
  private var violations: [Violation] = []
  private let generated: Set<String>

  init(names: Names, files: [FileDescriptor], options: Options) {
    self.names = names
    self.files = files
    self.options = options
    generated = Set(files.map(\.name))
  }

  mutating func check() -> [Violation] {
    for file in files {
      if file.edition != .proto3 { refuseSyntax(file) }
      for field in file.extensions { refuseExtension(field) }
      for message in file.messages { check(message) }
      for service in file.services { check(service) }
    }
    var nameRules = NameRules(files: files, options: options)
    violations += nameRules.check()
    var recursion = RecursionRule(files: files)
    violations += recursion.check()
    return violations
  }

  private mutating func check(_ message: Descriptor) {
    for field in message.extensions { refuseExtension(field) }
    for field in message.fields { check(field) }
    for inner in message.messages where !inner.options.mapEntry { check(inner) }
  }

  private mutating func check(_ field: FieldDescriptor) {
    if field.type == .group {
      refuse(
        field, "`group` is not supported: protoc-c crashes on it",
        "declare a message and a field of its type")
    } else if field.isMap {
      refuse(
        field, "map `\(field.fullName)` is not supported by protoc-c",
        "declare a message with the fields `key` and `value`, and `repeated` that message")
    } else if field.oneofIndex != nil && field.realContainingOneof == nil {
      refuse(
        field, "`optional` on `\(field.fullName)` is rejected by protoc-c 1.4",
        "wrap the field in a oneof of its own, or in a message: both know presence")
    }
    if let type = field.messageType, !field.isMap { checkScope(type.file, of: field) }
    if let type = field.enumType { checkScope(type.file, of: field) }
    checkHidden(field)
  }

  private mutating func check(_ service: ServiceDescriptor) {
    for method in service.methods {
      checkScope(method.inputType.file, of: method)
      checkScope(method.outputType.file, of: method)
    }
  }

  // MARK: Single rules

  private mutating func refuseSyntax(_ file: FileDescriptor) {
    let syntaxPath = IndexPath(index: 12)
    let location = file.sourceCodeInfoLocation(path: syntaxPath)
    violations.append(
      Violation(
        file: file.name, line: location.map { Int($0.span[0]) + 1 } ?? 1,
        problem: "only proto3 is supported; this file is proto2, or does not say",
        wayOut: "begin the file with `syntax = \"proto3\";`, without `required`, defaults, "
          + "groups and extensions"))
  }

  private mutating func refuseExtension(_ field: FieldDescriptor) {
    // Options of descriptor.proto are for tools; they are in no message of ours.
    if field.containingType.file.name == "google/protobuf/descriptor.proto" { return }
    refuse(
      field, "extension `\(field.fullName)` is not supported",
      "declare the field in the message itself")
  }

  /// Types of a file that is not generated along with this one have no Swift and no C here.
  private mutating func checkScope(
    _ file: FileDescriptor, of user: some ProvidesSourceCodeLocation & Named
  ) {
    guard !generated.contains(file.name) else { return }
    refuse(
      user, "`\(user.fullName)` uses a type of \(file.name), which is not generated with it",
      "name \(file.name) in the same run")
  }

  private mutating func checkHidden(_ field: FieldDescriptor) {
    // `Module` matters only to Swift.
    guard options.output == .swift, names.module == nil, !field.isMap else { return }
    let first: String
    if let type = field.messageType {
      first = Names.path(type)[0]
    } else if let type = field.enumType {
      first = type.containingType.map { Names.path($0)[0] } ?? Names.type(type)
    } else {
      return
    }
    if names.hides(first, in: field.containingType) {
      refuse(
        field, "a type nested in `\(field.containingType.fullName)` hides `\(first)` in Swift",
        "give the plugin the parameter Module=NAME, the Swift module of the output")
    }
  }

  private mutating func refuse(
    _ place: some ProvidesSourceCodeLocation & Named, _ problem: String, _ wayOut: String
  ) {
    violations.append(
      Violation(file: place.file.name, line: place.line, problem: problem, wayOut: wayOut))
  }
}

/// What has a place in a proto file.
protocol Named {
  var fullName: String { get }
  var file: FileDescriptor! { get }
}

extension Descriptor: Named {}
extension EnumDescriptor: Named {}
extension FieldDescriptor: Named {}
extension MethodDescriptor: Named {}
extension ServiceDescriptor: Named {}

extension ProvidesSourceCodeLocation {
  /// The line that the declaration begins on, from 1.
  var line: Int? {
    guard let span = sourceCodeInfoLocation?.span, let first = span.first else { return nil }
    return Int(first) + 1
  }
}
