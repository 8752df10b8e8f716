import Dispatch
import Glibc
import Synchronization
import TTRPC
import TTRPCTestSupport
import Testing

@testable import Reactor

@Suite("Calls that wait, and ticks that are full")
struct ExclusiveCallTests {
  @Test(
    "What is sent behind an exclusive call waits for its answer; others go on", arguments: [1, 2])
  func waits(threads: Int) async throws {
    let shelf = Shelf()
    try await TestServer.with(
      .test(threads: threads), dispatcher: shelf.dispatcher(isExclusive: true)
    ) { server in
      let client = try server.connect()
      try client.send(LaterHandler.request(1, [1]) + Wire.request(stream: 3))
      try client.send(LaterHandler.request(5, [5]) + Wire.request(stream: 7))
      let (first, payload) = shelf.take(1)[0]
      #expect(try server.connect().call(Wire.request()) == WireAnswer())
      let isAlone = shelf.responses.withLock { $0.isEmpty }
      #expect(isAlone)
      first.respond(payload)
      let answers = try client.receive(2)
      #expect(answers == [WireAnswer(stream: 1, payload: [1]), WireAnswer(stream: 3)])
      let (second, rest) = shelf.take(1)[0]
      second.respond(rest)
      #expect(
        try client.receive(2) == [WireAnswer(stream: 5, payload: [5]), WireAnswer(stream: 7)])
      // It is heard as before.
      #expect(try client.call(Wire.request(stream: 9)) == WireAnswer(stream: 9))
    }
  }

  @Test("A peer that closes its sending half gets the answers of calls that waited too")
  func halfClosed() async throws {
    let shelf = Shelf()
    try await TestServer.with(dispatcher: shelf.dispatcher(isExclusive: true)) { server in
      for isUnix in [false, true] {
        let client = try server.connect(isUnix: isUnix)
        try client.send(
          LaterHandler.request(1) + Wire.request(stream: 3) + LaterHandler.request(5)
            + Wire.request(stream: 7))
        client.finishSending()
        for _ in 0..<2 {
          let (response, _) = shelf.take(1)[0]
          #expect(try server.connect().call(Wire.request()) == WireAnswer())
          response.respond([])
        }
        #expect(try client.receiveUntilClosed().map(\.stream) == [1, 3, 5, 7])
      }
    }
  }

  @Test("A drain refuses the calls that wait, and waits for the exclusive one")
  func drains() async throws {
    let shelf = Shelf()
    try await TestServer.with(dispatcher: shelf.dispatcher(isExclusive: true)) { server in
      let client = try server.connect()
      try client.send(LaterHandler.request(1) + Wire.request(stream: 3))
      let (response, _) = shelf.take(1)[0]
      #expect(try server.connect().call(Wire.request()) == WireAnswer())
      server.server.shutDown()
      #expect(try client.receive().map(\.code) == [.unavailable])
      response.respond([])
      #expect(try client.receiveUntilClosed() == [WireAnswer(stream: 1)])
    }
  }

  @Test("A connection that waits for a call is not idle")
  func isNotIdle() async throws {
    let shelf = Shelf()
    try await TestServer.with(
      .test(idleTimeout: .milliseconds(20)), dispatcher: shelf.dispatcher(isExclusive: true)
    ) { server in
      let client = try server.connect()
      try client.send(LaterHandler.request(1) + Wire.request(stream: 3))
      let (response, _) = shelf.take(1)[0]
      // Others come and are closed meanwhile, as idle ones.
      for _ in 0..<3 { #expect(try server.connect().receiveUntilClosed() == []) }
      response.respond([])
      #expect(try client.receiveUntilClosed().map(\.stream) == [1, 3])
    }
  }

  @Test("Large frames that are complete at one moment are executed one after the other")
  func largeFrames() async throws {
    let (entered, released) = (DispatchSemaphore(value: 0), DispatchSemaphore(value: 0))
    let mostCalls = Mutex(0)
    try await TestServer.with(
      dispatcher: { loop in
        var dispatcher = TestServer.echo(loop)
        dispatcher.endOfTick = { tick in
          mostCalls.withLock { $0 = max($0, tick.callCount) }
        }
        dispatcher.register(
          inline: BlockingHandler(entered, released),
          for: MethodDescriptor(service: "test.Echo", name: "Block"))
        return dispatcher
      }
    ) { server in
      let clients = try (0..<8).map { _ in try server.connect(isUnix: true) }
      let frame = Wire.request(payload: [UInt8](repeating: 7, count: 2 << 20))
      for client in clients {
        try client.send(Array(frame.dropLast()))
        try client.waitUntilRead()
      }
      let blocker = try server.connect()
      try blocker.send(Wire.request(method: "Block"))
      entered.wait()
      for client in clients { try client.send(Array(frame.suffix(1))) }
      released.signal()
      #expect(try blocker.receive() == [WireAnswer()])
      for client in clients { #expect(try client.receive().first?.payload.count == 2 << 20) }
      #expect(mostCalls.withLock { $0 } == 1)
    }
  }

  /// Holds its loop until it is told to go on.
  private final class BlockingHandler: InlineHandler {
    private let entered: DispatchSemaphore
    private let released: DispatchSemaphore

    init(_ entered: DispatchSemaphore, _ released: DispatchSemaphore) {
      self.entered = entered
      self.released = released
    }

    func prepare(_ call: inout InlineCall) {}
    func execute(_ call: inout InlineCall, _ response: inout ResponseWriter) {
      entered.signal()
      released.wait()
      response.respond(call.payload)
    }
  }
}
