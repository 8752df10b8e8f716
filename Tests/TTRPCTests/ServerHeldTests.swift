import Synchronization
import TTRPCTestSupport
import Testing

@testable import TTRPC

/// A gate that the test moves.
final class TestGate: AnswerGate {
  private struct State {
    var openMark: Int64 = 0
    /// Marks from this on are refused.
    var refusedMark: Int64 = .max
    var askedCount = 0
  }

  private let state = Mutex(State())

  var openMark: Int64 { state.withLock { $0.openMark } }
  var askedCount: Int { state.withLock { $0.askedCount } }

  func open(_ mark: Int64) { state.withLock { $0.openMark = mark } }
  func refuse(from mark: Int64) { state.withLock { $0.refusedMark = mark } }

  func refusal(of mark: Int64) -> RPCError? {
    state.withLock { state in
      state.askedCount += 1
      return mark < state.refusedMark ? nil : RPCError(.unavailable, "mark \(mark) is out of reach")
    }
  }
}

/// Repeats the payload as often as its second byte says, and holds the answer until the mark that
/// is the first byte; with a third byte the call fails instead.
final class HoldingHandler: InlineHandler {
  func prepare(_ call: inout InlineCall) {}
  func execute(_ call: inout InlineCall, _ response: inout ResponseWriter) {
    if call.payload.count > 2 {
      response.fail(.notFound, "nothing there")
    } else {
      let count = 1 << Int(call.payload[1])
      let answer = [UInt8](repeating: call.payload[0], count: count)
      answer.withUnsafeBytes { response.respond($0) }
    }
    response.hold(until: Int64(call.payload[0]))
  }
}

@Suite("Answers that are held back")
struct ServerHeldTests {
  private let gate = TestGate()

  private func makeHarness(
    limits: ConnectionLimits = ConnectionLimits(), register: (inout Dispatcher) -> Void = { _ in }
  ) -> TickHarness {
    TickHarness(limits: limits) {
      $0.gate = gate
      $0.register(inline: HoldingHandler(), for: .other)
      register(&$0)
    }
  }

  /// A call whose answer has `1 << log2Bytes` bytes and waits for the mark.
  private func held(
    _ stream: UInt32, _ mark: UInt8, log2Bytes: UInt8 = 0, timeoutNanos: Int64 = 0
  ) -> [UInt8] {
    Wire.request(
      stream: stream, method: "Other", payload: [mark, log2Bytes], timeoutNanos: timeoutNanos)
  }

  @Test("They leave in their tick, in the order of their calls, where its end opens their marks")
  func sameTick() {
    let summaries = Mutex<[TickSummary]>([])
    let harness = makeHarness {
      $0.endOfTick = { [gate] summary in
        summaries.withLock { $0.append(summary) }
        gate.open(summary.heldMark)
      }
    }
    let (one, two) = (harness.connect(), harness.connect())
    harness.run([
      (one, held(1, 3) + Wire.request(stream: 3) + held(5, 1)), (two, held(7, 2)),
    ])
    // What needs no hold was never behind what does.
    #expect(one.answers().map(\.stream) == [3, 1, 5])
    #expect(two.answers() == [WireAnswer(stream: 7, payload: [2])])
    #expect(harness.tick.inFlightCount == 0)
    #expect(harness.tick.nextTickNanos == nil)
    let summary = summaries.withLock { $0 }
    #expect(summary.map(\.callCount) == [4])
    #expect(summary.map(\.heldCount) == [3])
    #expect(summary.map(\.heldMark) == [3])
    #expect(summary.map(\.isDraining) == [false])
    #expect(gate.askedCount == 0)
  }

  @Test("One whose mark opens later leaves then; the calls after it overtake it")
  func laterTick() {
    let harness = makeHarness()
    let peer = harness.connect()
    #expect(harness.exchange(peer, held(1, 5) + Wire.request(stream: 3)).map(\.stream) == [3])
    #expect(harness.tick.inFlightCount == 1)
    #expect(peer.pendingCallCount == 1)
    #expect(peer.machine?.pointee.owesNothing == false)
    #expect(harness.tick.nextTickNanos == harness.nowNanos + 100_000_000)
    gate.open(4)
    #expect(harness.exchange(peer, Wire.request(stream: 5)).map(\.stream) == [5])
    gate.open(5)
    harness.run()
    #expect(peer.answers() == [WireAnswer(stream: 1, payload: [5])])
    #expect(harness.tick.inFlightCount == 0)
    #expect(peer.pendingCallCount == 0)
    #expect(peer.machine?.pointee.owesNothing == true)
    #expect(peer.outputCapacity == 0)
    #expect(harness.tick.nextTickNanos == nil)
  }

