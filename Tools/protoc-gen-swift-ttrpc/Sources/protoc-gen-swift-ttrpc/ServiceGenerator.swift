import SwiftProtobufPluginLibrary

/// A service: its methods, the protocol that a server implements with its registration, and the
/// stub that a client calls.
struct ServiceGenerator {
  let service: ServiceDescriptor
  let names: Names

  fileprivate struct Method {
    let descriptor: MethodDescriptor
    let name: String
    let request: String
    let response: String

    init(_ method: MethodDescriptor, names: Names) {
      descriptor = method
      name = Names.declared(Names.method(method))
      request = names.reference(method.inputType, in: nil)
      response = names.reference(method.outputType, in: nil)
    }

    var kind: String {
      switch (descriptor.clientStreaming, descriptor.serverStreaming) {
      case (false, false): return "unary"
      case (true, false): return "clientStreaming"
      case (false, true): return "serverStreaming"
      case (true, true): return "bidirectional"
      }
    }

    var comment: [String] { descriptor.comment(or: "`\(descriptor.fullName)`.") }
  }

  private var methods: [Method] { service.methods.map { Method($0, names: names) } }

  func generate(_ printer: inout CodePrinter) {
    printer.print("")
    printer.print(lines: service.comment(or: "`\(service.fullName)`."))
    printer.block("public enum \(Names.type(service))") { printer in
      printer.print(
        "/// As calls name it.", "public static let serviceName = \"\(service.fullName)\"")
      generateMethods(&printer)
      generateProtocol(&printer)
      generateRegistration(&printer)
      generateClient(&printer)
    }
  }

  private func generateMethods(_ printer: inout CodePrinter) {
    printer.print("", "/// The methods with their message types.")
    printer.block("public enum Methods") { printer in
      for method in methods {
        let descriptor =
          "MethodDescriptor(service: \"\(service.fullName)\", "
          + "name: \"\(method.descriptor.name)\", kind: .\(method.kind))"
        printer.print(lines: method.comment)
        printer.print(
          "public static let \(method.name) = Method<\(method.request), \(method.response)>(",
          "  \(descriptor))")
      }
      let list = methods.map { "\($0.name).descriptor" }.joined(separator: ", ")
      printer.print("/// In the order of their declaration.")
      printer.print("public static let all: [MethodDescriptor] = [\(list)]")
    }
  }

  // MARK: The server's side

  private func generateProtocol(_ printer: inout CodePrinter) {
    printer.print("", "/// What a server implements; `register` puts it on a dispatcher.")
    printer.block("public protocol Service: Sendable") { printer in
      for method in methods {
        let parameters =
          (method.descriptor.clientStreaming
            ? "_ requests: RequestStream<\(method.request)>" : "_ request: \(method.request)")
          + (method.descriptor.serverStreaming
            ? ", responses: ResponseSink<\(method.response)>" : "")
        let result = method.descriptor.serverStreaming ? "" : " -> \(method.response)"
        printer.print(lines: method.comment)
        printer.print(
          "/// - Throws: `RPCError`, which the caller gets; others read INTERNAL there.")
        printer.print("func \(method.name)(")
        printer.print("  \(parameters), call: ServerCall", ") async throws\(result)")
      }
    }
  }

  private func generateRegistration(_ printer: inout CodePrinter) {
    printer.print("", "/// Lets `service` answer every method that is on the dispatcher.")
    printer.block(
      "public static func register(_ service: some Service, on dispatcher: inout Dispatcher)"
    ) { printer in
      for method in methods {
        let label = method.kind == "unary" ? "handler" : method.kind
        let first = method.descriptor.clientStreaming ? "requests" : "request"
        let sink = method.descriptor.serverStreaming
        let parameters = first + (sink ? ", responses, call" : ", call")
        let arguments = first + (sink ? ", responses: responses" : "") + ", call: call"
        printer.print(
          "dispatcher.register(Methods.\(method.name), \(label): { (\(parameters)) in",
          "  try await service.\(method.name)(\(arguments))", "})")
      }
    }
  }

  // MARK: The client's side

  private func generateClient(_ printer: inout CodePrinter) {
    printer.print("", "/// Calls the service; each call encodes, waits, and decodes.")
    printer.block("public struct Client: Sendable") { printer in
      printer.print(
        "/// What carries the calls.",
        "public let rpc: any RPCClient",
        "/// Calls through `rpc`.",
        "public init(_ rpc: any RPCClient) { self.rpc = rpc }")
      for method in methods { generateCall(method, &printer) }
    }
  }

  private func generateCall(_ method: Method, _ printer: inout CodePrinter) {
    let takesRequest = !method.descriptor.clientStreaming
    printer.print("")
    printer.print(lines: method.comment)
    printer.print("/// - Throws: `RPCError`, whatever went wrong.")
    printer.print("public func \(method.name)(")
    let request = takesRequest ? "_ request: \(method.request), " : ""
    printer.print("  \(request)options: CallOptions = CallOptions()")
    printer.block(") async throws(RPCError) -> \(clientResult(method))") {
      let argument = takesRequest ? ", request" : ""
      let function = method.kind == "unary" ? "call" : method.kind
      $0.print("try await rpc.\(function)(Methods.\(method.name)\(argument), options: options)")
    }
  }

  private func clientResult(_ method: Method) -> String {
    switch method.kind {
    case "unary": return method.response
    case "serverStreaming": return "ResponseStream<\(method.response)>"
    default: return "StreamingCall<\(method.request), \(method.response)>"
    }
  }
}
