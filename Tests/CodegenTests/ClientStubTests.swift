import ExampleAPI
import ProtobufC
import Synchronization
import TTRPC
import Testing

/// Stands for a transport: records what was sent, and answers what it was told.
private final class ScriptedClient: RPCClient {
  struct Sent: Sendable, Equatable {
    var method: MethodDescriptor
    var messages: [[UInt8]]
    var hasFinished = false
    var wasCancelled = false
  }

  private let answers: Mutex<[Result<[UInt8], RPCError>]>
  private let sent: Mutex<[Sent]> = Mutex([])

  init(_ answers: [Result<[UInt8], RPCError>]) { self.answers = Mutex(answers) }

  var calls: [Sent] { sent.withLock { $0 } }

  private func nextAnswer() throws(RPCError) -> [UInt8]? {
    let answer = answers.withLock { $0.isEmpty ? nil : $0.removeFirst() }
    return try answer?.get()
  }

  private func updateLast(_ change: (inout Sent) -> Void) {
    sent.withLock { change(&$0[$0.count - 1]) }
  }

  func unary(
    _ method: MethodDescriptor, _ request: [UInt8], options: CallOptions
  ) async throws(RPCError) -> [UInt8] {
    sent.withLock { $0.append(Sent(method: method, messages: [request])) }
    return try nextAnswer() ?? []
  }

  func stream(
    _ method: MethodDescriptor, options: CallOptions
  ) async throws(RPCError) -> any RPCStream {
    sent.withLock { $0.append(Sent(method: method, messages: [])) }
    return Stream(client: self)
  }

  private struct Stream: RPCStream {
    let client: ScriptedClient

    func send(_ message: [UInt8]) async throws(RPCError) {
      client.updateLast { $0.messages.append(message) }
    }
    func finishSending() async throws(RPCError) { client.updateLast { $0.hasFinished = true } }
    func next() async throws(RPCError) -> [UInt8]? { try client.nextAnswer() }
    func cancel() { client.updateLast { $0.wasCancelled = true } }
  }
}

@Suite("Generated client stubs")
struct ClientStubTests {
  private let first = Reading(sensor: "roof", takenAtMs: 1, celsius: -3.5)
  private let second = Reading(sensor: "roof", takenAtMs: 2, celsius: 4)

  @Test("Each method has its full name and kind")
  func methods() {
    #expect(Station.serviceName == "weather.v1.Station")
    #expect(
      Station.Methods.all == [
        MethodDescriptor(service: "weather.v1.Station", name: "Latest", kind: .unary),
        MethodDescriptor(service: "weather.v1.Station", name: "Echo", kind: .unary),
        MethodDescriptor(service: "weather.v1.Station", name: "Follow", kind: .serverStreaming),
        MethodDescriptor(service: "weather.v1.Station", name: "Upload", kind: .clientStreaming),
        MethodDescriptor(service: "weather.v1.Station", name: "Review", kind: .bidirectional),
      ])
  }

  @Test("A unary call encodes its request and decodes the answer")
  func unary() async throws {
    let rpc = ScriptedClient([.success(try first.encoded())])
    let answer = try await Station.Client(rpc).latest(LatestRequest(sensor: "roof"))
    #expect(answer == first)
    let request = try LatestRequest(sensor: "roof").encoded()
    #expect(
      rpc.calls == [.init(method: Station.Methods.latest.descriptor, messages: [request])])
  }

  @Test("An answer that is not its message's encoding is INTERNAL")
  func badAnswer() async throws {
    for bytes in [[0x0a], [0x0a, 0x01, 0xff]] as [[UInt8]] {
      let station = Station.Client(ScriptedClient([.success(bytes)]))
      let error = await #expect(throws: RPCError.self) {
        try await station.latest(LatestRequest())
      }
      #expect(error?.code == .internal)
      #expect(error?.message.contains("Latest") == true)
    }
  }

  @Test("A status is thrown as it came")
  func status() async {
    let failure = RPCError(.notFound, "no such sensor")
    let station = Station.Client(ScriptedClient([.failure(failure)]))
    await #expect(throws: failure) { try await station.latest(LatestRequest()) }
  }

  @Test("A server-streaming call sends one request, ends its side, and reads to the end")
  func serverStreaming() async throws {
    let rpc = ScriptedClient([.success(try first.encoded()), .success(try second.encoded())])
    let readings = try await Station.Client(rpc).follow(LatestRequest(sensor: "x"))
    var received: [Reading] = []
    for try await reading in readings { received.append(reading) }
    #expect(received == [first, second])
    #expect(rpc.calls[0].messages == [try LatestRequest(sensor: "x").encoded()])
    #expect(rpc.calls[0].hasFinished)
  }

  @Test("A client-streaming call sends many and takes exactly one answer")
  func clientStreaming() async throws {
    let rpc = ScriptedClient([.success(try UploadSummary(count: 2).encoded())])
    let call = try await Station.Client(rpc).upload()
    try await call.send(first)
    try await call.send(second)
    #expect(try await call.finish() == UploadSummary(count: 2))
    #expect(rpc.calls[0].messages == [try first.encoded(), try second.encoded()])
  }

  @Test("A client-streaming call without an answer, or with two, is INTERNAL", arguments: [0, 2])
  func wrongAnswerCount(count: Int) async throws {
    let rpc = ScriptedClient(Array(repeating: .success([]), count: count))
    let call = try await Station.Client(rpc).upload()
    let error = await #expect(throws: RPCError.self) { try await call.finish() }
    #expect(error?.code == .internal)
  }

  @Test("A bidirectional call sends and receives in any order, and can be cancelled")
  func bidirectional() async throws {
    let rpc = ScriptedClient([.success(try first.encoded()), .failure(RPCError(.aborted, "no"))])
    let call = try await Station.Client(rpc).review()
    var responses = call.responses.makeAsyncIterator()
    #expect(try await responses.next() == first)
    try await call.send(second)
    await #expect(throws: RPCError(.aborted, "no")) { try await responses.next() }
    call.cancel()
    #expect(rpc.calls[0].wasCancelled)
  }
}