  @Test("Each waits for its own mark, whatever was held before it; a failure can be held too")
  func ownMark() {
    let harness = makeHarness()
    let peer = harness.connect()
    let failure = Wire.request(stream: 7, method: "Other", payload: [2, 0, 0])
    #expect(harness.exchange(peer, held(1, 9) + held(3, 2) + held(5, 4) + failure) == [])
    gate.open(2)
    harness.run()
    let first = peer.answers()
    #expect(first.map(\.stream) == [3, 7])
    #expect(first.map(\.code) == [.ok, .notFound])
    #expect(first[1].message == "nothing there")
    gate.open(4)
    #expect(harness.exchange(peer, held(9, 3)).map(\.stream) == [9, 5])
    gate.open(100)
    harness.run()
    #expect(peer.answers().map(\.stream) == [1])
  }

  @Test("What waits for an open mark is not held, nor is anything where there is no gate")
  func openMark() {
    gate.open(7)
    let seen = Mutex<[TickSummary]>([])
    let gated = makeHarness { $0.endOfTick = { summary in seen.withLock { $0.append(summary) } } }
    let calls = held(1, 7) + Wire.request(stream: 3)
    #expect(gated.exchange(gated.connect(), calls).map(\.stream) == [1, 3])
    let summaries = seen.withLock { $0 }
    #expect(summaries.map(\.heldCount) == [0])
    #expect(summaries.map(\.heldMark) == [0])
    let free = TickHarness { $0.register(inline: HoldingHandler(), for: .other) }
    #expect(free.exchange(free.connect(), held(1, 255)).map(\.stream) == [1])
  }

  @Test("The hook sees the highest mark that is waited for, of earlier ticks too")
  func summary() {
    let seen = Mutex<[TickSummary]>([])
    let harness = makeHarness {
      $0.endOfTick = { summary in seen.withLock { $0.append(summary) } }
    }
    let peer = harness.connect()
    harness.run([(peer, held(1, 9) + held(3, 4))])
    gate.open(4)
    harness.run([(peer, Wire.request(stream: 5) + held(7, 6))])
    gate.open(9)
    harness.run()
    harness.run([(peer, Wire.request(stream: 5))])
    let summaries = seen.withLock { $0 }
    #expect(summaries.map(\.callCount) == [2, 2, 1])
    #expect(summaries.map(\.heldCount) == [2, 1, 0])
    #expect(summaries.map(\.heldMark) == [9, 9, 0])
  }

  @Test("What is refused fails with that; the gate is asked when the loop was woken")
  func refusal() {
    let harness = makeHarness()
    let peer = harness.connect()
    harness.run([(peer, held(1, 3) + held(3, 8) + held(5, 8))])
    gate.refuse(from: 5)
    harness.run()
    #expect(peer.answers() == [])
    #expect(gate.askedCount == 0)
    harness.tick.noteWake()
    harness.run()
    let answers = peer.answers()
    #expect(answers.map(\.stream) == [3, 5])
    #expect(answers.map(\.code) == [.unavailable, .unavailable])
    #expect(answers[0].message == "mark 8 is out of reach")
    #expect(harness.tick.inFlightCount == 1)
    gate.open(9)
    #expect(harness.exchange(peer, held(3, 1)).map(\.stream) == [3, 1])
  }

