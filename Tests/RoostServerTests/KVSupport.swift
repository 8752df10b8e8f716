import Glibc
import Logging
import RoostAPI
import ServiceLifecycle
import TTRPC
import Testing

@testable import RoostServer

/// A real server on a Unix socket, with an engine of its own.
struct TestServer {
  let server: RoostServer
  let socketPath: String

  /// One more connection.
  func connect() throws -> WireConnection { try WireConnection(unixPath: socketPath) }

  /// Calls over one more connection.
  func kv() throws -> KV.Client { KV.Client(try connect()) }
  func admin() throws -> Admin.Client { Admin.Client(try connect()) }

  /// Runs `body` against a server, then drains that.
  /// - Parameters:
  ///   - principal: who makes every call; `nil`: authentication is off.
  ///   - interceptor: what else sees every call.
  ///   - configure: changes the configuration; by default to the memory engine.
  static func with(
    principal: Principal? = nil, interceptor: (any ServerInterceptor & Sendable)? = nil,
    limits: ServerLimits = ServerLimits(),
    configure: (inout ServerConfiguration) -> Void = { $0.engine = .memory },
    _ body: (TestServer) async throws -> Void
  ) async throws {
    var template = Array("/tmp/roost-test-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { throw WireConnection.WireError(what: "mkdtemp") }
    let directory = template.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
    let path = directory + "/s"
    var configuration = ServerConfiguration(dataDirectory: directory)
    configuration.listen = ["unix://\(path)"]
    configuration.auth = .off
    configuration.limits = limits
    configure(&configuration)
    var logger = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
    logger.logLevel = .critical
    let server = try RoostServer(configuration: configuration, logger: logger) { dispatcher, _ in
      if let principal { dispatcher.add(interceptor: FixedPrincipal(principal)) }
      if let interceptor { dispatcher.add(interceptor: interceptor) }
    }
    try server.bind()
    let group = ServiceGroup(services: [server], logger: logger)
    async let running: Void = group.run()
    let result: Result<Void, any Error>
    do {
      result = .success(try await body(TestServer(server: server, socketPath: path)))
    } catch {
      result = .failure(error)
    }
    await group.triggerGracefulShutdown()
    try await running
    unlink(path)
    rmdir(directory)
    try result.get()
  }
}

/// Makes every call the principal's.
final class FixedPrincipal: ServerInterceptor {
  private let principal: Principal
  init(_ principal: Principal) { self.principal = principal }

  func intercept(_ call: inout InlineCall) -> Decision {
    call.attachment = Unmanaged.passUnretained(principal)
    return .proceed
  }
}

extension [UInt8] {
  /// A text's UTF-8.
  init(_ text: String) { self = Array(text.utf8) }
}

extension Value {
  static func text(_ text: String) -> Value { Value(kind: .textValue([UInt8](text))) }
  static func int(_ value: Int64) -> Value { Value(kind: .intValue(value)) }
  static func bytes(_ bytes: [UInt8]) -> Value { Value(kind: .bytesValue(bytes)) }
  static func list(_ items: [String]) -> Value {
    Value(kind: .listValue(ListValue(items: items.map { [UInt8]($0) })))
  }
}

extension KV.Client {
  @discardableResult
  func set(_ key: String, _ value: Value) async throws -> SetResponse {
    try await set(SetRequest(key: [UInt8](key), value: value))
  }

  func get(_ key: String) async throws -> GetResponse {
    try await get(GetRequest(key: [UInt8](key)))
  }
}

/// The code with which `call` fails; `ok` where it does not.
func code<T>(_ call: () async throws -> T) async -> StatusCode {
  do {
    _ = try await call()
    return .ok
  } catch {
    return (error as? RPCError)?.code ?? .unknown
  }
}
