import TTRPCTestSupport
import Testing

@testable import TTRPC

@Suite("Peers that do not read")
struct ServerBackpressureTests {
  private static let answerBytes = 1 << 20

  /// Other answers with 1 MiB whose first byte is the request's.
  private func makeHarness() -> TickHarness {
    TickHarness {
      $0.register(
        inline: ClosureHandler { call, response in
          var answer = [UInt8](repeating: 0, count: Self.answerBytes)
          answer[0] = call.payload[0]
          answer.withUnsafeBytes { response.respond($0) }
        }, for: .other)
    }
  }

  private func requests(_ count: Int) -> [UInt8] {
    (0..<count).flatMap {
      Wire.request(stream: UInt32($0) * 2 + 1, method: "Other", payload: [UInt8($0)])
    }
  }

  @Test("Answers pile up to the limit, the other calls wait, and go on in their order")
  func pausesAndResumes() throws {
    let harness = makeHarness()
    let peer = harness.connect()
    let machine = try #require(peer.machine)
    harness.sends = false
    // The last frame is cut: what follows the calls that wait is kept too.
    let bytes = requests(100) + Wire.request(stream: 999, payload: [7])
    harness.run([(peer, Array(bytes.dropLast(5)))])
    let limits = harness.tick.limits
    #expect(peer.hasBacklog)
    #expect(peer.unsentBytes >= limits.pauseBytes)
    var answers: [WireAnswer] = []
    var turns = 0
    while machine.pointee.hasBacklog {
      #expect(peer.unsentBytes <= limits.maxUnreadBytes)
      peer.take(1_500_000)
      harness.run()
      answers += peer.answers()
      turns += 1
      try #require(turns < 1_000)
    }
    harness.sends = true
    harness.run([(peer, Array(bytes.suffix(5)))])
    peer.take()
    answers += peer.answers()
    let streams: [UInt32] = (0..<100).map { UInt32($0) * 2 + 1 }
    #expect(answers.map(\.stream) == streams + [999])
    #expect(answers.dropLast().map { Int($0.payload[0]) } == Array(0..<100))
  }

  @Test("Time that a call waits for its peer counts against its deadline")
  func deadlineWhilePaused() throws {
    let harness = makeHarness()
    let peer = harness.connect()
    harness.sends = false
    harness.run([(peer, requests(20) + Wire.request(stream: 999, timeoutNanos: 1_000))])
    harness.nowNanos += 2_000
    harness.sends = true
    peer.take()
    while peer.machine?.pointee.hasBacklog == true { harness.run() }
    #expect(peer.answers().last?.code == .deadlineExceeded)
    #expect(harness.echo.executedCount == 0)
  }

  @Test("Late answers that the peer has no room for fail alone, and the connection goes on")
  func deferredAnswers() throws {
    final class Kept { var responses: [DeferredResponse] = [] }
    let kept = Kept()
    let harness = TickHarness {
      $0.register(
        inline: ClosureHandler { _, response in kept.responses.append(response.deferred()) },
        for: .other)
    }
    let peer = harness.connect()
    harness.sends = false
    let count = harness.tick.limits.maxCallsPerConnection
    harness.run([
      (peer, (0..<count).flatMap { Wire.request(stream: UInt32($0) * 2 + 1, method: "Other") })
    ])
    let answer = [UInt8](repeating: 1, count: Self.answerBytes)
    for response in kept.responses { response.respond(answer) }
    harness.run()
    #expect(peer.unsentBytes <= harness.tick.limits.maxUnreadBytes)
    peer.take()
    let answers = peer.answers()
    #expect(answers.count == count)
    let fitting = answers.prefix { $0.code == .ok }
    #expect((4..<8).contains(fitting.count))
    #expect(answers.dropFirst(fitting.count).allSatisfy { $0.code == .resourceExhausted })
    harness.sends = true
    #expect(harness.exchange(peer, Wire.request()) == [WireAnswer()])
    #expect(harness.tick.inFlightCount == 0)
  }

  @Test("Others are served meanwhile")
  func othersGoOn() {
    let harness = makeHarness()
    let (stuck, other) = (harness.connect(), harness.connect())
    harness.sends = false
    harness.run([(stuck, requests(50)), (other, Wire.request(payload: [1]))])
    other.take()
    #expect(other.answers() == [WireAnswer(payload: [1])])
  }

  @Test("A connection that is closed drops what waits")
  func closeWhilePaused() throws {
    let harness = makeHarness()
    let peer = harness.connect()
    let machine = try #require(peer.machine)
    harness.sends = false
    harness.run([(peer, requests(50))])
    machine.pointee.abandon(.unreadAnswers)
    #expect(!peer.hasBacklog)
    #expect(peer.unsentBytes == 0)
    harness.run()
    peer.disconnect()
  }

  @Test("Output memory is given back when everything was sent")
  func memoryGivenBack() throws {
    let harness = makeHarness()
    let peer = harness.connect()
    _ = harness.exchange(peer, requests(3))
    #expect(peer.outputCapacity == 0)
    #expect(peer.inputCapacity == 0)
  }
}

@Suite("Deadlines in order")
struct DeadlineQueueTests {
  private func address(_ stream: UInt32) -> CallAddress {
    CallAddress(connectionID: 1, streamID: stream, serial: UInt64(stream))
  }

  @Test("They come out earliest first, and not before their time", arguments: 1...20)
  func order(seed: UInt64) {
    var random = SeededGenerator(seed: seed)
    var queue = DeadlineQueue()
    let deadlines = (0..<500).map { _ in UInt64.random(in: 0..<1_000, using: &random) }
    for (index, deadline) in deadlines.enumerated() {
      queue.insert(.init(deadlineNanos: deadline, address: address(UInt32(index)))) { _ in true }
    }
    var found: [UInt64] = []
    for now in stride(from: UInt64(0), through: 1_000, by: 10) {
      while let address = queue.removeFirst(until: now) {
        let deadline = deadlines[Int(address.streamID)]
        #expect(deadline <= now && deadline + 10 > now || now == 0)
        found.append(deadline)
      }
    }
    #expect(found == deadlines.sorted(), "seed \(seed)")
  }

  @Test("Calls that were answered long before their deadlines do not pile up")
  func compaction() {
    var queue = DeadlineQueue()
    for stream in 0..<100_000 as Range<UInt32> {
      let entry = DeadlineQueue.Entry(deadlineNanos: .max - 1, address: address(stream))
      queue.insert(entry) { $0.streamID + 10 > stream }
    }
    #expect(queue.count < 200)
  }
}
