import Logging
import NIOConcurrencyHelpers
import ServiceLifecycle
import TTRPC
import TTRPCClient
import Testing

@Suite("The end of a client") struct ShutdownTests {
  /// Tells when a request has come, and answers it when it is told to.
  private final class Gate: Sendable {
    let arrived = AsyncStream.makeStream(of: Void.self)
    private let held = NIOLockedValueBox<[(Wire.Request, ScriptedServer.Peer)]>([])

    func script(_ request: Wire.Request, _ peer: ScriptedServer.Peer) {
      held.withLockedValue { $0.append((request, peer)) }
      arrived.continuation.yield()
    }
    func waitForArrival() async { for await _ in arrived.stream { return } }
    func open() {
      for (request, peer) in held.withLockedValue({ $0 }) { peer.answer(request) }
    }
  }

  @Test("Closing lets calls in flight finish and refuses new ones")
  func graceful() async throws {
    let gate = Gate()
    let server = try await ScriptedServer { gate.script($0, $1) }
    var configuration = TTRPCClientConfiguration(endpoint: server.endpoint)
    configuration.shutdownTimeout = .seconds(20)
    let client = TTRPCClient(configuration: configuration)
    let inFlight = Task { try await client.echo("in flight") }
    await gate.waitForArrival()
    let closing = Task { await client.close() }
    var refused: RPCError?
    while refused == nil {
      refused = await failure { () async throws(RPCError) in
        try await client.echo("new", timeout: .milliseconds(1))
      }
      if refused?.code == .deadlineExceeded { refused = nil }
    }
    #expect(refused?.code == .unavailable && refused?.isOutcomeUnknown == false)
    gate.open()
    try await expect(inFlight, "in flight")
    await closing.value
    await client.close()
    await server.stop()
  }

  @Test("Calls that do not finish in time fail; their outcome is unknown")
  func timeout() async throws {
    let gate = Gate()
    let server = try await ScriptedServer { gate.script($0, $1) }
    var configuration = TTRPCClientConfiguration(endpoint: server.endpoint)
    configuration.shutdownTimeout = .milliseconds(20)
    let client = TTRPCClient(configuration: configuration)
    let inFlight = Task { try await client.echo("x") }
    await gate.waitForArrival()
    await client.close()
    let error = await #expect(throws: RPCError.self) { try await inFlight.value }
    #expect(error?.code == .unavailable && error?.isOutcomeUnknown == true)
    #expect(error?.isClientClosed == false)
    await server.stop()
  }

  @Test("Closing a client that never connected returns at once")
  func unused() async throws {
    let client = TTRPCClient(
      configuration: TTRPCClientConfiguration(endpoint: .unix(path: "/nowhere")))
    await client.close()
    let error = await failure { () async throws(RPCError) in try await client.echo("x") }
    #expect(error?.code == .unavailable && error?.isClientClosed == true)
  }

  @Test("In a service group it runs until the graceful shutdown")
  func serviceGroup() async throws {
    let server = try await ScriptedServer { $1.answer($0) }
    let client = TTRPCClient(
      configuration: TTRPCClientConfiguration(endpoint: server.endpoint))
    let group = ServiceGroup(services: [client], logger: Logger(label: "test"))
    try await withThrowingTaskGroup(of: Void.self) { tasks in
      tasks.addTask { try await group.run() }
      try await client.expectEcho("served")
      await group.triggerGracefulShutdown()
      try await tasks.waitForAll()
    }
    await server.stop()
  }

  @Test("Cancelling run() closes at once")
  func cancelled() async throws {
    let gate = Gate()
    let server = try await ScriptedServer { gate.script($0, $1) }
    let client = TTRPCClient(
      configuration: TTRPCClientConfiguration(endpoint: server.endpoint))
    let running = Task { try await client.run() }
    let inFlight = Task { try await client.echo("x") }
    await gate.waitForArrival()
    running.cancel()
    try await running.value
    await #expect(throws: RPCError.self) { try await inFlight.value }
    await server.stop()
  }

  @Test("A client that is dropped without a close hangs up")
  func dropped() async throws {
    let ended = AsyncStream.makeStream(of: Void.self)
    let server = try await ScriptedServer { peer in
      peer.channel.closeFuture.whenComplete { _ in ended.continuation.yield() }
    } script: {
      $1.answer($0)
    }
    do {
      let client = TTRPCClient(
        configuration: TTRPCClientConfiguration(endpoint: server.endpoint))
      try await client.expectEcho("x")
    }
    for await _ in ended.stream { break }
    await server.stop()
  }
}
