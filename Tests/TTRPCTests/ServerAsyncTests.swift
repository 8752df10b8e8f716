import ExampleAPI
import ProtobufC
import Synchronization
import TTRPCTestSupport
import Testing

@testable import TTRPC

@Suite("Async handlers")
struct ServerAsyncTests {
  private typealias Methods = Station.Methods

  private func latest(
    _ sensor: String, stream: UInt32 = 1, timeoutNanos: Int64 = 0,
    metadata: [(String, String)] = []
  ) throws -> [UInt8] {
    Wire.request(
      stream: stream, service: "weather.v1.Station", method: "Latest",
      payload: try LatestRequest(sensor: sensor).encoded(), timeoutNanos: timeoutNanos,
      metadata: metadata)
  }

  /// Runs ticks until there are answers.
  private func answers(_ harness: TickHarness, _ peer: TestPeer) async -> [WireAnswer] {
    for _ in 0..<100_000 {
      harness.run()
      let answers = peer.answers()
      if !answers.isEmpty { return answers }
      await Task.yield()
    }
    return []
  }

  @Test("A handler that does not wait is answered in the same tick")
  func immediate() throws {
    let harness = TickHarness {
      $0.register(
        Methods.latest,
        handler: { request, call in
          #expect(call.method == Methods.latest.descriptor)
          #expect(call.metadata.first("unit") == "K")
          #expect(call.deadline == nil)
          return Reading(sensor: request.sensor, celsius: 21.5)
        })
    }
    let answers = harness.exchange(
      harness.connect(), try latest("roof", metadata: [("unit", "K")]))
    #expect(answers.map(\.code) == [.ok])
    #expect(try Reading(decoding: answers[0].payload) == Reading(sensor: "roof", celsius: 21.5))
  }

  @Test("One that waits is answered when it is done, and others are not held up")
  func suspended() async throws {
    let (gate, opener) = AsyncStream.makeStream(of: Void.self)
    let harness = TickHarness {
      $0.register(
        Methods.latest,
        handler: { request, _ in
          for await _ in gate {}
          return Reading(sensor: request.sensor)
        })
    }
    let peer = harness.connect()
    let first = harness.exchange(peer, try latest("slow") + Wire.request(stream: 3))
    #expect(first.map(\.stream) == [3])
    opener.finish()
    let second = await answers(harness, peer)
    #expect(second.map(\.stream) == [1])
    #expect(try Reading(decoding: second[0].payload).sensor == "slow")
  }

  @Test("Errors become statuses; what is no RPCError tells nothing")
  func errors() throws {
    struct Secret: Error { var path = "/etc/shadow" }
    let harness = TickHarness {
      $0.register(
        Methods.latest,
        handler: { request, _ in
          switch request.sensor {
          case "rpc": throw RPCError(.notFound, "no such sensor")
          case "cancel": throw CancellationError()
          default: throw Secret()
          }
        })
    }
    let peer = harness.connect()
    let answers = harness.exchange(
      peer,
      try latest("rpc", stream: 1) + latest("cancel", stream: 3) + latest("other", stream: 5))
    #expect(answers.map(\.code) == [.notFound, .cancelled, .internal])
    #expect(answers[0].message == "no such sensor")
    #expect(!answers[2].message.contains("shadow"))
  }

  @Test("A request that does not decode is INVALID_ARGUMENT; over the budget RESOURCE_EXHAUSTED")
  func undecodable() throws {
    let harness = TickHarness {
      $0.register(Methods.latest, handler: { request, _ in Reading(sensor: request.sensor) })
      $0.register(Methods.echo, handler: { request, _ in request })
    }
    let peer = harness.connect()
    func call(_ method: String, _ payload: [UInt8]) -> StatusCode? {
      harness.exchange(
        peer, Wire.request(service: "weather.v1.Station", method: method, payload: payload)
      ).first?.code
    }
    #expect(call("Latest", [0x0a]) == .invalidArgument)
    #expect(call("Latest", [0x0a, 1, 0xff]) == .invalidArgument)
    // Unknown fields, which libprotobuf-c keeps.
    let many = [UInt8](repeating: 0, count: 2 << 20).enumerated().map {
      $0.offset % 2 == 0 ? 0x7a : 0
    }
    #expect(call("Echo", many.map { UInt8($0) }) == .resourceExhausted)
    #expect(call("Latest", []) == .ok)
  }

