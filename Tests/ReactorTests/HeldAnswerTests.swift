import Glibc
import Synchronization
import TTRPC
import TTRPCTestSupport
import Testing

@testable import Reactor

@Suite("Answers that are held back")
struct HeldAnswerTests {
  private static let write = MethodDescriptor(service: "test.Echo", name: "Write")

  /// Stands for a log: calls take marks, which open when the test says so, on any thread.
  private final class Log: AnswerGate {
    private struct State {
      var takenMark: Int64 = 0
      var openMark: Int64 = 0
      var failure: RPCError?
      var isEnded = false
      var wakes: [@Sendable () -> Void] = []
    }

    private let state = Mutex(State())

    var openMark: Int64 { state.withLock { $0.openMark } }
    func refusal(of mark: Int64) -> RPCError? { state.withLock { $0.failure } }

    func add(_ wake: @escaping @Sendable () -> Void) { state.withLock { $0.wakes.append(wake) } }
    func takeMark() -> Int64 {
      state.withLock { state in
        state.takenMark += 1
        return state.takenMark
      }
    }

    /// Waits until so many calls wait.
    func awaitCalls(_ count: Int64) {
      while state.withLock({ $0.takenMark < $0.openMark + count }) { sched_yield() }
    }

    /// Waits until so many calls wait, and lets them go. `wakes: false` tells no loop.
    func openNext(_ count: Int64, wakes: Bool = true) {
      awaitCalls(count)
      state.withLock { $0.openMark += count }
      if wakes { wakeAll() }
    }

    func fail(_ error: RPCError) {
      state.withLock { $0.failure = error }
      wakeAll()
    }

    private func wakeAll() { for wake in state.withLock({ $0.wakes }) { wake() } }

    func end() { state.withLock { $0.isEnded = true } }

    /// Opens what was taken, again and again, until `end` is called.
    func run() {
      while !state.withLock({ $0.isEnded }) {
        let isOpened = state.withLock { state in
          defer { state.openMark = state.takenMark }
          return state.openMark < state.takenMark
        }
        if isOpened { wakeAll() } else { usleep(200) }
      }
    }
  }

  private final class WriteHandler: InlineHandler {
    let log: Log
    init(_ log: Log) { self.log = log }
    func prepare(_ call: inout InlineCall) {}
    func execute(_ call: inout InlineCall, _ response: inout ResponseWriter) {
      response.respond(call.payload)
      response.hold(until: log.takeMark())
    }
  }

  private func dispatcher(_ log: Log) -> ReactorServer.MakeDispatcher {
    { loop in
      log.add(loop.wake)
      var dispatcher = TestServer.echo(loop)
      dispatcher.gate = log
      dispatcher.register(inline: WriteHandler(log), for: Self.write)
      return dispatcher
    }
  }

  private func writeRequest(_ stream: UInt32, timeoutNanos: Int64 = 0) -> [UInt8] {
    Wire.request(
      stream: stream, method: "Write", payload: Wire.varint(UInt64(stream)),
      timeoutNanos: timeoutNanos)
  }

  private func answer(_ stream: UInt32) -> WireAnswer {
    WireAnswer(stream: stream, payload: Wire.varint(UInt64(stream)))
  }

  @Test("A thread that opens the gate wakes the loop, each time; reads do not wait for it")
  func opened() async throws {
    let log = Log()
    try await TestServer.with(dispatcher: dispatcher(log)) { server in
      let client = try server.connect()
      let clock = ContinuousClock()
      let begin = clock.now
      for stream in stride(from: UInt32(1), to: 801, by: 4) {
        try client.send(writeRequest(stream) + Wire.request(stream: stream + 2))
        #expect(try client.receive() == [WireAnswer(stream: stream + 2)])
        log.openNext(1)
        #expect(try client.receive() == [answer(stream)])
      }
      // At 100 ms each, which is how long a loop waits that nobody wakes, it would take 20 s.
      #expect(clock.now - begin < .seconds(15))
      // Counted at the end of a turn, which is before the next call is answered.
      #expect(try client.call(Wire.request()) == WireAnswer())
      #expect(server.server.counters.callsInFlight == 0)
    }
  }

