import SwiftProtobufPluginLibrary

/// A message's value type, its oneofs, and what is nested in it.
struct MessageGenerator {
  let message: Descriptor
  let names: Names
  private let cType: String
  private let cFunction: String

  init(message: Descriptor, names: Names) {
    self.message = message
    self.names = names
    cType = names.cType(message)
    cFunction = CNames.function(message.fullName)
  }

  /// Fields outside oneofs and the oneofs, in the order of declaration.
  private enum Member {
    case field(FieldModel)
    case oneof(OneofDescriptor)
  }

  private var members: [Member] {
    var seen: Set<Int> = []
    return message.fields.compactMap { field in
      guard let oneof = field.realContainingOneof else { return .field(model(field)) }
      return seen.insert(oneof.index).inserted ? .oneof(oneof) : nil
    }
  }

  private func model(_ field: FieldDescriptor) -> FieldModel { FieldModel(field, names: names) }

  func generate(_ printer: inout CodePrinter) {
    printer.print("")
    printer.print(lines: message.comment(or: "`\(message.fullName)`."))
    printer.block("public struct \(Names.type(message)): Message") { printer in
      for member in members { generateProperty(member, &printer) }
      generateInitializers(&printer)
      generateViewInitializer(&printer)
      generateMake(&printer)
      for oneof in message.realOneofs { generateOneof(oneof, &printer) }
      ViewGenerator(message: message, names: names).generate(&printer)
      for inner in message.enums { EnumGenerator(enumeration: inner).generate(&printer) }
      for inner in message.messages {
        MessageGenerator(message: inner, names: names).generate(&printer)
      }
    }
  }

  private func generateProperty(_ member: Member, _ printer: inout CodePrinter) {
    switch member {
    case .field(let field):
      printer.print(lines: field.descriptor.comment(or: "`\(field.descriptor.name)`."))
      printer.print(
        "public var \(Names.declared(field.property)): \(field.valueType) = \(field.defaultValue)")
    case .oneof(let oneof):
      printer.print(lines: oneof.comment(or: "`\(oneof.name)`; `nil`: not set, or unknown."))
      printer.print(
        "public var \(Names.declared(Names.property(oneof))): \(Names.type(oneof))? = nil")
    }
  }

  private func generateInitializers(_ printer: inout CodePrinter) {
    printer.print("", "/// Every field at its default.", "public init() {}")
    guard !members.isEmpty else { return }
    let parameters = members.map { member -> (name: String, type: String, value: String) in
      switch member {
      case .field(let field): return (field.property, field.valueType, field.defaultValue)
      case .oneof(let oneof): return (Names.property(oneof), Names.type(oneof) + "?", "nil")
      }
    }
    let list = parameters.map { "\(Names.declared($0.name)): \($0.type) = \($0.value)" }
    printer.print("", "/// The fields in the order of their declaration.")
    printer.block("public init(\(list.joined(separator: ", ")))") { printer in
      for (name, _, _) in parameters {
        printer.print("self.\(Names.declared(name)) = \(Names.declared(name))")
      }
    }
  }

  private func generateViewInitializer(_ printer: inout CodePrinter) {
    printer.print("", "/// Copies everything out of the view.")
    printer.block("public init(_ view: View)") { printer in
      for member in members {
        switch member {
        case .field(let field):
          let name = Names.declared(field.property)
          printer.print("self.\(name) = \(field.fieldValue(of: "view.\(name)"))")
        case .oneof(let oneof):
          let name = Names.declared(Names.property(oneof))
          printer.print("switch view.\(name) {")
          for field in oneof.fields.map(model) {
            let value = field.value(of: "value")
            let fieldName = Names.declared(field.property)
            printer.print("case .\(fieldName)(let value): self.\(name) = .\(fieldName)(\(value))")
          }
          printer.print("case nil: self.\(name) = nil", "}")
        }
      }
    }
  }

  private func generateOneof(_ oneof: OneofDescriptor, _ printer: inout CodePrinter) {
    printer.print("")
    printer.print(lines: oneof.comment(or: "The members of `\(oneof.name)`."))
    printer.block("public enum \(Names.type(oneof)): Sendable, Hashable") { printer in
      for field in oneof.fields.map(model) {
        printer.print(lines: field.descriptor.comment(or: "`\(field.descriptor.name)`."))
        printer.print("case \(Names.declared(field.property))(\(field.payloadType))")
      }
    }
  }

  // MARK: makeCMessage

  private func generateMake(_ printer: inout CodePrinter) {
    printer.print("", "/// libprotobuf-c's structure, in the arena.")
    let head = "public func makeCMessage(in arena: Arena) throws(DecodeError) -> "
    printer.block(head + "UnsafeMutablePointer<\(cType)>") { printer in
      printer.print("let message = try arena.make(\(cFunction)__init)")
      for member in members {
        switch member {
        case .field(let field): generateSet(field, &printer)
        case .oneof(let oneof): generateSet(oneof, &printer)
        }
      }
      printer.print("return message")
    }
  }

  private func generateSet(_ field: FieldModel, _ printer: inout CodePrinter) {
    let name = "self." + Names.declared(field.property)
    let member = "message.pointee.\(field.member)"
    guard field.isRepeated else {
      for line in setSingle(field, from: name, optional: true) { printer.print(line) }
      return
    }
    let count = "message.pointee.n_\(CNames.member(field.descriptor.name))"
    if case .string = field.kind {
      printer.print(
        "(\(count), \(member)) = try arena.copy(\(name), field: \(field.number), of: message)")
    } else {
      printer.print("\(count) = \(name).count", "\(member) = try arena.copy(\(name))")
    }
  }

  /// Lines that set the member from the expression `value`.
  private func setSingle(
    _ field: FieldModel, from value: String, optional: Bool, oneofCase: String? = nil
  ) -> [String] {
    let member = "message.pointee.\(field.member)"
    let select =
      oneofCase.map { ["message.pointee.\($0) = .init(rawValue: \(field.number))"] } ?? []
    switch field.kind {
    case .scalar("Double") where oneofCase == nil, .scalar("Float") where oneofCase == nil:
      return ["\(member) = try arena.keep(\(value), field: \(field.number), of: message)"]
    case .scalar: return select + ["\(member) = \(value)"]
    case .bool: return select + ["\(member) = \(value) ? 1 : 0"]
    case .bytes: return select + ["\(member) = try arena.copy(\(value))"]
    case .enumeration:
      return select + ["\(member) = .init(rawValue: .init(truncatingIfNeeded: \(value).rawValue))"]
    case .message:
      return select + ["\(member) = try \(value)\(optional ? "?" : "").makeCMessage(in: arena)"]
    case .string:
      let copy = "try arena.copy(\(value), field: \(field.number), of: message)"
      let body = (select + ["\(member) = string"]).map { "  " + $0 }
      return ["if let string = \(copy) {"] + body + ["}"]
    }
  }

  private func generateSet(_ oneof: OneofDescriptor, _ printer: inout CodePrinter) {
    printer.print("switch self.\(Names.declared(Names.property(oneof))) {")
    let oneofCase = CNames.oneofCase(oneof.name)
    for field in oneof.fields.map(model) {
      printer.print("case .\(Names.declared(field.property))(let value):")
      let lines = setSingle(field, from: "value", optional: false, oneofCase: oneofCase)
      for line in lines { printer.print("  " + line) }
    }
    printer.print("case nil: break", "}")
  }
}
