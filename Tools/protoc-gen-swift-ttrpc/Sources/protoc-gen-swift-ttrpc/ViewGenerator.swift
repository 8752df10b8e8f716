import SwiftProtobufPluginLibrary

/// A message's borrowed view: a pointer with accessors that cost a load.
struct ViewGenerator {
  let message: Descriptor
  let names: Names

  func generate(_ printer: inout CodePrinter) {
    let cType = names.cType(message)
    let cFunction = CNames.function(message.fullName)
    printer.print("", "/// A decoded message, borrowed: valid until its arena is reset.")
    printer.block("public struct View: MessageView") { printer in
      printer.print(
        "/// libprotobuf-c's structure.",
        "public let unsafeMessage: UnsafePointer<\(cType)>",
        "/// Borrows a message that an arena made.",
        "@inlinable public init(unsafe message: UnsafePointer<\(cType)>) {",
        "  unsafeMessage = message",
        "}",
        "/// The type as libprotobuf-c knows it.",
        "@inlinable public static var descriptor: UnsafePointer<ProtobufCMessageDescriptor> {",
        "  \(cFunction)__descriptor_address()",
        "}",
        "/// Whether a `string` field is anywhere in it.",
        "@inlinable public static var containsStrings: Bool { \(containsStrings(message)) }")
      for field in message.fields where field.realContainingOneof == nil {
        let model = FieldModel(field, names: names)
        printer.print(lines: field.comment(or: "`\(field.name)`."))
        let name = Names.declared(model.property)
        printer.block("@inlinable public var \(name): \(model.viewType)") { $0.print(model.view) }
      }
      for oneof in message.realOneofs { generate(oneof, &printer) }
    }
  }

  private func generate(_ oneof: OneofDescriptor, _ printer: inout CodePrinter) {
    let type = Names.type(oneof)
    let fields = oneof.fields.map { FieldModel($0, names: names) }
    printer.print("", "/// The members of `\(oneof.name)`, borrowed.")
    printer.block("public enum \(type)") { printer in
      for field in fields {
        printer.print(lines: field.descriptor.comment(or: "`\(field.descriptor.name)`."))
        printer.print("case \(Names.declared(field.property))(\(field.viewPayloadType))")
      }
    }
    printer.print(lines: oneof.comment(or: "`\(oneof.name)`; `nil`: not set, or unknown."))
    let name = Names.declared(Names.property(oneof))
    printer.block("@inlinable public var \(name): \(type)?") { printer in
      printer.print("switch unsafeMessage.pointee.\(CNames.oneofCase(oneof.name)).rawValue {")
      for field in fields {
        let payload = ".\(Names.declared(field.property))(\(field.viewPayload))"
        printer.print("case \(field.number): return \(payload)")
      }
      printer.print("default: return nil", "}")
    }
  }

  /// Terminates: recursive types were refused.
  private func containsStrings(_ message: Descriptor) -> Bool {
    message.fields.contains { field in
      field.type == .string || (field.messageType.map(containsStrings) ?? false)
    }
  }
}