  @Test("Every held answer leaves once, while another thread opens the gate", arguments: [1, 2])
  func manyConnections(threads: Int) async throws {
    let log = Log()
    try await TestServer.with(.test(threads: threads), dispatcher: dispatcher(log)) { server in
      let opener = ThreadGroup(count: 1) { log.run() }
      let clients = try (0..<8).map { _ in try server.connect() }
      let streams = (0..<400).map { UInt32($0) * 2 + 1 }
      for _ in 0..<5 {
        for client in clients { try client.send(streams.flatMap { writeRequest($0) }) }
        for client in clients {
          let answers = try client.receive(streams.count).sorted { $0.stream < $1.stream }
          #expect(answers == streams.map { answer($0) })
        }
      }
      log.end()
      opener.join()
    }
  }

  @Test("A loop that nobody wakes looks at the gate by itself")
  func notWoken() async throws {
    let log = Log()
    try await TestServer.with(dispatcher: dispatcher(log)) { server in
      let client = try server.connect()
      try client.send(writeRequest(1))
      log.openNext(1, wakes: false)
      #expect(try client.receive() == [answer(1)])
    }
  }

  @Test("Where the gate refuses, the held calls fail with its error; a deadline passes before that")
  func refused() async throws {
    let log = Log()
    try await TestServer.with(dispatcher: dispatcher(log)) { server in
      let client = try server.connect()
      try client.send(writeRequest(1) + writeRequest(3, timeoutNanos: 20_000_000))
      let late = try client.receive()
      #expect(late.map(\.stream) == [3])
      #expect(late.map(\.code) == [.deadlineExceeded])
      log.fail(RPCError(.unavailable, "the log is gone"))
      let refused = try client.receive()
      #expect(refused.map(\.stream) == [1])
      #expect(refused.map(\.message) == ["the log is gone"])
    }
  }

  @Test("A peer that closes its sending half gets its held answers; one that is gone holds nothing")
  func peerEnds() async throws {
    let log = Log()
    try await TestServer.with(dispatcher: dispatcher(log)) { server in
      let client = try server.connect()
      try client.send(writeRequest(1))
      log.awaitCalls(1)
      client.finishSending()
      // The loop sees the end before, or together with, this call.
      #expect(try server.connect().call(Wire.request()) == WireAnswer())
      log.openNext(1)
      #expect(try client.receiveUntilClosed() == [answer(1)])

      var gone: BlockingClient? = try BlockingClient(unixPath: server.path)
      try gone?.send(writeRequest(1))
      log.awaitCalls(1)
      gone = nil
      while server.server.counters.connectionCount > 0 { sched_yield() }
      while server.server.counters.callsInFlight > 0 { sched_yield() }
      log.openNext(1)
      #expect(try server.connect().call(Wire.request()) == WireAnswer())
    }
  }

  @Test("A connection that is to be closed does not wait without end for held answers")
  func stalledGate() async throws {
    let log = Log()
    try await TestServer.with(
      .test(stallTimeout: .milliseconds(50)), dispatcher: dispatcher(log)
    ) { server in
      let client = try server.connect()
      try client.send(writeRequest(1))
      log.awaitCalls(1)
      client.finishSending()
      #expect(try client.receiveUntilClosed() == [])
    }
  }

  @Test("A drain waits for held answers, and no longer than for others in flight")
  func drains() async throws {
    let log = Log()
    try await TestServer.with(dispatcher: dispatcher(log)) { server in
      let client = try server.connect()
      let idle = try server.connect()
      #expect(try idle.call(Wire.request()) == WireAnswer())
      try client.send(writeRequest(1))
      log.awaitCalls(1)
      server.server.shutDown()
      #expect(try idle.receiveUntilClosed() == [])
      log.openNext(1)
      #expect(try client.receiveUntilClosed() == [answer(1)])
    }
    try await TestServer.with(
      .test(drainTimeout: .milliseconds(50)), dispatcher: dispatcher(log)
    ) { server in
      let client = try server.connect()
      try client.send(writeRequest(1) + Wire.request(stream: 3))
      #expect(try client.receive().map(\.stream) == [3])
      server.server.shutDown()
      #expect(try client.receiveUntilClosed() == [])
    }
  }
}
