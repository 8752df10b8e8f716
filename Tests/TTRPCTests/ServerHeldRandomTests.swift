import TTRPCTestSupport
import Testing

@testable import TTRPC

/// Compares held answers with what a table of calls says of them.
@Suite("Answers that are held back, at random")
struct ServerHeldRandomTests {
  private struct Call {
    var mark: UInt8
    var bytes: Int
    var deadlineNanos: UInt64
  }

  private final class Client {
    let peer: TestPeer
    var waiting: [UInt32: Call] = [:]
    var nextStream: UInt32 = 1
    init(_ peer: TestPeer) { self.peer = peer }
  }

  @Test("Each call gets its own answer, once, and not before its mark is open", arguments: 1...20)
  func model(seed: UInt64) throws {
    var random = SeededGenerator(seed: seed)
    let gate = TestGate()
    let harness = TickHarness {
      $0.gate = gate
      $0.register(inline: HoldingHandler(), for: .other)
    }
    var clients = (0..<4).map { _ in Client(harness.connect()) }
    var (open, refused) = (0, Int.max)
    for turn in 0..<150 {
      harness.nowNanos += UInt64.random(in: 0...3, using: &random)
      var input: [(TestPeer, [UInt8])] = []
      for client in clients where !client.peer.hasBacklog {
        for _ in 0..<Int.random(in: 0...6, using: &random) {
          input.append((client.peer, next(client, open, harness.nowNanos, &random)))
        }
      }
      if turn % 10 == 9 { open += Int.random(in: 0...20, using: &random) }
      open = min(open + Int.random(in: 0...1, using: &random), 250)
      gate.open(Int64(open))
      refused = turn % 40 == 39 ? open + 15 : .max
      gate.refuse(from: refused == .max ? .max : Int64(refused))
      if refused != .max { harness.tick.noteWake() }
      harness.run(input)
      for client in clients { try check(client, open, refused, harness.nowNanos, seed) }
      if turn % 50 == 49 {
        clients[0].peer.disconnect()
        clients[0] = Client(harness.connect())
      }
      #expect(harness.tick.inFlightCount == clients.reduce(0) { $0 + $1.waiting.count })
    }
    gate.open(255)
    harness.run()
    for client in clients {
      try check(client, 255, .max, harness.nowNanos, seed)
      #expect(client.waiting.isEmpty, "seed \(seed)")
      #expect(client.peer.unreadBytes == 0)
    }
    let holdsNothing = harness.tick.held.isEmpty
    #expect(holdsNothing)
  }

  private func next(
    _ client: Client, _ open: Int, _ nowNanos: UInt64, _ random: inout SeededGenerator
  ) -> [UInt8] {
    let mark = UInt8(min(max(open + Int.random(in: -5...25, using: &random), 0), 250))
    // Frames of both kinds: those with memory of their own begin at 16 KiB.
    let log2Bytes = UInt8.random(in: 0...9, using: &random) == 0 ? 15 : UInt8(mark % 8)
    let timeout: Int64 = Bool.random(using: &random) ? 0 : .random(in: 20...60, using: &random)
    let stream = client.nextStream
    client.nextStream += 2
    client.waiting[stream] = Call(
      mark: mark, bytes: 1 << Int(log2Bytes),
      deadlineNanos: timeout == 0 ? .max : nowNanos + UInt64(timeout))
    return Wire.request(
      stream: stream, method: "Other", payload: [mark, log2Bytes], timeoutNanos: timeout)
  }

  private func check(
    _ client: Client, _ open: Int, _ refused: Int, _ nowNanos: UInt64, _ seed: UInt64
  ) throws {
    for answer in client.peer.answers() {
      let removed = client.waiting.removeValue(forKey: answer.stream)
      let call = try #require(removed, "seed \(seed): an answer to no call")
      switch answer.code {
      case .ok:
        let isRight = answer.payload == [UInt8](repeating: call.mark, count: call.bytes)
        #expect(isRight && Int(call.mark) <= open, "seed \(seed)")
      case .deadlineExceeded: #expect(call.deadlineNanos <= nowNanos, "seed \(seed)")
      case .unavailable: #expect(Int(call.mark) >= refused, "seed \(seed)")
      default: Issue.record("seed \(seed): \(answer.code)")
      }
    }
    guard !client.peer.hasBacklog else { return }
    let overdueCount = client.waiting.values.count { call in
      Int(call.mark) <= open || Int(call.mark) >= refused || call.deadlineNanos <= nowNanos
    }
    try #require(overdueCount == 0, "seed \(seed)")
  }
}
