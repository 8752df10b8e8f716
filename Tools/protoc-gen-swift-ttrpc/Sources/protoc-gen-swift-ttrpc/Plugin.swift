import SwiftProtobufPluginLibrary

/// Generates Swift over protoc-c's output: value types, borrowed views, services. See
/// `Tools/generate` for how it is called, and `Options` for its parameters.
@main struct Plugin: CodeGenerator {
  // `optional` is announced as supported so that the rules can answer with file and line.
  let supportedFeatures: [Google_Protobuf_Compiler_CodeGeneratorResponse.Feature] = [
    .proto3Optional
  ]

  func generate(
    files: [FileDescriptor], parameter: any CodeGeneratorParameter,
    protoCompilerContext: any ProtoCompilerContext, generatorOutputs: any GeneratorOutputs
  ) throws {
    let options = try Options(parameter)
    let names = Names(files: files, module: options.module, cModule: options.cModule)
    var rules = Rules(names: names, files: files, options: options)
    let violations = rules.check()
    guard violations.isEmpty else { throw RuleError(violations: violations) }

    switch options.output {
    case .check: break
    case .header:
      let header = HeaderGenerator(files: files, module: options.cModule).generate()
      try generatorOutputs.add(fileName: "\(options.cModule).h", contents: header)
    case .swift:
      for file in files {
        let generator = FileGenerator(file: file, names: names, cModule: options.cModule)
        try generatorOutputs.add(fileName: generator.fileName, contents: generator.generate())
      }
      if let registry = options.registry {
        let generator = RegistryGenerator(name: registry, files: files, names: names)
        try generatorOutputs.add(fileName: "\(registry).swift", contents: generator.generate())
      }
    }
  }
}

/// All that the proto files do outside the rules.
struct RuleError: Error, CustomStringConvertible {
  var violations: [Violation]
  var description: String { "\n" + violations.map(\.description).joined(separator: "\n") }
}
