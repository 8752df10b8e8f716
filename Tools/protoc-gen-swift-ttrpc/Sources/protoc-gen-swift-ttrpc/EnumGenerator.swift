import SwiftProtobufPluginLibrary

/// An open enum: a number without a name becomes `unrecognized`.
struct EnumGenerator {
  let enumeration: EnumDescriptor

  func generate(_ printer: inout CodePrinter) {
    let name = Names.type(enumeration)
    let values = Array(zip(enumeration.values, Names.cases(enumeration)))
    var firsts: [Int32: String] = [:]
    for (value, name) in values where firsts[value.number] == nil { firsts[value.number] = name }
    let distinct = values.filter { firsts[$0.0.number] == $0.1 }
    printer.print("")
    printer.print(lines: enumeration.comment(or: "`\(enumeration.fullName)`."))
    printer.block("public enum \(name): OpenEnum") { printer in
      for (value, name) in distinct {
        printer.print(lines: value.comment(or: "`\(value.name)`."))
        printer.print("case \(Names.declared(name))")
      }
      printer.print("/// A number that this version does not know.")
      printer.print("case unrecognized(Int32)")
      for (value, name) in values where firsts[value.number] != name {
        let target = firsts[value.number]!
        printer.print("")
        printer.print(lines: value.comment(or: "Another name of `\(target)`."))
        let alias = Names.declared(name)
        printer.print("public static var \(alias): Self { .\(Names.declared(target)) }")
      }
      generateCoding(distinct, &printer)
    }
  }

  private func generateCoding(
    _ values: [(EnumValueDescriptor, String)], _ printer: inout CodePrinter
  ) {
    let zero = values.first { $0.0.number == 0 } ?? values[0]
    printer.print("")
    printer.print("/// The default.")
    printer.print("@inlinable public init() { self = .\(Names.declared(zero.1)) }")
    printer.print("")
    printer.block("@inlinable public init(rawValue: Int32)") { printer in
      printer.print("switch rawValue {")
      for (value, name) in values {
        printer.print("case \(value.number): self = .\(Names.declared(name))")
      }
      printer.print("default: self = .unrecognized(rawValue)", "}")
    }
    printer.print("")
    printer.block("@inlinable public var rawValue: Int32") { printer in
      printer.print("switch self {")
      for (value, name) in values {
        printer.print("case .\(Names.declared(name)): return \(value.number)")
      }
      printer.print("case .unrecognized(let number): return number", "}")
    }
    printer.print("")
    printer.print("/// Those with a name.")
    let list = values.map { ".\(Names.declared($0.1))" }.joined(separator: ", ")
    printer.print("public static var allCases: [Self] { [\(list)] }")
  }
}
