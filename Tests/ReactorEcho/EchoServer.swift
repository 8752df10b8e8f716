import Logging
import Reactor
import ServiceLifecycle
import TTRPC

#if canImport(Glibc)
  import Glibc
#endif

/// A server in a process of its own, for tests that take its descriptors or send it signals. It
/// prints where it listens; `test.Echo/Echo` answers with the request, `test.Echo/Sleep` after a
/// task has waited so many milliseconds as the request has bytes.
@main
struct EchoServer {
  static func main() async throws {
    let logger = Logger(label: "echo", factory: { StreamLogHandler.standardError(label: $0) })
    let server = ReactorServer(
      configuration: ReactorConfiguration(listeners: [.tcp(host: "127.0.0.1", port: 0)]),
      logger: logger, makeDispatcher: { makeDispatcher($0) })
    for address in try server.bind() { print(address) }
    fflush(nil)
    let group = ServiceGroup(
      services: [server], gracefulShutdownSignals: [.sigterm], logger: logger)
    try await group.run()
  }

  private static func makeDispatcher(_ loop: ServerLoop) -> Dispatcher {
    var dispatcher = Dispatcher(loop: loop)
    dispatcher.register(
      inline: EchoHandler(), for: MethodDescriptor(service: "test.Echo", name: "Echo"))
    dispatcher.register(
      inline: SleepHandler(), for: MethodDescriptor(service: "test.Echo", name: "Sleep"))
    return dispatcher
  }
}

private final class EchoHandler: InlineHandler {
  func prepare(_ call: inout InlineCall) {}
  func execute(_ call: inout InlineCall, _ response: inout ResponseWriter) {
    response.respond(call.payload)
  }
}

private final class SleepHandler: InlineHandler {
  func prepare(_ call: inout InlineCall) {}
  func execute(_ call: inout InlineCall, _ response: inout ResponseWriter) {
    let (deferred, millis) = (response.deferred(), call.payload.count)
    Task {
      try? await Task.sleep(for: .milliseconds(millis))
      deferred.respond([])
    }
  }
}