  @Test("Nobody has to wake the loop: it asks every 100 ms, while anything is held")
  func poll() {
    let harness = makeHarness()
    let peer = harness.connect()
    harness.run([(peer, held(1, 3))])
    harness.nowNanos += 99_999_999
    harness.run()
    #expect(gate.askedCount == 0)
    harness.nowNanos += 1
    harness.run()
    #expect(gate.askedCount == 1)
    #expect(harness.tick.nextTickNanos == harness.nowNanos + 100_000_000)
    gate.refuse(from: 1)
    harness.nowNanos += 100_000_000
    harness.run()
    #expect(peer.answers().map(\.code) == [.unavailable])
    let askedCount = gate.askedCount
    harness.nowNanos += 100_000_000
    harness.run()
    harness.tick.noteWake()
    harness.run()
    #expect(gate.askedCount == askedCount, "nothing is held")
    harness.run([(peer, held(1, 3))])
    #expect(peer.answers() == [], "a wake does not outlast its tick")
  }

  @Test("At its deadline the call is DEADLINE_EXCEEDED, and the held answer is dropped")
  func deadline() {
    let harness = makeHarness()
    let peer = harness.connect()
    harness.run([(peer, held(1, 3, log2Bytes: 6, timeoutNanos: 1_000) + held(3, 2))])
    #expect(harness.tick.nextTickNanos == harness.nowNanos + 1_000)
    let heldBytes = peer.heldBytes
    harness.nowNanos += 1_000
    harness.run()
    let answers = peer.answers()
    #expect(answers.map(\.stream) == [1])
    #expect(answers.map(\.code) == [.deadlineExceeded])
    #expect(harness.tick.inFlightCount == 1)
    #expect(peer.heldBytes < heldBytes - 64)
    gate.open(3)
    #expect(harness.exchange(peer, held(1, 1)).map(\.stream) == [1, 3])
    #expect(peer.heldBytes == 0)
  }

  @Test("A disconnect drops what is held for the connection, and for no other")
  func disconnect() {
    let harness = makeHarness()
    let (gone, other) = (harness.connect(), harness.connect())
    harness.run([(gone, held(1, 3) + held(3, 4)), (other, held(1, 3)), (gone, held(5, 2))])
    #expect(harness.tick.inFlightCount == 4)
    gone.disconnect()
    #expect(harness.tick.inFlightCount == 1)
    gate.open(4)
    harness.run()
    #expect(other.answers().map(\.stream) == [1])
    harness.run([(other, held(1, 9))])
    other.disconnect()
    #expect(harness.tick.nextTickNanos == nil)
  }

  @Test("A connection that nobody reads gets no held answer, in its tick nor later")
  func abandoned() throws {
    let harness = makeHarness()
    let peer = harness.connect()
    let machine = try #require(peer.machine)
    harness.run([(peer, held(1, 3))])
    harness.tick.abandon(machine, .peerClosed)
    gate.open(3)
    harness.run()
    #expect(machine.pointee.unsentBytes == 0)
    #expect(harness.tick.inFlightCount == 1)
    peer.disconnect()
    #expect(harness.tick.inFlightCount == 0)
  }

  @Test("Its stream is in use until the answer has left")
  func streamInUse() {
    let harness = makeHarness()
    let (peer, other) = (harness.connect(), harness.connect())
    harness.run([(peer, held(5, 1)), (other, held(5, 1))])
    gate.open(1)
    harness.run()
    #expect(peer.answers().map(\.stream) == [5])
    #expect(harness.exchange(peer, held(5, 1)).map(\.stream) == [5])
    #expect(peer.closeReason == nil)
    harness.run([(other, held(7, 2))])
    harness.run([(other, Wire.request(stream: 7))])
    #expect(other.closeReason == .streamInUse)
  }

  @Test("Data for its call ends it with INVALID_ARGUMENT, its only answer")
  func strayData() {
    let harness = makeHarness()
    let peer = harness.connect()
    harness.run([(peer, held(1, 3))])
    let data = Wire.frame([1], stream: 1, type: 3)
    #expect(harness.exchange(peer, data).map(\.code) == [.invalidArgument])
    gate.open(3)
    harness.run()
    #expect(peer.answers() == [])
    #expect(peer.heldBytes == 0)
  }

  @Test("Held calls count against the limit of calls in flight, reads too while they last")
  func limit() {
    var limits = ConnectionLimits()
    limits.maxCallsPerConnection = 2
    let harness = makeHarness(limits: limits)
    let peer = harness.connect()
    harness.run([(peer, held(1, 3) + held(3, 3))])
    #expect(harness.exchange(peer, Wire.request(stream: 5)).map(\.code) == [.resourceExhausted])
    gate.open(3)
    harness.run()
    #expect(peer.answers().map(\.stream) == [1, 3])
    #expect(harness.exchange(peer, Wire.request(stream: 5)).map(\.code) == [.ok])
  }

