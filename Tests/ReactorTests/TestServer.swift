import ExampleAPI
import Glibc
import Logging
import ProtobufC
import ServiceLifecycle
import Synchronization
import TTRPC
import TTRPCTestSupport

@testable import Reactor

/// Answers with the request's bytes, on the loop.
final class EchoHandler: InlineHandler {
  func prepare(_ call: inout InlineCall) {}
  func execute(_ call: inout InlineCall, _ response: inout ResponseWriter) {
    response.respond(call.payload)
  }
}

/// A running server on a Unix socket and a TCP port of their own.
final class TestServer: Sendable {
  let server: ReactorServer
  let port: UInt16
  let path: String

  private init(_ server: ReactorServer, _ port: UInt16, _ path: String) {
    self.server = server
    self.port = port
    self.path = path
  }

  func connect(isUnix: Bool = false) throws -> BlockingClient {
    isUnix ? try BlockingClient(unixPath: path) : try BlockingClient(port: port)
  }

  /// Registers what every test may call: `test.Echo/Echo`.
  static func echo(_ loop: ServerLoop) -> Dispatcher {
    var dispatcher = Dispatcher(loop: loop)
    dispatcher.register(
      inline: EchoHandler(), for: MethodDescriptor(service: "test.Echo", name: "Echo"))
    return dispatcher
  }

  /// Serves while `body` runs, which blocks on a thread of its own, then drains.
  static func with<Result: Sendable>(
    _ template: ReactorConfiguration = .test(),
    dispatcher: @escaping ReactorServer.MakeDispatcher = { echo($0) },
    _ body: @escaping @Sendable (TestServer) throws -> Result
  ) async throws -> Result {
    let directory = try makeDirectory()
    let path = directory + "/s"
    var configuration = template
    configuration.listeners = [.tcp(host: "127.0.0.1", port: 0), .unix(path: path)]
    let server = ReactorServer(
      configuration: configuration, logger: quietLogger, makeDispatcher: dispatcher)
    guard case .tcp(_, let port) = try server.bind().first else { fatalError("no TCP") }
    let running = Task { try await server.run() }
    let result = await onThread { try body(TestServer(server, port, path)) }
    server.shutDown()
    try await running.value
    rmdir(directory)
    return try result.get()
  }
}

extension ReactorConfiguration {
  /// The listeners are set later.
  static func test(
    threads: Int = 1, drainTimeout: Duration = .seconds(10), idleTimeout: Duration? = nil,
    stallTimeout: Duration = .seconds(30), maxConnections: Int = 10_000
  ) -> ReactorConfiguration {
    var configuration = ReactorConfiguration(listeners: [])
    configuration.threads = threads
    configuration.drainTimeout = drainTimeout
    configuration.idleTimeout = idleTimeout
    configuration.stallTimeout = stallTimeout
    configuration.maxConnections = maxConnections
    return configuration
  }
}

let quietLogger = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })

/// A new directory under /tmp.
func makeDirectory() throws -> String {
  var template = Array("/tmp/reactor-test-XXXXXX".utf8CString)
  guard mkdtemp(&template) != nil else { throw BindError(operation: "mkdtemp", errno) }
  return template.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
}

/// Runs what blocks on a thread of its own, so that Swift's stay free.
func onThread<Value: Sendable>(
  _ body: @escaping @Sendable () throws -> Value
) async -> Result<Value, any Error> {
  await withCheckedContinuation { continuation in
    let box = Unmanaged.passRetained(
      Box { continuation.resume(returning: Result { try body() }) })
    var thread = pthread_t()
    let code = pthread_create(
      &thread, nil,
      { argument in
        Unmanaged<Box>.fromOpaque(argument!).takeRetainedValue().body()
        return nil
      }, box.toOpaque())
    precondition(code == 0)
    pthread_detach(thread)
  }
}

private final class Box: Sendable {
  let body: @Sendable () -> Void
  init(_ body: @escaping @Sendable () -> Void) { self.body = body }
}
