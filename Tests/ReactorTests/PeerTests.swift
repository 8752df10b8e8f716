import Glibc
import Synchronization
import TTRPC
import TTRPCTestSupport
import Testing

@testable import Reactor

@Suite("Peers that misbehave", .serialized)
struct PeerTests {
  private static let blob = MethodDescriptor(service: "test.Echo", name: "Blob")

  /// Answers with so many bytes as the request's first byte says MiB.
  private final class BlobHandler: InlineHandler {
    func prepare(_ call: inout InlineCall) {}
    func execute(_ call: inout InlineCall, _ response: inout ResponseWriter) {
      [UInt8](repeating: 1, count: Int(call.payload[0]) << 20).withUnsafeBytes {
        response.respond($0)
      }
    }
  }

  private static func withBlobs(_ loop: ServerLoop) -> Dispatcher {
    var dispatcher = TestServer.echo(loop)
    dispatcher.register(inline: BlobHandler(), for: blob)
    return dispatcher
  }

  private func blobs(_ count: Int) -> [UInt8] {
    (0..<count).flatMap {
      Wire.request(stream: UInt32($0) * 2 + 1, method: "Blob", payload: [1])
    }
  }

  @Test("One that never reads is paused, then closed; others are served all the while")
  func neverReads() async throws {
    try await TestServer.with(
      .test(stallTimeout: .milliseconds(300)), dispatcher: Self.withBlobs
    ) { server in
      let (stuck, other) = (try server.connect(), try server.connect())
      for client in [stuck, other] { #expect(try client.call(Wire.request()) == WireAnswer()) }
      try stuck.send(blobs(100))
      while server.server.counters.connectionCount == 2 {
        #expect(try other.call(Wire.request(payload: [1])) == WireAnswer(payload: [1]))
      }
      // What the kernels held is still there; it is less than was asked for.
      #expect(try stuck.receiveUntilClosed().count < 100)
    }
  }

  @Test("One that reads slowly gets every answer, in order")
  func readsSlowly() async throws {
    try await TestServer.with(dispatcher: Self.withBlobs) { server in
      let slow = try server.connect()
      try slow.send(blobs(100))
      for index in 0..<100 as Range<UInt32> {
        let answer = try slow.receive().first
        #expect(answer?.stream == index * 2 + 1)
        #expect(answer?.payload.count == 1 << 20)
      }
    }
  }

  @Test("A disconnect in the middle of a request harms nobody")
  func disconnectInRequest() async throws {
    try await TestServer.with { server in
      let request = Wire.request(payload: [UInt8](repeating: 1, count: 100_000))
      for count in [1, 9, 10, 11, 50_000] {
        let client = try server.connect()
        try client.send(Array(request.prefix(count)))
      }
      let client = try server.connect()
      #expect(try client.call(request)?.payload.count == 100_000)
      // All but this one are gone.
      while server.server.counters.connectionCount > 1 { sched_yield() }
    }
  }

  @Test("One that closes its sending half still gets the answers to what it sent")
  func halfClosed() async throws {
    try await TestServer.with { server in
      let client = try server.connect()
      try client.send(Wire.request(stream: 1) + Wire.request(stream: 3) + [0, 0])
      client.finishSending()
      #expect(try client.receiveUntilClosed().map(\.stream) == [1, 3])
    }
  }

  @Test("What is not ttrpc is closed, after the answers to what was")
  func notTTRPC() async throws {
    try await TestServer.with { server in
      let client = try server.connect()
      try client.send(Wire.request(stream: 1) + Array("GET / HTTP/1.1\r\n\r\n".utf8))
      #expect(try client.receiveUntilClosed().map(\.stream) == [1])
    }
  }

  @Test("Half a frame is not waited for without end")
  func halfFrame() async throws {
    try await TestServer.with(.test(stallTimeout: .milliseconds(100))) { server in
      let client = try server.connect()
      try client.send([0, 0, 1])
      #expect(try client.receiveUntilClosed() == [])
    }
  }

  @Test("A frame that drips in is waited for as long as it goes on, and others are served")
  func dripsIn() async throws {
    let stall = Duration.milliseconds(100)
    try await TestServer.with(.test(stallTimeout: stall)) { server in
      let (slow, other) = (try server.connect(), try server.connect())
      let request = Wire.request(payload: [UInt8](repeating: 7, count: 1 << 20))
      let end = ContinuousClock.now + stall * 3
      var sent = 0
      while sent < 1 << 19, ContinuousClock.now < end {
        try slow.send([request[sent]])
        sent += 1
        #expect(try other.call(Wire.request(payload: [1])) == WireAnswer(payload: [1]))
      }
      #expect(try slow.call(Array(request[sent...]))?.payload.count == 1 << 20)
    }
  }

  @Test(
    "A frame that drips in without end is cut at the idle time, also where it is skipped",
    .timeLimit(.minutes(1)), arguments: [UInt32(4 << 20), 15 << 20])
  func dripsWithoutEnd(claimedBytes: UInt32) async throws {
    try await TestServer.with(.test(idleTimeout: .milliseconds(200))) { server in
      let (slow, other) = (try server.connect(), try server.connect())
      #expect(try other.call(Wire.request()) == WireAnswer())
      try slow.send(Wire.frame([], claimedBytes: claimedBytes))
      while server.server.counters.connectionCount == 2 {
        // Whether it arrives, or the connection has just ended.
        _ = slow.sendWithoutWaiting([0])
        #expect(try other.call(Wire.request(payload: [1])) == WireAnswer(payload: [1]))
      }
      let codes = try slow.receiveUntilClosed().map(\.code)
      #expect(codes == (claimedBytes > 4 << 20 ? [.resourceExhausted] : []))
    }
  }

  @Test("An idle connection is closed")
  func idle() async throws {
    try await TestServer.with(.test(idleTimeout: .milliseconds(100))) { server in
      let client = try server.connect()
      #expect(try client.call(Wire.request()) == WireAnswer())
      #expect(try client.receiveUntilClosed() == [])
    }
  }

  @Test("A connection over the limit is closed at once; with one less it is served")
  func tooManyConnections() async throws {
    try await TestServer.with(.test(maxConnections: 2)) { server in
      var clients = [try server.connect(), try server.connect()]
      for client in clients { #expect(try client.call(Wire.request()) == WireAnswer()) }
      #expect(try server.connect().receiveUntilClosed() == [])
      #expect(server.server.counters.refusedCount == 1)
      clients.removeLast()
      while server.server.counters.connectionCount > 1 { sched_yield() }
      #expect(try server.connect().call(Wire.request()) == WireAnswer())
    }
  }

  @Test("5,000 idle connections, or as many as the descriptors allow, cost little and slow nobody")
  func manyIdleConnections() async throws {
    var limit = rlimit()
    getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    limit.rlim_cur = min(limit.rlim_max, 20_000)
    setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    // Both ends are in this process.
    let count = min(5_000, (Int(limit.rlim_cur) - 200) / 2)
    if count < 5_000 { print("only \(count) idle connections: the limit of descriptors is low") }
    try await TestServer.with { server in
      let before = residentBytes()
      let idle = try (0..<count).map { _ in try server.connect() }
      let client = try server.connect()
      #expect(try client.call(Wire.request()) == WireAnswer())
      #expect(server.server.counters.connectionCount == count + 1)
      for connection in idle { try connection.send(Wire.request(payload: [1])) }
      for connection in idle { #expect(try connection.receive() == [WireAnswer(payload: [1])]) }
      // The kernel's sockets are not counted; this process's two ends are.
      #expect((residentBytes() - before) / count < 16 << 10)
    }
  }
}

/// Of this process.
private func residentBytes() -> Int {
  guard let file = fopen("/proc/self/statm", "r") else { return 0 }
  defer { fclose(file) }
  var line = [CChar](repeating: 0, count: 128)
  guard fgets(&line, 128, file) != nil else { return 0 }
  let text = line.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
  let pages = text.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0
  return pages * Int(sysconf(Int32(_SC_PAGESIZE)))
}
