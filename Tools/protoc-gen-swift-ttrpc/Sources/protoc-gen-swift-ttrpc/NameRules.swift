import SwiftProtobufPluginLibrary

/// Names that proto tells apart and C or Swift does not: protoc-c drops underscores and case, adds
/// members of its own, and knows keywords of C++ only in fields; Swift types carry no package.
struct NameRules {
  let files: [FileDescriptor]
  /// Whether protoc-c reads the same files: it declares a structure for each service.
  let declaresServicesInC: Bool
  /// Where protoc-c's output goes; empty where that is not known.
  let cModule: String
  private var violations: [Violation] = []
  private var swiftTypes: [String: String] = [:]
  private var cTypes: [String: String] = [:]
  private var cFunctions: [String: String] = [:]

  /// TTRPC's own C module, and what it holds.
  private static let envelopeModule = "CTTRPCProtos"
  private static let envelopeTypes: Set<String> = [
    "google.protobuf.Any", "google.rpc.Status", "ttrpc.KeyValue", "ttrpc.Request",
    "ttrpc.Response",
  ]

  init(files: [FileDescriptor], options: Options) {
    self.files = files
    declaresServicesInC = options.output != .swift
    cModule = options.cModule
  }

  mutating func check() -> [Violation] {
    for file in files {
      for message in file.messages {
        claim(Names.type(message), message)
        check(message)
      }
      for enumeration in file.enums {
        claim(Names.type(enumeration), enumeration)
        check(enumeration)
      }
      for service in file.services {
        claim(Names.type(service), service)
        check(service)
      }
    }
    return violations
  }

  /// Two packages may declare the same name; Swift types carry no package.
  private mutating func claim(_ name: String, _ type: some ProvidesSourceCodeLocation & Named) {
    if let other = swiftTypes.updateValue(type.fullName, forKey: name) {
      refuse(
        type, in: type.file, "`\(type.fullName)` and `\(other)` are both `\(name)` in Swift",
        "set `option swift_prefix = \"...\";` in one of their files")
    }
  }

  private mutating func claimInC(_ type: some ProvidesSourceCodeLocation & Named) {
    let (typeName, function) = (CNames.type(type.fullName), CNames.function(type.fullName))
    // Only without a package: it is a part of each name in C.
    if type.file.package.isEmpty,
      typeName.hasPrefix("ProtobufC") || Names.reservedTypes.contains(typeName)
    {
      refuse(
        type, in: type.file,
        "without a package `\(typeName)` hides what the generated code or libprotobuf-c calls so",
        "give the file a package")
    }
    let sameType = cTypes.updateValue(type.fullName, forKey: typeName)
    let sameFunction = cFunctions.updateValue(type.fullName, forKey: function)
    if let other = sameType ?? sameFunction {
      let name = sameType == nil ? "\(function)__init" : typeName
      refuse(
        type, in: type.file, "`\(type.fullName)` and `\(other)` are both `\(name)` in C",
        "rename one of them, so that they differ by more than case and underscores")
    }
  }

  private mutating func check(_ message: Descriptor) {
    claimInC(message)
    if !cModule.isEmpty, cModule != Self.envelopeModule,
      Self.envelopeTypes.contains(message.fullName)
    {
      refuse(
        message, in: message.file,
        "`\(message.fullName)` is in \(Self.envelopeModule) already, which TTRPC links",
        "declare a message of your own with the same fields and numbers: its bytes are the same")
    }
    checkMembers(message)
    checkTypes(message)
    for inner in message.messages where !inner.options.mapEntry { check(inner) }
    for enumeration in message.enums { check(enumeration) }
  }

  /// protoc-c lower-cases members and adds some of its own.
  private mutating func checkMembers(_ message: Descriptor) {
    var owners = ["base": "libprotobuf-c's own header"]
    for oneof in message.realOneofs {
      owners[CNames.oneofCase(oneof.name)] = "the case of oneof `\(oneof.name)`"
    }
    for field in message.fields where field.isRepeated {
      owners["n_\(CNames.member(field.name))"] = "the count of `\(field.name)`"
    }
    for name in CNames.impossibleMembers { owners[name] = "a word of the language" }
    // In Swift the members of a oneof are cases of its enum, and it is a property.
    var scopes: [Int?: Set<String>] = [nil: []]
    for oneof in message.realOneofs {
      if !scopes[nil]!.insert(Names.property(oneof)).inserted {
        refuseMember(oneof, of: message, Names.property(oneof))
      }
    }
    for field in message.fields {
      let member = CNames.member(field.name)
      let scope = field.realContainingOneof?.index
      if let owner = owners[member] {
        refuse(
          field, in: field.file,
          "`\(field.fullName)` and \(owner) are both `\(member)` in C", "rename the field")
      } else if !scopes[scope, default: []].insert(Names.property(field)).inserted {
        refuseMember(field, of: message, Names.property(field))
      }
      owners[member] = "`\(field.name)`"
    }
  }

  private mutating func refuseMember(
    _ member: some ProvidesSourceCodeLocation, of message: Descriptor, _ name: String
  ) {
    refuse(
      member, in: message.file,
      "another field of `\(message.fullName)` is `\(name)` in Swift too", "rename one of them")
  }

  private mutating func checkTypes(_ message: Descriptor) {
    var names: Set<String> = []
    let types: [(any ProvidesSourceCodeLocation, String)] =
      message.messages.filter { !$0.options.mapEntry }.map { ($0, Names.type($0)) }
      + message.enums.map { ($0, Names.type($0)) }
      + message.realOneofs.map { ($0, Names.type($0)) }
    for (type, name) in types where !names.insert(name).inserted {
      refuse(
        type, in: message.file,
        "another type of `\(message.fullName)` is `\(name)` in Swift too", "rename one of them")
    }
  }

  private mutating func check(_ enumeration: EnumDescriptor) {
    claimInC(enumeration)
    var names: Set<String> = []
    for (value, name) in zip(enumeration.values, Names.cases(enumeration))
    where !names.insert(name).inserted {
      refuse(
        value, in: enumeration.file,
        "another value of `\(enumeration.fullName)` is `\(name)` in Swift too",
        "rename one of them")
    }
  }

  private mutating func check(_ service: ServiceDescriptor) {
    if declaresServicesInC { claimInC(service) }
    var swiftNames: Set<String> = []
    // What protoc-c adds: the structure's header, and two names behind the service's own.
    var cNames: Set<String> = ["base", "descriptor", "init"]
    for method in service.methods {
      if !swiftNames.insert(Names.method(method)).inserted {
        refuse(
          method, in: method.file,
          "another method of `\(service.fullName)` is `\(Names.method(method))` in Swift too",
          "rename one of them")
      }
      let name = CNames.method(method.name)
      let isTaken = !cNames.insert(name).inserted || CNames.impossibleMethods.contains(name)
      if declaresServicesInC, isTaken {
        refuse(
          method, in: method.file,
          "protoc-c declares `\(method.fullName)` as `\(name)`, which C has no room for",
          "rename the method, or declare the service in a file without messages, which is named "
            + "only in the run that writes Swift")
      }
    }
  }

  private mutating func refuse(
    _ place: some ProvidesSourceCodeLocation, in file: FileDescriptor, _ problem: String,
    _ wayOut: String
  ) {
    violations.append(
      Violation(file: file.name, line: place.line, problem: problem, wayOut: wayOut))
  }
}
