import ExampleAPI
import ProtobufC
import Synchronization
import TTRPC
import Testing

private struct WeatherStation: Station.Service {
  func latest(_ request: LatestRequest, call: ServerCall) async throws -> Reading {
    guard request.sensor == "roof" else {
      throw RPCError(.notFound, "no sensor \(request.sensor)")
    }
    return Reading(sensor: "roof", celsius: 21)
  }

  func echo(_ request: EchoMessage, call: ServerCall) async throws -> EchoMessage { request }

  func follow(
    _ request: LatestRequest, responses: ResponseSink<Reading>, call: ServerCall
  ) async throws {
    try await responses.send(Reading(sensor: request.sensor))
  }

  func upload(_ requests: RequestStream<Reading>, call: ServerCall) async throws -> UploadSummary {
    var count: Int64 = 0
    for try await _ in requests { count += 1 }
    return UploadSummary(count: count)
  }

  func review(
    _ requests: RequestStream<Reading>, responses: ResponseSink<Reading>, call: ServerCall
  ) async throws {
    for try await reading in requests { try await responses.send(reading) }
  }
}

/// Keeps answers until the tick takes them.
private final class HeldAnswers: AnswerMailbox {
  private let answers: Mutex<[DeferredAnswer]> = Mutex([])

  func post(_ answer: DeferredAnswer) { answers.withLock { $0.append(answer) } }

  func take() -> [DeferredAnswer] {
    answers.withLock { answers in
      defer { answers.removeAll() }
      return answers
    }
  }
}

@Suite("Generated registration")
struct ServiceRegistrationTests {
  private func field(_ number: UInt8, _ bytes: some Collection<UInt8>) -> [UInt8] {
    [number << 3 | 2, UInt8(bytes.count)] + bytes
  }

  /// Runs one call through a connection's machine; the data of its response frame.
  private func answer(to method: MethodDescriptor, _ request: some Message) throws -> [UInt8] {
    let loop = ServerLoop(index: 0)
    var dispatcher = Dispatcher(loop: loop)
    Station.register(WeatherStation(), on: &dispatcher)
    let mailbox = HeldAnswers()
    let tick = ServerTick(dispatcher: dispatcher, loop: loop, mailbox: mailbox)
    let machine = UnsafeMutablePointer<ServerConnection>.allocate(capacity: 1)
    let context = ServerConnectionContext(id: 1, peer: .unix(userID: nil))
    machine.initialize(to: tick.makeConnection(context))
    tick.attach(machine)
    defer {
      tick.detach(machine)
      machine.deinitialize(count: 1)
      machine.deallocate()
    }

    let envelope =
      field(1, Array(method.service.utf8)) + field(2, Array(method.name.utf8))
      + field(3, try request.encoded())
    let flags: UInt8 = method.kind == .serverStreaming ? 1 : method.kind == .unary ? 0 : 2
    let frame: [UInt8] = [0, 0, 0, UInt8(envelope.count), 0, 0, 0, 1, 1, flags] + envelope
    return frame.withUnsafeBytes { bytes in
      tick.begin(nowNanos: 1)
      tick.receive(bytes, on: machine)
      tick.execute(nowNanos: 1)
      for answer in mailbox.take() { tick.deliver(answer) }
      tick.commit()
      let sent = Array(machine.pointee.unsent)
      machine.pointee.didSend(sent.count)
      while tick.nextTouched() != nil {}
      tick.end()
      return Array(sent.dropFirst(FrameHeader.byteCount))
    }
  }

  @Test("A unary method reaches its handler, and its answer the caller")
  func unary() throws {
    let latest = try answer(to: Station.Methods.latest.descriptor, LatestRequest(sensor: "roof"))
    #expect(latest == field(2, try Reading(sensor: "roof", celsius: 21).encoded()))
    let message = EchoMessage(payload: [1, 2], choice: Choice(value: .text("ü")))
    let echo = try answer(to: Station.Methods.echo.descriptor, message)
    #expect(echo == field(2, try message.encoded()))
  }

  @Test("What a handler throws is the caller's status")
  func failure() throws {
    let data = try answer(to: Station.Methods.latest.descriptor, LatestRequest(sensor: "cellar"))
    let status = [0x08, UInt8(StatusCode.notFound.rawValue)] + field(2, "no sensor cellar".utf8)
    #expect(data == field(1, status))
  }

  @Test(
    "A streaming method is registered, and UNIMPLEMENTED so far",
    arguments: [
      Station.Methods.follow.descriptor, Station.Methods.upload.descriptor,
      Station.Methods.review.descriptor,
    ])
  func streaming(method: MethodDescriptor) throws {
    let data = try answer(to: method, Empty())
    try #require(data.count > 4 && data[0] == 0x0a)
    #expect(Array(data[2...3]) == [0x08, UInt8(StatusCode.unimplemented.rawValue)])
  }
}
