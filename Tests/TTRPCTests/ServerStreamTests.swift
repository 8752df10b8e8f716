import TTRPCTestSupport
import Testing

@testable import TTRPC

@Suite("Stream IDs")
struct ServerStreamTests {
  private let later = MethodDescriptor(service: "test.Echo", name: "Later")

  /// A harness whose method Later keeps its responses in `kept`.
  private final class Kept { var responses: [DeferredResponse] = [] }

  private func makeHarness(_ kept: Kept = Kept()) -> TickHarness {
    TickHarness {
      $0.register(
        inline: ClosureHandler { _, response in kept.responses.append(response.deferred()) },
        for: later)
    }
  }

  private func laterRequest(_ stream: UInt32) -> [UInt8] {
    Wire.request(stream: stream, method: "Later")
  }

  @Test("An ID whose call waits for its answer ends the connection when it is used again")
  func inUseByDeferred() {
    let kept = Kept()
    let harness = makeHarness(kept)
    let peer = harness.connect()
    #expect(harness.exchange(peer, laterRequest(5)) == [])
    #expect(
      harness.exchange(peer, Wire.request(stream: 7) + Wire.request(stream: 5)).map(\.stream) == [7]
    )
    #expect(peer.closeReason == .streamInUse)
  }

  @Test(
    "So does one that comes twice in one tick, in any order",
    arguments: [
      [UInt32(1), 1], [1, 3, 3], [9, 3, 9], [9, 7, 5, 7], [3, 5, 7, 3],
    ])
  func inUseInTick(streams: [UInt32]) {
    let harness = makeHarness()
    let peer = harness.connect()
    let answers = harness.exchange(peer, streams.flatMap { Wire.request(stream: $0) })
    #expect(answers.map(\.stream) == Array(streams.dropLast()))
    #expect(peer.closeReason == .streamInUse)
  }

  @Test("IDs may come in any order, wrap around, and be used again after the answer")
  func anyOrder() {
    let harness = makeHarness()
    let peer = harness.connect()
    let streams: [UInt32] = [UInt32.max, 1, 9, 3, 7, 5]
    for _ in 0..<2 {
      let answers = harness.exchange(peer, streams.flatMap { Wire.request(stream: $0) })
      #expect(answers.map(\.stream) == streams)
    }
    #expect(peer.closeReason == nil)
  }

  @Test("The same IDs on two connections are two calls")
  func twoConnections() {
    let harness = makeHarness()
    let (one, two) = (harness.connect(), harness.connect())
    harness.run([(one, Wire.request(payload: [1])), (two, Wire.request(payload: [2]))])
    #expect(one.answers() == [WireAnswer(payload: [1])])
    #expect(two.answers() == [WireAnswer(payload: [2])])
  }

  @Test("Data for a unary call fails that call; its handler's answer is dropped")
  func dataForUnaryCall() {
    let kept = Kept()
    let harness = makeHarness(kept)
    let peer = harness.connect()
    harness.run([(peer, laterRequest(5))])
    let answers = harness.exchange(peer, Wire.frame([1], stream: 5, type: 3))
    #expect(answers.map(\.code) == [.invalidArgument])
    #expect(kept.responses[0].isCancelled)
    kept.responses[0].respond([1])
    harness.run()
    #expect(peer.answers() == [])
    #expect(harness.tick.inFlightCount == 0)
  }

  @Test("So does data in the same bytes as its call")
  func dataWithItsCall() {
    let kept = Kept()
    let harness = makeHarness(kept)
    let peer = harness.connect()
    let answers = harness.exchange(
      peer, laterRequest(5) + Wire.frame([1], stream: 5, type: 3))
    #expect(answers.map(\.code) == [.invalidArgument])
    kept.responses[0].respond([1])
    harness.run()
    #expect(peer.answers() == [])
    #expect(harness.tick.inFlightCount == 0)
  }

  @Test("A late answer does not answer the next call of its stream")
  func lateAnswer() {
    let kept = Kept()
    let harness = makeHarness(kept)
    let peer = harness.connect()
    harness.run([(peer, laterRequest(5))])
    kept.responses[0].respond([1])
    let stale = harness.mailbox.takeAll()
    // The stream's call ends before the answer is delivered, and the peer uses the ID again.
    harness.run([(peer, Wire.frame([1], stream: 5, type: 3))])
    harness.run([(peer, laterRequest(5))])
    _ = peer.answers()
    for answer in stale { harness.mailbox.post(answer) }
    harness.run()
    #expect(peer.answers() == [])
    kept.responses[1].respond([2])
    harness.run()
    #expect(peer.answers() == [WireAnswer(stream: 5, payload: [2])])
  }
}
