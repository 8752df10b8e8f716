import TTRPCTestSupport
import Testing

@testable import TTRPC

@Suite("Calls that later ones of their connection wait for")
struct ServerExclusiveTests {
  /// What the handler of `Other` was given, and what it is to answer with.
  private final class Kept {
    var responses: [DeferredResponse] = []
    var payloads: [[UInt8]] = []
    var prepareCount = 0
  }

  private func makeHarness(_ kept: Kept) -> TickHarness {
    TickHarness {
      let handler = ClosureHandler { call, response in
        kept.payloads.append([UInt8](call.payload))
        kept.responses.append(response.deferred(isExclusive: true))
      }
      handler.onPrepare = { _ in kept.prepareCount += 1 }
      $0.register(inline: handler, for: .other)
    }
  }

  private func exclusive(_ stream: UInt32, timeoutNanos: Int64 = 0) -> [UInt8] {
    Wire.request(
      stream: stream, method: "Other", payload: Wire.varint(UInt64(stream)),
      timeoutNanos: timeoutNanos)
  }

  @Test("They wait, of the same bytes and of later ones, and go on in their order")
  func waits() {
    let kept = Kept()
    let harness = makeHarness(kept)
    let (peer, other) = (harness.connect(), harness.connect())
    let bytes = exclusive(3) + Wire.request(stream: 5) + exclusive(7) + Wire.request(stream: 9)
    harness.run([
      (peer, Wire.request(stream: 1) + bytes.dropLast(3)), (other, Wire.request(stream: 1)),
    ])
    #expect(peer.answers().map(\.stream) == [1])
    #expect(other.answers().map(\.stream) == [1])
    #expect(peer.hasBacklog && kept.responses.count == 1)
    #expect(harness.exchange(other, Wire.request(stream: 3)).map(\.stream) == [3])
    kept.responses[0].respond([3])
    harness.run()
    harness.run()
    #expect(peer.answers().map(\.stream) == [3, 5])
    #expect(kept.responses.count == 2 && harness.tick.inFlightCount == 1)
    kept.responses[1].fail(.aborted, "it failed")
    harness.run()
    harness.run([(peer, Array(bytes.suffix(3)))])
    #expect(peer.answers().map(\.stream) == [7, 9])
    #expect(!peer.hasBacklog)
    // Each call counts once, however often its frame was put back.
    #expect(harness.tick.callCount == 7)
  }

  @Test("Calls that came while there was no backlog wait too, and their peer may still be heard")
  func laterBytes() {
    let kept = Kept()
    let harness = makeHarness(kept)
    let peer = harness.connect()
    harness.run([(peer, exclusive(1))])
    #expect(!peer.hasBacklog)
    #expect(harness.exchange(peer, Wire.request(stream: 3)) == [])
    #expect(peer.hasBacklog)
    kept.responses[0].respond([])
    harness.run()
    harness.run()
    #expect(peer.answers().map(\.stream) == [1, 3])
  }

  @Test("Its deadline lets the others go on; theirs count from when they came")
  func deadlines() {
    let kept = Kept()
    let harness = makeHarness(kept)
    let peer = harness.connect()
    harness.run([
      (
        peer,
        exclusive(1, timeoutNanos: 1_000)
          + Wire.request(stream: 3, timeoutNanos: 900)
          + Wire.request(stream: 5, timeoutNanos: 1_000_000)
      )
    ])
    harness.nowNanos += 1_000
    harness.run()
    #expect(kept.responses[0].isCancelled)
    harness.run()
    let answers = peer.answers()
    #expect(answers.map(\.stream) == [1, 3, 5])
    #expect(answers.map(\.code) == [.deadlineExceeded, .deadlineExceeded, .ok])
    #expect(harness.echo.executedCount == 1)
  }

