import CProtobufC
import CTTRPCProtos
import ProtobufC
import TTRPCTestSupport
import Testing

@testable import TTRPC

@Suite("Calls and their answers")
struct ServerCallTests {
  @Test("A timeout of 0 is none; the longest ones never pass", arguments: [0, Int64.max])
  func noDeadline(timeoutNanos: Int64) {
    let harness = TickHarness()
    harness.prepareNanos = 1 << 60
    let answers = harness.exchange(harness.connect(), Wire.request(timeoutNanos: timeoutNanos))
    #expect(answers.map(\.code) == [.ok])
  }

  @Test("A call whose time is up is not executed", arguments: [-1, Int64.min, 1, 499])
  func expired(timeoutNanos: Int64) {
    let harness = TickHarness()
    harness.prepareNanos = 500
    let answers = harness.exchange(
      harness.connect(),
      Wire.request(stream: 1, timeoutNanos: timeoutNanos)
        + Wire.request(stream: 3, timeoutNanos: 501))
    #expect(answers.map(\.code) == [.deadlineExceeded, .ok])
    #expect(harness.echo.executedCount == 1)
  }

  @Test("An answer that no frame holds fails its call alone", arguments: [0, 1])
  func oversizedAnswer(extra: Int) {
    let payload = [UInt8](repeating: 1, count: ResponseWriter.maxMessageBytes + extra)
    let harness = TickHarness {
      $0.register(
        inline: ClosureHandler { _, response in
          payload.withUnsafeBytes { response.respond($0) }
        }, for: .other)
    }
    let peer = harness.connect()
    var answers = harness.exchange(
      peer, Wire.request(stream: 1, method: "Other") + Wire.request(stream: 3, payload: [2]))
    // The largest answer makes the next call wait for its being sent.
    harness.run()
    answers += peer.answers()
    #expect(answers.map(\.code) == [extra == 0 ? .ok : .resourceExhausted, .ok])
    #expect(answers[0].payload.count == (extra == 0 ? payload.count : 0))
  }

  @Test(
    "A message is packed in place, whatever its size and the bound",
    arguments: [
      0, 1, 125, 126, 127, 128, 129, 16_380, 16_384, 20_000, 2_097_152,
    ])
  func packedAnswer(bytes: Int) {
    let content = [UInt8](repeating: 0x5a, count: bytes)
    for slack in [8, 130, 17_000] {
      let harness = TickHarness {
        $0.register(
          inline: ClosureHandler { call, response in
            var message = Ttrpc__Response()
            ttrpc__response__init(&message)
            content.withUnsafeBufferPointer { buffer in
              message.payload = ProtobufCBinaryData(
                len: buffer.count, data: UnsafeMutablePointer(mutating: buffer.baseAddress))
              withUnsafePointer(to: &message.base) {
                response.respond($0, maxBytes: bytes + slack)
              }
            }
          }, for: .other)
      }
      let answers = harness.exchange(harness.connect(), Wire.request(method: "Other"))
      let packed = bytes == 0 ? [] : Wire.field(2, content)
      #expect(answers == [WireAnswer(payload: packed)], "slack \(slack)")
    }
  }

  @Test("A failure reaches the caller whole; over-long messages are cut between characters")
  func failures() {
    let long = String(repeating: "é", count: 5_000)
    let harness = TickHarness {
      $0.register(
        inline: ClosureHandler { call, response in
          if call.payload.isEmpty {
            response.fail(
              .aborted, "now 7", details: [StatusDetail(typeURL: "type/x", value: [1, 2])])
          } else {
            response.fail(.notFound, "x" + long)
          }
        }, for: .other)
    }
    let peer = harness.connect()
    let plain = harness.exchange(peer, Wire.request(method: "Other"))
    #expect(plain.map(\.code) == [.aborted])
    #expect(plain[0].message == "now 7")
    #expect(plain[0].details == ["type/x"])
    let cut = harness.exchange(peer, Wire.request(method: "Other", payload: [1]))
    #expect(cut[0].message == "x" + String(repeating: "é", count: 4_095))
  }

  @Test("A handler that forgets to answer is INTERNAL, and so is a response that is dropped")
  func unanswered() {
    let harness = TickHarness {
      $0.register(
        inline: ClosureHandler { call, response in
          if !call.payload.isEmpty { _ = response.deferred() }
        }, for: .other)
    }
    let peer = harness.connect()
    #expect(harness.exchange(peer, Wire.request(method: "Other")).map(\.code) == [.internal])
    let dropped = harness.exchange(peer, Wire.request(method: "Other", payload: [1]))
    #expect(dropped.map(\.code) == [.internal])
    #expect(harness.tick.inFlightCount == 0)
  }

