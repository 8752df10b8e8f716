import ExampleAPI
import Glibc
import Logging
import ProtobufC
import ServiceLifecycle
import Synchronization
import TTRPC
import TTRPCTestSupport
import Testing

@testable import Reactor

@Suite("Answers from elsewhere, and the end")
struct DrainTests {
  @Test("Answers from many threads reach their callers, each once", arguments: [1, 2])
  func manyThreads(threads: Int) async throws {
    let shelf = Shelf()
    try await TestServer.with(
      .test(threads: threads), dispatcher: shelf.dispatcher()
    ) { server in
      let clients = try (0..<8).map { _ in try server.connect() }
      let streams = (0..<500).map { UInt32($0) * 2 + 1 }
      for round in 0..<3 as Range<UInt64> {
        for client in clients {
          try client.send(
            streams.flatMap { LaterHandler.request($0, Wire.varint(UInt64($0) + round)) })
        }
        let responses = shelf.take(clients.count * streams.count)
        let next = Atomic<Int>(0)
        let group = ThreadGroup(count: 4) {
          while true {
            let index = next.add(1, ordering: .relaxed).oldValue
            guard index < responses.count else { return }
            responses[index].0.respond(responses[index].1)
          }
        }
        for client in clients {
          let answers = try client.receive(streams.count).sorted { $0.stream < $1.stream }
          #expect(
            answers
              == streams.map { WireAnswer(stream: $0, payload: Wire.varint(UInt64($0) + round)) })
        }
        group.join()
      }
      #expect(server.server.counters.callsInFlight == 0)
    }
  }

  @Test("A disconnect cancels calls in flight, also where others wait", arguments: [false, true])
  func disconnectCancels(isExclusive: Bool) async throws {
    let shelf = Shelf()
    try await TestServer.with(
      dispatcher: shelf.dispatcher(isExclusive: isExclusive)
    ) { server in
      // A Unix socket tells that its peer is gone; of TCP only a reset does.
      for isUnix in [false, true] {
        var client: BlockingClient? = try server.connect(isUnix: isUnix)
        try client?.send(LaterHandler.request(1) + Wire.request(stream: 3))
        let (response, _) = shelf.take(1)[0]
        // Not before the loop has seen the second call.
        #expect(try server.connect().call(Wire.request()) == WireAnswer())
        #expect(!response.isCancelled)
        client?.resetOnClose()
        client = nil
        while !response.isCancelled { sched_yield() }
        response.respond([1])
        #expect(try server.connect().call(Wire.request()) == WireAnswer())
      }
    }
  }

  @Test("A deadline passes on the loop's clock")
  func deadline() async throws {
    let shelf = Shelf()
    try await TestServer.with(dispatcher: shelf.dispatcher()) { server in
      let client = try server.connect()
      let request = Wire.request(method: "Later", timeoutNanos: 20_000_000)
      #expect(try client.call(request)?.code == .deadlineExceeded)
      #expect(shelf.take(1)[0].0.isCancelled)
    }
  }

  @Test("A peer that closes its sending half gets the answers of its calls in flight")
  func halfClosed() async throws {
    let shelf = Shelf()
    try await TestServer.with(dispatcher: shelf.dispatcher()) { server in
      for isUnix in [false, true] {
        let client = try server.connect(isUnix: isUnix)
        try client.send(LaterHandler.request(1) + Wire.request(stream: 3))
        try client.send(LaterHandler.request(5))
        client.finishSending()
        let responses = shelf.take(2)
        #expect(try client.receive().map(\.stream) == [3])
        // The loop has seen the end before this call, or with it.
        #expect(try server.connect().call(Wire.request()) == WireAnswer())
        responses[1].0.respond([5])
        #expect(try client.receive() == [WireAnswer(stream: 5, payload: [5])])
        responses[0].0.respond([1])
        #expect(try client.receiveUntilClosed() == [WireAnswer(stream: 1, payload: [1])])
      }
    }
  }

  @Test("It gets them within their deadlines, and does not wait longer than a peer that stalls")
  func halfClosedForLong() async throws {
    let shelf = Shelf()
    try await TestServer.with(
      .test(stallTimeout: .milliseconds(200)), dispatcher: shelf.dispatcher()
    ) { server in
      let client = try server.connect()
      try client.send(
        Wire.request(method: "Later", timeoutNanos: 50_000_000) + LaterHandler.request(3))
      client.finishSending()
      #expect(try client.receiveUntilClosed().map(\.code) == [.deadlineExceeded])
      for (response, _) in shelf.take(2) { while !response.isCancelled { sched_yield() } }
    }
  }

  @Test("A drain closes idle connections, refuses new calls, and waits for those in flight")
  func drains() async throws {
    let shelf = Shelf()
    try await TestServer.with(dispatcher: shelf.dispatcher()) { server in
      let (idle, busy) = (try server.connect(), try server.connect())
      #expect(try idle.call(Wire.request()) == WireAnswer())
      try busy.send(LaterHandler.request(1))
      let (response, payload) = shelf.take(1)[0]
      server.server.shutDown()
      #expect(try idle.receiveUntilClosed() == [])
      #expect(server.server.counters.isDraining)
      #expect(try busy.call(Wire.request(stream: 3))?.code == .unavailable)
      #expect(throws: BlockingClient.SocketError.self) { try server.connect() }
      response.respond(payload)
      #expect(try busy.receiveUntilClosed() == [WireAnswer(stream: 1)])
    }
  }

  @Test("A drain does not wait for the rest of a request")
  func drainWithHalfRequest() async throws {
    try await TestServer.with { server in
      let client = try server.connect()
      try client.send(Wire.request(stream: 1) + Array(Wire.request(stream: 3).dropLast()))
      #expect(try client.receive().map(\.stream) == [1])
      server.server.shutDown()
      #expect(try client.receiveUntilClosed() == [])
    }
  }

  @Test("A drain ends when its time is up, whatever is in flight")
  func drainTimeout() async throws {
    let shelf = Shelf()
    try await TestServer.with(
      .test(drainTimeout: .milliseconds(50)), dispatcher: shelf.dispatcher()
    ) { server in
      let busy = try server.connect()
      try busy.send(LaterHandler.request(1))
      let (response, _) = shelf.take(1)[0]
      server.server.shutDown()
      #expect(try busy.receiveUntilClosed() == [])
      while !response.isCancelled { sched_yield() }
    }
  }

  @Test("A graceful shutdown of its service group ends run() without an error")
  func serviceLifecycle() async throws {
    let server = ReactorServer(
      configuration: ReactorConfiguration(listeners: [.tcp(host: "127.0.0.1", port: 0)]),
      logger: quietLogger, makeDispatcher: { TestServer.echo($0) })
    try server.bind()
    let group = ServiceGroup(services: [server], logger: quietLogger)
    async let running: Void = group.run()
    await group.triggerGracefulShutdown()
    try await running
  }

  @Test("Cancelling its task stops a server at once")
  func cancellation() async throws {
    let shelf = Shelf()
    let server = ReactorServer(
      configuration: ReactorConfiguration(listeners: [.tcp(host: "127.0.0.1", port: 0)]),
      logger: quietLogger, makeDispatcher: shelf.dispatcher())
    guard case .tcp(_, let port) = try server.bind()[0] else { return }
    let running = Task { try await server.run() }
    let closed = await onThread {
      let client = try BlockingClient(port: port)
      try client.send(LaterHandler.request(1))
      let kept = shelf.take(1)
      running.cancel()
      return try withExtendedLifetime(kept) { try client.receiveUntilClosed() }
    }
    #expect(try closed.get() == [])
    try await running.value
  }

  @Test("Async handlers are served over sockets")
  func asyncHandler() async throws {
    let makeDispatcher: ReactorServer.MakeDispatcher = { loop in
      var dispatcher = Dispatcher(loop: loop)
      dispatcher.register(
        Station.Methods.latest,
        handler: { request, _ in
          await Task.yield()
          return Reading(sensor: request.sensor, celsius: 3)
        })
      return dispatcher
    }
    try await TestServer.with(dispatcher: makeDispatcher) { server in
      let client = try server.connect()
      let request = Wire.request(
        service: "weather.v1.Station", method: "Latest",
        payload: try LatestRequest(sensor: "roof").encoded())
      let answer = try #require(try client.call(request))
      #expect(try Reading(decoding: answer.payload) == Reading(sensor: "roof", celsius: 3))
    }
  }
}

/// Threads that run one closure, and end.
final class ThreadGroup {
  private var threads: [pthread_t] = []

  private final class Body: Sendable {
    let run: @Sendable () -> Void
    init(_ run: @escaping @Sendable () -> Void) { self.run = run }
  }

  init(count: Int, _ body: @escaping @Sendable () -> Void) {
    for _ in 0..<count {
      var thread = pthread_t()
      let code = pthread_create(
        &thread, nil,
        { argument in
          Unmanaged<Body>.fromOpaque(argument!).takeRetainedValue().run()
          return nil
        }, Unmanaged.passRetained(Body(body)).toOpaque())
      precondition(code == 0)
      threads.append(thread)
    }
  }

  func join() { for thread in threads { pthread_join(thread, nil) } }
}