  @Test("Held bytes pause the connection as unread ones do; it goes on when they have left")
  func pauses() {
    let harness = makeHarness()
    let peer = harness.connect()
    let limits = harness.tick.limits
    let calls = (0..<40).flatMap { held(UInt32($0) * 2 + 1, 1 + UInt8($0), log2Bytes: 20) }
    harness.run([(peer, calls)])
    #expect(peer.hasBacklog)
    #expect(peer.unsentBytes == 0)
    let unread = peer.unreadBytes
    #expect((limits.pauseBytes...limits.maxUnreadBytes).contains(unread))
    harness.run()
    #expect(peer.unreadBytes == unread)
    var answers: [WireAnswer] = []
    for mark in 1...40 as ClosedRange<Int64> {
      gate.open(mark)
      harness.run()
      answers += peer.answers()
      #expect(peer.unreadBytes <= limits.maxUnreadBytes)
    }
    let streams = [UInt32](stride(from: 1, to: 80, by: 2))
    #expect(answers.map(\.stream) == streams)
    #expect(answers.map(\.payload[0]) == [UInt8](1...40))
    #expect(answers.allSatisfy { $0.payload.count == 1 << 20 })
    #expect(!peer.hasBacklog)
    #expect(peer.unreadBytes == 0)
  }

  private final class Completions: ServerInterceptor {
    let wantsCompletions = true
    private(set) var lines: [String] = []
    func intercept(_ call: inout InlineCall) -> Decision { .proceed }
    func completed(_ call: borrowing CompletedCall) {
      let nanos = call.completedNanos - call.startedNanos
      lines.append("\(call.method.name) \(call.code) \(call.responseBytes) \(nanos)")
    }
  }

  @Test("The completion hook sees a held call once, when its answer leaves, with its code")
  func completions() {
    let hook = Completions()
    let harness = makeHarness { $0.add(interceptor: hook) }
    let peer = harness.connect()
    let failure = Wire.request(stream: 5, method: "Other", payload: [2, 0, 0])
    harness.run([(peer, held(1, 1) + Wire.request(stream: 3) + failure)])
    #expect(hook.lines == ["Echo ok 10 0"])
    gate.open(2)
    harness.nowNanos += 5
    harness.run()
    #expect(hook.lines.count == 3)
    #expect(hook.lines[1] == "Other ok 13 5")
    #expect(hook.lines[2].hasPrefix("Other notFound "))
    harness.run([(peer, held(7, 9))])
    peer.disconnect()
    #expect(hook.lines.last == "Other cancelled 0 0")
    #expect(hook.lines.count == 4)
  }

  @Test("A large burst leaves no memory behind, and what was given up is forgotten")
  func memory() {
    var limits = ConnectionLimits()
    limits.maxCallsPerConnection = 100_000
    let harness = makeHarness(limits: limits)
    let peer = harness.connect()
    let streams = (0..<10_000).map { UInt32($0) * 2 + 1 }
    harness.run([(peer, streams.flatMap { held($0, 1, log2Bytes: 6) })])
    #expect(harness.tick.held.capacities.0 >= 10_000)
    gate.open(1)
    harness.run()
    #expect(peer.answers().map(\.stream) == streams)
    #expect(harness.tick.held.capacities.0 < 1_000)
    #expect(harness.tick.held.capacities.1 < 64 << 10)
    harness.run([(peer, held(1, 9))])
    for _ in 0..<1_000 {
      harness.run([(peer, held(3, 9, log2Bytes: 10, timeoutNanos: 10))])
      harness.nowNanos += 10
      harness.run()
    }
    #expect(peer.answers().count == 1_000)
    #expect(harness.tick.held.capacities.0 < 1_000)
    #expect(harness.tick.held.capacities.1 < 64 << 10)
    gate.open(9)
    harness.run()
    #expect(peer.answers() == [WireAnswer(stream: 1, payload: [9])])
  }
}