  @Test("Calls of a tick are all prepared, then all executed in their order")
  func phases() {
    final class Log { var lines: [String] = [] }
    let log = Log()
    let handler = ClosureHandler { call, response in
      log.lines.append("execute \(call.words.0)")
      response.respond(call.payload)
    }
    handler.onPrepare = { call in
      call.words.0 = UInt64(call.payload[0])
      log.lines.append("prepare \(call.words.0)")
    }
    let harness = TickHarness {
      $0.register(inline: handler, for: .other)
      $0.endOfTick = { _ in log.lines.append("end") }
    }
    let (one, two) = (harness.connect(), harness.connect())
    func request(_ stream: UInt32, _ byte: UInt8) -> [UInt8] {
      Wire.request(stream: stream, method: "Other", payload: [byte])
    }
    harness.run([(one, request(1, 1) + request(3, 2)), (two, request(1, 3))])
    let numbers = ["1", "2", "3"]
    #expect(
      log.lines == numbers.map { "prepare \($0)" } + numbers.map { "execute \($0)" } + ["end"])
    harness.run()
    #expect(log.lines.count == 7, "nothing happened, so nothing is to be committed")
  }

  @Test("While the server drains, calls are UNAVAILABLE with a delay to repeat them after")
  func draining() {
    let harness = TickHarness()
    harness.tick.isDraining = true
    let answers = harness.exchange(harness.connect(), Wire.request())
    #expect(answers.map(\.code) == [.unavailable])
    #expect(answers[0].details == ["type.googleapis.com/google.rpc.RetryInfo"])
    #expect(harness.echo.executedCount == 0)
  }

  @Test(
    "A streaming method, or one that is called as such, is refused",
    arguments: [
      (UInt8(0), StatusCode.unimplemented), (1, .unimplemented), (2, .unimplemented),
    ])
  func streaming(flags: UInt8, code: StatusCode) {
    let method = MethodDescriptor(service: "test.Echo", name: "Follow", kind: .serverStreaming)
    let harness = TickHarness {
      $0.register(Method<NoMessage, NoMessage>(method), serverStreaming: { _, _, _ in })
    }
    let envelope = Wire.envelope(method: "Follow")
    let answers = harness.exchange(harness.connect(), Wire.frame(envelope, flags: flags))
    #expect(answers.map(\.code) == [code])
  }

  @Test("More calls in flight than a connection may have are RESOURCE_EXHAUSTED")
  func callsPerConnection() {
    final class Kept { var responses: [DeferredResponse] = [] }
    let kept = Kept()
    let harness = TickHarness {
      $0.register(
        inline: ClosureHandler { _, response in kept.responses.append(response.deferred()) },
        for: .other)
    }
    let (peer, other) = (harness.connect(), harness.connect())
    let calls = (0..<1_025).map { Wire.request(stream: UInt32($0) * 2 + 1, method: "Other") }
    let answers = harness.exchange(peer, calls.flatMap { $0 })
    #expect(answers.map(\.code) == [.resourceExhausted])
    #expect(answers.map(\.stream) == [2_049])
    #expect(peer.pendingCallCount == 1_024)
    #expect(harness.exchange(other, Wire.request()).map(\.code) == [.ok])
    kept.responses[0].respond([])
    harness.run()
    #expect(peer.answers().map(\.stream) == [1])
    #expect(harness.exchange(peer, Wire.request(stream: 3_001)).map(\.code) == [.ok])
  }

  @Test("More calls in flight than a loop may have are UNAVAILABLE, with a delay")
  func callsPerLoop() {
    final class Kept { var responses: [DeferredResponse] = [] }
    let kept = Kept()
    var limits = ConnectionLimits()
    limits.maxCallsPerConnection = 2
    limits.maxCallsPerLoop = 3
    let harness = TickHarness(limits: limits) {
      $0.register(
        inline: ClosureHandler { _, response in kept.responses.append(response.deferred()) },
        for: .other)
    }
    let (one, two) = (harness.connect(), harness.connect())
    let calls = [1, 3].flatMap { Wire.request(stream: $0, method: "Other") }
    harness.run([(one, calls), (two, calls)])
    #expect(one.answers() == [])
    let refused = two.answers()
    #expect(refused.map(\.code) == [.unavailable])
    #expect(refused[0].details.count == 1)
  }
}

/// A message without fields.
struct NoMessage: Message {
  struct View: MessageView {
    let unsafeMessage: UnsafePointer<Ttrpc__KeyValue>
    init(unsafe message: UnsafePointer<Ttrpc__KeyValue>) { unsafeMessage = message }
    static var descriptor: UnsafePointer<ProtobufCMessageDescriptor> {
      ttrpc__key_value__descriptor_address()
    }
    static var containsStrings: Bool { false }
  }
  init() {}
  init(_ view: View) {}
  func makeCMessage(
    in arena: Arena
  ) throws(DecodeError) -> UnsafeMutablePointer<Ttrpc__KeyValue> {
    try arena.make(ttrpc__key_value__init)
  }
}
