import NIOConcurrencyHelpers
import TTRPC
import TTRPCClient
import Testing

@Suite("Calls over a connection") struct CallTests {
  @Test("A call brings the server's answer, and the server sees what the caller gave")
  func answer() async throws {
    let seen = NIOLockedValueBox<Wire.Request?>(nil)
    let server = try await ScriptedServer { request, peer in
      seen.withLockedValue { $0 = request }
      peer.answer(request)
    }
    let answer = try await withClient(of: server) {
      try await $0.echo("hello", timeout: .seconds(5), metadata: ["trace": "7", "trace": "8"])
    }
    #expect(answer == "hello")
    let request = try #require(seen.withLockedValue { $0 })
    #expect(request.service == "test.Echo" && request.method == "Echo")
    #expect(request.metadata.map(\.key) == ["trace", "trace"])
    #expect(request.metadata.map(\.value) == ["7", "8"])
    #expect((4_000_000_000...5_000_000_000).contains(request.timeoutNanos))
  }

  @Test("Ten thousand calls at once each get their own answer, on one connection")
  func manyCalls() async throws {
    let server = try await ScriptedServer { $1.answer($0) }
    try await withClient(of: server) { client in
      let sum = try await withThrowingTaskGroup(of: Int.self) { group in
        for number in 0..<10_000 {
          group.addTask {
            let answer = try await client.echo("\(number)")
            return answer == "\(number)" ? 1 : 0
          }
        }
        return try await group.reduce(0, +)
      }
      #expect(sum == 10_000)
    }
    #expect(server.connectionCount == 1)
  }
}