  @Test("At its deadline a call is DEADLINE_EXCEEDED and its task cancelled")
  func deadline() async throws {
    let isCancelled = Atomic<Bool>(false)
    let (ended, end) = AsyncStream.makeStream(of: Void.self)
    let harness = TickHarness {
      $0.register(
        Methods.latest,
        handler: { _, call in
          #expect(call.deadline != nil)
          await withTaskCancellationHandler {
            for await _ in AsyncStream<Void>.makeStream().stream {}
          } onCancel: {
            isCancelled.store(true, ordering: .relaxed)
          }
          end.finish()
          return Reading()
        })
    }
    let peer = harness.connect()
    #expect(harness.exchange(peer, try latest("roof", timeoutNanos: 1_000)) == [])
    #expect(harness.tick.nextTickNanos == harness.nowNanos + 1_000)
    harness.nowNanos += 999
    harness.run()
    #expect(peer.answers() == [])
    harness.nowNanos += 1
    harness.run()
    #expect(peer.answers().map(\.code) == [.deadlineExceeded])
    let wasCancelled = isCancelled.load(ordering: .relaxed)
    #expect(wasCancelled)
    for await _ in ended {}
    harness.run()
    #expect(peer.answers() == [])
    #expect(harness.tick.nextTickNanos == nil)
  }

  @Test("A disconnect cancels the tasks of its connection's calls, and drops their answers")
  func disconnect() async throws {
    let (ended, end) = AsyncStream.makeStream(of: Bool.self)
    let harness = TickHarness {
      $0.register(
        Methods.latest,
        handler: { _, _ in
          for await _ in AsyncStream<Void>.makeStream().stream {}
          end.yield(Task.isCancelled)
          end.finish()
          return Reading()
        })
    }
    let peer = harness.connect()
    harness.run([(peer, try latest("roof"))])
    #expect(harness.tick.inFlightCount == 1)
    peer.disconnect()
    #expect(harness.tick.inFlightCount == 0)
    for await isCancelled in ended { #expect(isCancelled) }
    harness.run()
  }

  private struct Tagging: AsyncServerInterceptor {
    var tag: String
    func unary(
      _ call: ServerCall, _ request: [UInt8], next: Unary
    ) async throws -> [UInt8] {
      if call.metadata.first("refuse") == tag { throw RPCError(.permissionDenied, tag) }
      var call = call
      call.metadata.append(tag, for: "seen")
      return try await next(call, request)
    }
  }

  @Test("Async interceptors wrap async handlers alone, the first outermost")
  func interceptors() throws {
    let harness = TickHarness {
      $0.add(asyncInterceptor: Tagging(tag: "a"))
      $0.add(asyncInterceptor: Tagging(tag: "b"))
      $0.register(
        Methods.latest,
        handler: { _, call in
          Reading(sensor: call.metadata.all("seen").joined())
        })
    }
    let peer = harness.connect()
    let answers = harness.exchange(
      peer,
      try latest("x", stream: 1) + latest("x", stream: 3, metadata: [("refuse", "b")])
        + Wire.request(stream: 5))
    let codes: Set<StatusCode> = Set(answers.map(\.code))
    #expect(answers.count == 3)
    #expect(codes == [.ok, .permissionDenied])
    let reading = try #require(answers.first { $0.stream == 1 })
    #expect(try Reading(decoding: reading.payload).sensor == "ab")
  }

  @Test("What a sync interceptor attached reaches the async handler")
  func attachment() throws {
    final class Identity: Sendable {}
    final class Attaching: ServerInterceptor {
      let identity = Identity()
      func intercept(_ call: inout InlineCall) -> Decision {
        call.attachment = .passUnretained(identity)
        return .proceed
      }
    }
    let attaching = Attaching()
    let identity = attaching.identity
    let harness = TickHarness {
      $0.add(interceptor: attaching)
      $0.register(
        Methods.latest,
        handler: { _, call in
          Reading(sensor: call.attachment === identity ? "same" : "other")
        })
    }
    let answers = harness.exchange(harness.connect(), try latest("x"))
    #expect(try Reading(decoding: answers[0].payload).sensor == "same")
  }

  @Test("The first answer counts; onCancel runs at once where the call is cancelled already")
  func deferredOnce() {
    final class Kept { var response: DeferredResponse? }
    let kept = Kept()
    let harness = TickHarness {
      $0.register(
        inline: ClosureHandler { _, response in kept.response = response.deferred() }, for: .other)
    }
    let peer = harness.connect()
    harness.run([(peer, Wire.request(method: "Other"))])
    kept.response?.respond([1])
    kept.response?.fail(.aborted, "too late")
    harness.run()
    #expect(peer.answers() == [WireAnswer(payload: [1])])
    harness.run([(peer, Wire.request(method: "Other"))])
    peer.disconnect()
    let count = Atomic<Int>(0)
    kept.response?.onCancel { count.add(1, ordering: .relaxed) }
    #expect(kept.response?.isCancelled == true)
    let runs = count.load(ordering: .relaxed)
    #expect(runs == 1)
  }
}
