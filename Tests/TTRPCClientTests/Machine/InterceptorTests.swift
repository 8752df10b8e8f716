import NIOConcurrencyHelpers
import TTRPC
import TTRPCClient
import Testing

@Suite("Client interceptors") struct InterceptorTests {
  /// Notes its name before and after the call.
  private struct Noting: ClientInterceptor {
    let name: String
    let notes: NIOLockedValueBox<[String]>
    func unary(
      _ call: ClientCall, _ request: [UInt8], next: Unary
    ) async throws(RPCError) -> [UInt8] {
      notes.withLockedValue { $0.append("\(name) before") }
      var call = call
      call.metadata.append(name, for: "via")
      let answer = try await next(call, request)
      notes.withLockedValue { $0.append("\(name) after") }
      return answer
    }
    func stream(
      _ call: ClientCall, next: Streaming
    ) async throws(RPCError) -> any RPCStream {
      notes.withLockedValue { $0.append("\(name) opens \(call.method.name)") }
      return try await next(call)
    }
  }

  private let call = ClientCall(method: echo, peer: "tcp://here:1")

  @Test("The first is the outermost, for unary and streaming calls")
  func order() async throws {
    let notes = NIOLockedValueBox<[String]>([])
    let chain = ClientInterceptorChain([
      Noting(name: "a", notes: notes), Noting(name: "b", notes: notes),
    ])
    let answer = try await chain.unary(call, [1]) { (call, request) async throws(RPCError) in
      #expect(call.metadata.all("via") == ["a", "b"])
      return request + [2]
    }
    #expect(answer == [1, 2])
    let error = await failure { () async throws(RPCError) in
      try await chain.stream(call) { (_) async throws(RPCError) in
        throw RPCError(.unimplemented, "none")
      }
    }
    #expect(error?.code == .unimplemented)
    #expect(
      notes.withLockedValue { $0 } == [
        "a before", "b before", "b after", "a after", "a opens Echo", "b opens Echo",
      ])
  }

  /// How often a retried call is tried, whose attempts fail one after the other.
  private func attempts(
    _ errors: [RPCError], mayRunTwice: Bool, deadline: ContinuousClock.Instant? = nil
  ) async -> (count: Int, error: RPCError?) {
    let count = NIOLockedValueBox(0)
    let retry = RetryInterceptor(
      policy: .init(maxAttempts: 3, initialPause: .milliseconds(1))
    ) { _ in mayRunTwice }
    var call = call
    call.deadline = deadline
    let error = await failure { [call] () async throws(RPCError) in
      try await retry.unary(call, []) { (_, _) async throws(RPCError) in
        let attempt = count.withLockedValue { count -> Int in
          count += 1
          return count
        }
        if attempt <= errors.count { throw errors[attempt - 1] }
        return []
      }
    }
    return (count.withLockedValue { $0 }, error)
  }

  @Test("What was not executed is repeated; an unknown outcome only where that does no harm")
  func retries() async {
    let refused = RPCError(.unavailable, "draining")
    let unknown = refused.withUnknownOutcome()
    #expect(await attempts([refused], mayRunTwice: false).count == 2)
    #expect(await attempts([unknown], mayRunTwice: false).count == 1)
    #expect(await attempts([unknown], mayRunTwice: true).count == 2)
    let exhausted = await attempts([refused, refused, refused], mayRunTwice: true)
    #expect(exhausted.count == 3 && exhausted.error == refused)
    for code in StatusCode.allCases where code != .unavailable && code != .ok {
      let result = await attempts([RPCError(code, "")], mayRunTwice: true)
      #expect(result.count == 1 && result.error?.code == code)
    }
  }

  @Test("A closed client is not asked again")
  func closed() async {
    let result = await attempts([.clientClosed("closed")], mayRunTwice: true)
    #expect(result.count == 1 && result.error?.code == .unavailable)
  }

  @Test("Nothing is repeated after the deadline")
  func deadline() async {
    let info = StatusDetail(
      typeURL: "type.googleapis.com/google.rpc.RetryInfo", value: [0x0a, 0x02, 0x08, 0x01])
    let busy = RPCError(.unavailable, "busy", details: [info])
    #expect(busy.retryDelay == .seconds(1))
    let result = await attempts(
      [busy], mayRunTwice: true, deadline: .now + .milliseconds(500))
    #expect(result.count == 1 && result.error == busy)
  }

  @Test(
    "A retry delay that makes no sense is none",
    arguments: [
      [], [0x0a], [0x0a, 0x05, 0x08], [0x08, 0x01],
      [0x0a, 0x0b, 0x08, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1], [0x0d, 1, 2, 3, 4],
    ] as [[UInt8]])
  func badDelay(value: [UInt8]) {
    let info = StatusDetail(typeURL: "x/google.rpc.RetryInfo", value: value)
    #expect(RPCError(.unavailable, "", details: [info]).retryDelay == nil)
  }

  @Test("An unknown outcome is said once, and survives as a detail")
  func outcome() {
    let error = RPCError(.cancelled, "x")
    #expect(!error.isOutcomeUnknown)
    let unknown = error.withUnknownOutcome().withUnknownOutcome()
    #expect(unknown.isOutcomeUnknown && unknown.details.count == 1)
  }
}

@Suite("Endpoints") struct EndpointTests {
  @Test(
    "What is written is read, and comes back",
    arguments: [
      ("tcp://localhost:7667", Endpoint.tcp(host: "localhost", port: 7667)),
      ("tcp://127.0.0.1:1", .tcp(host: "127.0.0.1", port: 1)),
      ("tcp://[::1]:65535", .tcp(host: "::1", port: 65535)),
      ("unix:///run/roost.sock", .unix(path: "/run/roost.sock")),
    ])
  func valid(text: String, endpoint: Endpoint) {
    #expect(Endpoint(text) == endpoint)
    #expect(endpoint.description == text)
  }

  @Test(
    "Anything else is none",
    arguments: [
      "", "localhost:1", "tcp://", "tcp://host", "tcp://:1", "tcp://host:", "tcp://host:0",
      "tcp://host:65536", "tcp://host:+1", "tcp://host:1x", "tcp://::1:1", "tcp://[]:1",
      "tcp://[::1]", "tcp://a/b:1", "unix://", "unix:///", "unix://relative", "http://host:1",
    ])
  func invalid(text: String) {
    #expect(Endpoint(text) == nil)
  }
}
