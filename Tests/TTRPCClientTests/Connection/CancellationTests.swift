import NIOConcurrencyHelpers
import TTRPC
import TTRPCClient
import Testing

@Suite("Giving up calls") struct CancellationTests {
  /// Answers "go" at once and holds everything else until `release`.
  private final class HoldingServer: Sendable {
    let held = NIOLockedValueBox<[(Wire.Request, ScriptedServer.Peer)]>([])
    let arrivals = AsyncStream.makeStream(of: Void.self)

    func script(_ request: Wire.Request, _ peer: ScriptedServer.Peer) {
      if request.payload == Array("go".utf8) { return peer.answer(request) }
      held.withLockedValue { $0.append((request, peer)) }
      arrivals.continuation.yield()
    }

    func waitForArrivals(_ count: Int) async {
      var iterator = arrivals.stream.makeAsyncIterator()
      for _ in 0..<count { await iterator.next() }
    }

    func release() {
      for (request, peer) in held.withLockedValue({ $0 }) { peer.answer(request) }
    }
  }

  @Test("Cancelling one call leaves the others alone; its late answer is dropped")
  func cancelOne() async throws {
    let holding = HoldingServer()
    let server = try await ScriptedServer { holding.script($0, $1) }
    try await withClient(of: server) { client in
      let first = Task { try await client.echo("first") }
      let second = Task { try await client.echo("second") }
      await holding.waitForArrivals(2)
      first.cancel()
      let error = await #expect(throws: RPCError.self) { try await first.value }
      #expect(error?.code == .cancelled && error?.isOutcomeUnknown == true)
      try await client.expectEcho("go")
      holding.release()
      try await expect(second, "second")
      try await client.expectEcho("go")
    }
    #expect(server.connectionCount == 1)
  }

  @Test("A call in a cancelled task is not sent")
  func cancelledBefore() async throws {
    let seen = NIOLockedValueBox(0)
    let server = try await ScriptedServer { request, peer in
      seen.withLockedValue { $0 += 1 }
      peer.answer(request)
    }
    try await withClient(of: server) { client in
      let task = Task {
        while !Task.isCancelled { await Task.yield() }
        return try await client.echo("never")
      }
      task.cancel()
      let error = await #expect(throws: RPCError.self) { try await task.value }
      #expect(error?.code == .cancelled && error?.isOutcomeUnknown == false)
      try await client.expectEcho("go")
    }
    #expect(seen.withLockedValue { $0 } == 1)
  }

  @Test("A call that waits for room in flight can be cancelled, and is not sent")
  func cancelWaiting() async throws {
    let holding = HoldingServer()
    let server = try await ScriptedServer { holding.script($0, $1) }
    try await withClient(of: server) {
      $0.maxCallsInFlight = 1
    } _: { client in
      let first = Task { try await client.echo("first") }
      await holding.waitForArrivals(1)
      let waiting = Task { try await client.echo("waiting") }
      waiting.cancel()
      let error = await #expect(throws: RPCError.self) { try await waiting.value }
      #expect(error?.code == .cancelled && error?.isOutcomeUnknown == false)
      holding.release()
      try await expect(first, "first")
    }
    #expect(holding.held.withLockedValue(\.count) == 1)
  }

  @Test("Hundreds of cancellations and deadlines beside calls that succeed")
  func storm() async throws {
    let server = try await ScriptedServer { request, peer in
      if request.payload.first == UInt8(ascii: "a") { peer.answer(request) }
    }
    try await withClient(of: server) { client in
      await withTaskGroup(of: Void.self) { group in
        for number in 0..<600 {
          group.addTask {
            switch number % 3 {
            case 0:
              let answer = try? await client.echo("a\(number)")
              #expect(answer == "a\(number)")
            case 1:
              let error = await failure { () async throws(RPCError) in
                try await client.echo("d", timeout: .milliseconds(Int.random(in: 1...20)))
              }
              #expect(error?.code == .deadlineExceeded)
            default:
              let task = Task { try await client.echo("c") }
              if number % 2 == 0 { await Task.yield() }
              task.cancel()
              let error = await #expect(throws: RPCError.self) { try await task.value }
              #expect(error?.code == .cancelled)
            }
          }
        }
      }
    }
  }

  @Test(
    "A deadline that has passed sends nothing",
    arguments: [Duration.zero, .seconds(-1), .nanoseconds(-1), .seconds(Int64.min)])
  func pastDeadline(timeout: Duration) async throws {
    let server = try await ScriptedServer { $1.answer($0) }
    let error = try await withClient(of: server) { client in
      await failure { () async throws(RPCError) in try await client.echo("x", timeout: timeout) }
    }
    #expect(error?.code == .deadlineExceeded && error?.isOutcomeUnknown == false)
    #expect(server.connectionCount == 0)
  }

  @Test("The longest timeout is one, and the server sees what is left of it")
  func longestTimeout() async throws {
    let seen = NIOLockedValueBox<[Int64]>([])
    let server = try await ScriptedServer { request, peer in
      seen.withLockedValue { $0.append(request.timeoutNanos) }
      peer.answer(request)
    }
    try await withClient(of: server) {
      $0.defaultTimeout = nil
    } _: { client in
      #expect(try await client.echo("x", timeout: .seconds(Int64.max)) == "x")
      try await client.expectEcho("x")
    }
    let nanos = seen.withLockedValue { $0 }
    #expect(nanos[0] > 1_000_000_000_000_000_000 && nanos[1] == 0)
  }
}
