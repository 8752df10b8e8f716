import Glibc
import TTRPC
import TTRPCTestSupport
import Testing

@testable import Reactor

/// Bytes that no client should send, and what they come to.
struct BadFrames: Sendable, CustomTestStringConvertible {
  let testDescription: String
  /// Made when they are sent: some are large.
  let bytes: @Sendable () -> [UInt8]
  /// What is answered, in order.
  let answers: [Answer]
  /// Whether the connection ends.
  let closes: Bool

  struct Answer: Sendable, Equatable {
    var stream: UInt32
    var code: StatusCode
  }

  init(
    _ what: String, _ bytes: @autoclosure @escaping @Sendable () -> [UInt8],
    _ answers: (UInt32, StatusCode)..., closes: Bool = false
  ) {
    testDescription = what
    self.bytes = bytes
    self.answers = answers.map { Answer(stream: $0.0, code: $0.1) }
    self.closes = closes
  }
}

private func zeros(_ count: Int) -> [UInt8] { [UInt8](repeating: 0, count: count) }

private func later(_ stream: UInt32) -> [UInt8] { Wire.request(stream: stream, method: "Later") }

private let lengths: [BadFrames] = [
  BadFrames("no data", Wire.frame([]), (1, .unimplemented)),
  BadFrames(
    "4 MiB", Wire.frame(Wire.envelope() + Wire.field(9, zeros((4 << 20) - 22))), (1, .ok)),
  BadFrames("4 MiB + 1", Wire.frame(zeros((4 << 20) + 1), stream: 3), (3, .resourceExhausted)),
  BadFrames("16 MiB - 1", Wire.frame(zeros((16 << 20) - 1), stream: 3), (3, .resourceExhausted)),
  BadFrames("16 MiB", Wire.frame([1], claimedBytes: 16 << 20), closes: true),
  BadFrames("2^32 - 1", Wire.frame([1], claimedBytes: .max), closes: true),
]

private let headers: [BadFrames] = [
  BadFrames("stream 0", Wire.request(stream: 0), (0, .invalidArgument)),
  BadFrames("an even stream", Wire.request(stream: 2), (2, .invalidArgument)),
  BadFrames("a stream in use", later(5) + Wire.request(stream: 5), closes: true),
  BadFrames(
    "a stream in use, for too large a frame",
    later(5) + Wire.request(stream: 7) + Wire.frame([], stream: 5, claimedBytes: 5 << 20),
    (7, .ok), closes: true),
  BadFrames("type 0", Wire.frame([], type: 0), (1, .invalidArgument)),
  BadFrames("a response", Wire.frame([], type: 2), (1, .invalidArgument)),
  BadFrames("type 255", Wire.frame([], type: 255), (1, .invalidArgument)),
  BadFrames("flags 2", Wire.frame(Wire.envelope(), flags: 2), (1, .invalidArgument)),
  BadFrames("flags 255", Wire.frame(Wire.envelope(), flags: 255), (1, .invalidArgument)),
  BadFrames("data without a call", Wire.frame([1], stream: 9, type: 3), (9, .invalidArgument)),
  BadFrames(
    "data for a unary call", later(5) + Wire.frame([1], stream: 5, type: 3),
    (5, .invalidArgument)),
  BadFrames("another protocol", Array("GET / HTTP/1.1\r\n\r\n".utf8), closes: true),
  BadFrames("garbage", SeededGenerator.bytes(of: 7, 5_000), closes: true),
]

private let envelopes: [BadFrames] = [
  BadFrames("an unknown service", Wire.request(service: "test.No"), (1, .unimplemented)),
  BadFrames("an unknown method", Wire.request(method: "No"), (1, .unimplemented)),
  BadFrames(
    "a service that is not UTF-8", Wire.frame(Wire.field(1, [0xff, 0xfe]) + Wire.field(2, "Echo")),
    (1, .unimplemented)),
  BadFrames("a cut envelope", Wire.frame(Wire.envelope().dropLast()), (1, .invalidArgument)),
  BadFrames("a random envelope", Wire.frame([0xff, 0xff, 0xff]), (1, .invalidArgument)),
  BadFrames(
    "100,000 metadata entries",
    Wire.request(metadata: (0..<100_000).map { ("key\($0)", "value") }), (1, .resourceExhausted)),
  BadFrames("a time of -1 ns", Wire.request(timeoutNanos: -1), (1, .deadlineExceeded)),
  BadFrames("a time of -2^63 ns", Wire.request(timeoutNanos: .min), (1, .deadlineExceeded)),
  BadFrames("a time of 1 ns", Wire.request(timeoutNanos: 1), (1, .deadlineExceeded)),
  BadFrames(
    "1 ns for what takes longer", Wire.request(method: "Later", timeoutNanos: 1),
    (1, .deadlineExceeded)),
  BadFrames("a time of 2^63 - 1 ns", Wire.request(timeoutNanos: .max), (1, .ok)),
]

@Suite("Bad frames over sockets")
struct BadFrameTests {
  private static func dispatcher(_ shelf: Shelf) -> ReactorServer.MakeDispatcher {
    { loop in
      var dispatcher = TestServer.echo(loop)
      dispatcher.register(inline: LaterHandler(shelf), for: LaterHandler.method)
      return dispatcher
    }
  }

  @Test(
    "A bad frame is answered, or ends its connection; others go on, and nothing is left of it",
    .timeLimit(.minutes(1)), arguments: lengths + headers + envelopes)
  func refused(bad: BadFrames) async throws {
    try await TestServer.with(dispatcher: Self.dispatcher(Shelf())) { server in
      let other = try server.connect()
      let request = Wire.request(stream: 101, payload: [1, 2])
      let answer = WireAnswer(stream: 101, payload: [1, 2])
      #expect(try other.call(request) == answer)
      var client: BlockingClient? = try server.connect()
      try client?.send(bad.bytes())
      let answers: [WireAnswer]
      if bad.closes {
        answers = try client?.receiveUntilClosed() ?? []
      } else {
        answers = try client?.receive(bad.answers.count) ?? []
        #expect(try client?.call(request) == answer)
      }
      #expect(answers.map { .init(stream: $0.stream, code: $0.code) } == bad.answers)
      for answer in answers where answer.code != .ok { #expect(answer.message.count > 10) }
      #expect(try other.call(request) == answer)
      client = nil
      let counters = server.server.counters
      while counters.connectionCount > 1 || counters.callsInFlight > 0 { sched_yield() }
      #expect(try other.call(request) == answer)
    }
  }

  @Test("A call that may take 292 years waits like any other, and is answered")
  func longestTimeout() async throws {
    let shelf = Shelf()
    try await TestServer.with(dispatcher: Self.dispatcher(shelf)) { server in
      let client = try server.connect()
      let calls = [Int64.max, .max - 1, 1 << 62].enumerated().map { index, nanos in
        Wire.request(stream: UInt32(index) * 2 + 1, method: "Later", timeoutNanos: nanos)
      }
      try client.send(calls.flatMap { $0 })
      let responses = shelf.take(calls.count)
      #expect(try client.call(Wire.request(stream: 9)) == WireAnswer(stream: 9))
      for (response, _) in responses {
        #expect(!response.isCancelled)
        response.respond([3])
      }
      #expect(try client.receive(3).map(\.payload) == [[3], [3], [3]])
    }
  }
}

extension SeededGenerator {
  /// Random bytes, the same from the same seed.
  fileprivate static func bytes(of seed: UInt64, _ count: Int) -> [UInt8] {
    var random = SeededGenerator(seed: seed)
    return random.bytes(count)
  }
}
