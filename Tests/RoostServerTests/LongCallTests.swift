import Dispatch
import Logging
import ProtobufC
import RoostAPI
import ServiceLifecycle
import Synchronization
import TTRPC
import Testing

@testable import RoostServer

@Suite("Calls beside the event loops")
struct LongCallTests {
  /// Lets calls hold their threads until the test lets them go.
  private final class Barrier: Sendable {
    private let entered = DispatchSemaphore(value: 0)
    private let released = DispatchSemaphore(value: 0)

    /// For the calls.
    func pass() {
      entered.signal()
      released.wait()
    }

    func awaitEntered(_ count: Int) async {
      await withCheckedContinuation { continuation in
        DispatchQueue.global().async {
          for _ in 0..<count { self.entered.wait() }
          continuation.resume()
        }
      }
    }

    func release(_ count: Int) { for _ in 0..<count { released.signal() } }
  }

  @Test("No more than the limit are under way, and a place is free again at the end")
  func bounded() async throws {
    let longCalls = LongCalls()
    for _ in 0..<LongCalls.maxCalls { try longCalls.reserve(requestBytes: 1) }
    #expect(throws: RequestError.self) { try longCalls.reserve(requestBytes: 1) }
    await withCheckedContinuation { continuation in
      longCalls.start { continuation.resume() }
    }
    while (try? longCalls.reserve(requestBytes: 1)) == nil { await Task.yield() }
    for _ in 0..<LongCalls.maxCalls { longCalls.start {} }
    #expect(await longCalls.finish(within: .seconds(60)))
    try longCalls.reserve(requestBytes: 1)
    longCalls.start {}
    #expect(await longCalls.finish(within: .seconds(60)))
  }

  @Test("They start in their order on so many threads; Swift's tasks go on meanwhile")
  func ownThreads() async throws {
    let (longCalls, barrier, order) = (LongCalls(maxThreads: 3), Barrier(), Order())
    for index in 0..<64 {
      try longCalls.reserve(requestBytes: 1)
      longCalls.start {
        order.append(index)
        barrier.pass()
      }
    }
    await barrier.awaitEntered(3)
    #expect(order.all.sorted() == [0, 1, 2])
    #expect(await longCalls.finish(within: .zero) == false)
    for next in 3..<64 {
      barrier.release(1)
      await barrier.awaitEntered(1)
      #expect(order.all.last == next)
    }
    barrier.release(3)
    #expect(await longCalls.finish(within: .seconds(60)))
  }

  @Test("One that nobody waits for any more is not started, and makes room")
  func cancelled() async throws {
    let (longCalls, barrier, order) = (LongCalls(maxThreads: 1), Barrier(), Order())
    let isCancelled = Atomic<Bool>(false)
    try longCalls.reserve(requestBytes: 1)
    longCalls.start { barrier.pass() }
    await barrier.awaitEntered(1)
    for index in 1..<LongCalls.maxCalls {
      try longCalls.reserve(requestBytes: 1)
      longCalls.start(
        isCancelled: { index > 1 && isCancelled.load(ordering: .relaxed) },
        { order.append(index) })
    }
    #expect(throws: RequestError.self) { try longCalls.reserve(requestBytes: 1) }
    isCancelled.store(true, ordering: .relaxed)
    try longCalls.reserve(requestBytes: 1)
    longCalls.start(isCancelled: { true }, { order.append(1_000) })
    try longCalls.reserve(requestBytes: 1)
    longCalls.start { order.append(2_000) }
    barrier.release(1)
    #expect(await longCalls.finish(within: .seconds(60)))
    #expect(order.all == [1, 2_000])
  }

  private final class Order: Sendable {
    private let entries = Mutex<[Int]>([])
    var all: [Int] { entries.withLock { $0 } }
    func append(_ entry: Int) { entries.withLock { $0.append(entry) } }
  }

  // MARK: Over sockets

  private func call<Request: Message, Response>(
    _ method: Method<Request, Response>, _ request: Request
  ) throws -> WireConnection.Call {
    WireConnection.Call(method: method.descriptor, request: try request.encoded())
  }

  private func key(_ index: Int) -> [UInt8] { [UInt8]("k\(index)") }

  private func fill(_ wire: WireConnection, _ count: Int) async throws {
    _ = try await wire.exchange(
      (0..<count).map {
        try call(KV.Methods.set, SetRequest(key: key($0), value: .int(0)))
      })
  }

  @Test("What a connection sends behind a long DeleteRange or Scan does not overtake it")
  func order() async throws {
    try await TestServer.with { server in
      let wire = try server.connect()
      try await fill(wire, 3_000)
      let answers = try await wire.exchange([
        try call(KV.Methods.scan, ScanRequest(keysOnly: true, pageSize: 10_000)),
        try call(KV.Methods.deleteRange, DeleteRangeRequest(range: KeyRange(prefix: [UInt8]("k")))),
        try call(KV.Methods.set, SetRequest(key: key(7), value: .int(1))),
        try call(
          KV.Methods.scan, ScanRequest(matchKind: .glob, pattern: [UInt8]("*"), pageSize: 10)),
        try call(KV.Methods.delete, DeleteRequest(key: key(7))),
      ])
      #expect(answers.map(\.code) == [.ok, .ok, .ok, .ok, .ok])
      #expect(try ScanResponse(decoding: answers[0].payload).entries.count == 3_000)
      let deletion = try DeleteRangeResponse(decoding: answers[1].payload)
      #expect(deletion.deleted == 3_000)
      #expect(try SetResponse(decoding: answers[2].payload).revision > deletion.revision)
      #expect(try ScanResponse(decoding: answers[3].payload).entries.map(\.key) == [key(7)])
      #expect(try DeleteResponse(decoding: answers[4].payload).deleted)
    }
  }

  @Test("One connection cannot use up the places of the others")
  func fairness() async throws {
    try await TestServer.with { server in
      let wire = try server.connect()
      try await fill(wire, 300)
      let scan = try call(
        KV.Methods.scan, ScanRequest(matchKind: .regex, pattern: [UInt8]("9$"), pageSize: 1_000))
      // The places are kept busy, all but four: a call's place is free a moment after its answer.
      let places = server.server.service.longCalls
      for _ in 4..<LongCalls.maxCalls { try places.reserve(requestBytes: 1) }
      async let many = wire.exchange(Array(repeating: scan, count: 50))
      let others = try await server.connect().exchange(Array(repeating: scan, count: 10))
      #expect(others.allSatisfy { $0.code == .ok })
      #expect(try await many.allSatisfy { $0.code == .ok })
      for _ in 4..<LongCalls.maxCalls { places.start {} }
    }
  }

  @Test("A drain ends within its time, whatever runs beside the loops")
  func drain() async throws {
    let (barrier, directory) = (Barrier(), ScratchDirectory())
    var configuration = ServerConfiguration(dataDirectory: directory.path)
    configuration.listen = ["unix://\(directory.file("s"))"]
    configuration.auth = .off
    configuration.drainTimeout = .milliseconds(50)
    let logger = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
    let server = try RoostServer(configuration: configuration, logger: logger)
    try server.bind()
    let longCalls = server.service.longCalls
    // More than there are threads, of Swift's or others.
    for _ in 0..<64 {
      try longCalls.reserve(requestBytes: 1)
      longCalls.start { barrier.pass() }
    }
    await barrier.awaitEntered(1)
    async let running: Void = server.run()
    server.shutDown()
    try await running
    barrier.release(64)
    #expect(await longCalls.finish(within: .seconds(60)))
  }
}