  @Test("A frame that ends it lets the others go on")
  func endedByItsPeer() {
    let kept = Kept()
    let harness = makeHarness(kept)
    let peer = harness.connect()
    harness.run([(peer, exclusive(1))])
    let answers = harness.exchange(
      peer, Wire.frame([1], stream: 1, type: 3) + Wire.request(stream: 3))
    #expect(answers.map(\.code) == [.invalidArgument, .ok])
    #expect(kept.responses[0].isCancelled)
  }

  @Test("A server that drains refuses the calls that wait at once")
  func drains() {
    let kept = Kept()
    let harness = makeHarness(kept)
    let peer = harness.connect()
    harness.run([(peer, exclusive(1) + Wire.request(stream: 3))])
    harness.tick.isDraining = true
    harness.run()
    #expect(peer.answers().map(\.code) == [.unavailable])
    kept.responses[0].respond([])
    harness.run()
    #expect(peer.answers().map(\.stream) == [1])
    #expect(harness.echo.executedCount == 0)
  }

  @Test("A connection that ends drops what waits, and cancels the call")
  func disconnects() {
    let kept = Kept()
    let harness = makeHarness(kept)
    let peer = harness.connect()
    harness.run([(peer, exclusive(1) + Wire.request(stream: 3))])
    peer.disconnect()
    #expect(kept.responses[0].isCancelled)
    kept.responses[0].respond([])
    harness.run()
    #expect(harness.tick.inFlightCount == 0 && harness.echo.executedCount == 0)
  }

  @Test("Of a long backlog only a part is decoded each time")
  func longBacklog() throws {
    let kept = Kept()
    let harness = makeHarness(kept)
    let peer = harness.connect()
    let streams = (0..<1_000).map { UInt32($0) * 2 + 1 }
    harness.run([(peer, streams.flatMap { exclusive($0) } + Wire.request(stream: 9_999))])
    kept.prepareCount = 0
    var turns = 0
    while kept.responses.count < streams.count || peer.hasBacklog {
      kept.responses.last?.respond([])
      harness.run()
      turns += 1
      try #require(turns < 3_000)
    }
    kept.responses.last?.respond([])
    harness.run()
    #expect(kept.payloads == streams.map { Wire.varint(UInt64($0)) })
    #expect(peer.answers().map(\.stream) == streams + [9_999])
    #expect(kept.prepareCount < 100 * streams.count)
  }
}

@Suite("What one tick takes on")
struct ServerTickLimitTests {
  @Test("A large frame that is completed fills the tick, however few bytes it lacked")
  func largeFrame() {
    let harness = TickHarness()
    let (one, two) = (harness.connect(), harness.connect())
    let bytes = Wire.request(payload: [UInt8](repeating: 1, count: 3 << 20))
    for peer in [one, two] { harness.run([(peer, Array(bytes.dropLast()))]) }
    harness.tick.begin(nowNanos: harness.nowNanos)
    #expect(!harness.tick.isFull)
    bytes.suffix(1).withUnsafeBytes { last in
      if let machine = one.machine { harness.tick.receive(last, on: machine) }
    }
    #expect(harness.tick.isFull)
    harness.tick.execute(nowNanos: harness.nowNanos)
    harness.tick.commit()
    while harness.tick.nextTouched() != nil {}
    harness.tick.end()
    one.take()
    #expect(!harness.tick.isFull)
    #expect(one.answers().count == 1)
    #expect(harness.exchange(two, Array(bytes.suffix(1))).count == 1)
  }

  @Test("What a frame is decoded to fills the tick too")
  func largeDecoding() {
    let harness = TickHarness()
    let arena = harness.loop.arena
    harness.tick.begin(nowNanos: harness.nowNanos)
    arena.beginCall()
    _ = arena.allocate(2 << 20)
    #expect(harness.tick.isFull)
    harness.tick.execute(nowNanos: harness.nowNanos)
    harness.tick.commit()
    harness.tick.end()
    #expect(!harness.tick.isFull)
  }
}
