import ExampleAPI
import Glibc
import TTRPC
import TTRPCTestSupport
import Testing

@testable import Reactor

@Suite("Serving over sockets")
struct ServingTests {
  @Test("A call over TCP and over a Unix socket is answered with its stream's ID")
  func echoes() async throws {
    try await TestServer.with { server in
      for client in [try server.connect(), try BlockingClient(unixPath: server.path)] {
        #expect(
          try client.call(Wire.request(stream: 7, payload: [1, 2, 3]))
            == WireAnswer(stream: 7, payload: [1, 2, 3]))
      }
    }
  }

  @Test("Pipelined calls are answered in their order", arguments: [1, 3])
  func pipelines(threads: Int) async throws {
    try await TestServer.with(.test(threads: threads)) { server in
      let clients = try (0..<6).map { _ in try server.connect() }
      let calls = (0..<2_000).map { UInt32($0) * 2 + 1 }
      for client in clients {
        try client.send(
          calls.flatMap { Wire.request(stream: $0, payload: Wire.varint(UInt64($0))) })
      }
      for client in clients {
        let answers = try client.receive(calls.count)
        #expect(answers == calls.map { WireAnswer(stream: $0, payload: Wire.varint(UInt64($0))) })
      }
      #expect(server.server.counters.connectionCount == 6)
    }
  }
}
