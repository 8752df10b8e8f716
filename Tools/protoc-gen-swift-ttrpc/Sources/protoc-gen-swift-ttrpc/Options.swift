import SwiftProtobufPluginLibrary

/// The plugin's parameters, `Key=Value` joined by commas.
struct Options {
  enum Output: String {
    /// One `.ttrpc.swift` for each proto file.
    case swift = "Swift"
    /// The C module's umbrella header.
    case header = "Header"
    /// Nothing: only the rules are checked.
    case check = "Check"
  }

  /// `Output`: what to write.
  var output = Output.swift
  /// `CModule`: the module that holds protoc-c's output for the same files.
  var cModule = ""
  /// `Module`: the Swift module that the output will be part of. Needed only where a nested name
  /// hides a top-level one.
  var module: String?
  /// `Registry`: the name of an enum that lists every method, for calls with JSON.
  var registry: String?

  init(_ parameter: any CodeGeneratorParameter) throws {
    for (key, value) in parameter.parsedPairs {
      switch key {
      case "Output":
        guard let output = Output(rawValue: value) else {
          throw OptionError("Output=\(value): use Swift, Header or Check")
        }
        self.output = output
      case "CModule": cModule = value
      case "Module": module = value
      case "Registry": registry = value
      default: throw OptionError("unknown parameter \(key): use Output, CModule, Module, Registry")
      }
    }
    if output != .check && cModule.isEmpty {
      throw OptionError("CModule=NAME is missing: the module that holds protoc-c's output")
    }
  }
}

struct OptionError: Error, CustomStringConvertible {
  var description: String
  init(_ description: String) { self.description = description }
}
