import Glibc
import Testing

@testable import RoostStore

@Suite("Idempotency keys in the log")
struct LogIdempotencyTests {
  private static func open(
    _ path: String, _ clock: ManualStoreClock, maxIdempotencyBytes: Int = 64 << 20
  ) throws -> LogEngine {
    var configuration = LogEngineConfiguration(directory: path)
    configuration.memory.clock = clock
    configuration.memory.sweepsInBackground = false
    configuration.memory.maxIdempotencyBytes = maxIdempotencyBytes
    configuration.policy = .always
    configuration.snapshotLogBytes = 0
    return try LogEngine(configuration)
  }

  /// Opens, lends and closes an engine.
  private static func with<Result>(
    _ path: String, _ clock: ManualStoreClock, maxIdempotencyBytes: Int = 64 << 20,
    _ body: (LogEngine, EngineSession) async throws -> Result
  ) async throws -> Result {
    let engine = try open(path, clock, maxIdempotencyBytes: maxIdempotencyBytes)
    let result: Swift.Result<Result, any Error>
    do {
      result = .success(try await body(engine, EngineSession(engine)))
    } catch {
      result = .failure(error)
    }
    engine.close()
    return try result.get()
  }

  private static func snapshot(_ engine: LogEngine) async throws {
    _ = try await withCheckedThrowingContinuation { continuation in
      engine.takeSnapshot { continuation.resume(with: $0) }
    }
  }

  enum Restart: String, CaseIterable { case close, copy, snapshot, snapshotThenWrites }

  @Test(
    "A repeated write gets the first answer after a restart",
    arguments: Restart.allCases, RepeatedWrite.all)
  func restart(_ restart: Restart, write: RepeatedWrite) async throws {
    let (folder, copy) = (try TemporaryFolder(), try TemporaryFolder())
    let clock = ManualStoreClock()
    let (first, state) = try await Self.with(folder.path, clock) { (engine, session) async throws in
      for call in write.before { _ = try session.perform(call) }
      session.ticket = StoreTicket(key: "k")
      let first = try session.perform(write.call)
      session.ticket = nil
      if restart == .snapshot || restart == .snapshotThenWrites { try await Self.snapshot(engine) }
      if restart == .snapshotThenWrites { try session.set("later", 1) }
      let state = try Self.contents(session)
      engine.durability.sync()
      if restart == .copy { try folder.copyFiles(to: copy) }
      return (first, state)
    }
    let path = restart == .copy ? copy.path : folder.path
    try await Self.with(path, clock) { (engine, session) async throws in
      #expect(try Self.contents(session) == state)
      session.ticket = StoreTicket(key: "k")
      #expect(try session.perform(write.call) == first)
      #expect(session.wasReplayed)
      #expect(try Self.contents(session) == state)
      #expect(engine.status().idempotencyWindowMillis == AnswerTicket.windowMillis)
    }
  }

  private static func contents(_ session: EngineSession) throws -> [StoredEntry] {
    session.ticket = nil
    return try session.scanPages(ScanCall()).flatMap(\.entries)
  }

  @Test("A log that ends anywhere has both, the write and its answer, or neither")
  func truncation() throws {
    let folder = try TemporaryFolder()
    let clock = ManualStoreClock()
    let engine = try Self.open(folder.path, clock)
    let session = EngineSession(engine)
    let writes: [StoreCall] = [
      .increment(IncrementCall(key: "n", delta: 1)),
      .push(PushCall(key: "list", items: ["a", "b"])),
      .transact(TransactCall(success: [.increment("m"), .increment("l")])),
      .pop(PopCall(key: "list")), .touch("n", .after(100_000)),
      .deleteRange(StoreRange(prefix: "m")),
      .delete(DeleteCall(key: "n", returnPrevious: true)),
    ]
    var answers: [StoreAnswer] = []
    var states = [try Self.contents(session)]
    for (number, write) in writes.enumerated() {
      session.ticket = StoreTicket(key: Bytes("\(number)"))
      answers.append(try session.perform(write))
      states.append(try Self.contents(session))
    }
    engine.durability.sync()
    let name = try #require(
      try folder.folder.names().first { LogFormat.firstSequence(ofSegment: $0) != nil })
    let bytes = try folder.read(name)
    engine.close()
    let end = (bytes.lastIndex { $0 != 0 } ?? 0) + 1
    var found = Set<Int>()
    for length in 0...end {
      let copy = try TemporaryFolder()
      try copy.write(Array(bytes[..<length]), to: name)
      guard let again = try? Self.open(copy.path, clock) else { continue }
      let newSession = EngineSession(again)
      let state = try Self.contents(newSession)
      let done = try #require(states.firstIndex(of: state), "at \(length)")
      found.insert(done)
      for (number, write) in writes.enumerated() {
        newSession.ticket = StoreTicket(key: Bytes("\(number)"))
        let answer = try newSession.perform(write)
        #expect(newSession.wasReplayed == (number < done), "write \(number) at \(length)")
        if number < done { #expect(answer == answers[number]) }
      }
      again.close()
    }
    #expect(found.count == states.count)
  }

  @Test("An answer older than the window is not loaded; one from the future is kept for a window")
  func expired() async throws {
    let folder = try TemporaryFolder()
    let clock = ManualStoreClock()
    func restarted(_ value: Int64, replayed: Bool) async throws {
      try await Self.with(folder.path, clock) { (_, session) async throws in
        session.ticket = StoreTicket(key: "k")
        #expect(try session.increment("n").value == value)
        #expect(session.wasReplayed == replayed)
      }
    }
    try await restarted(1, replayed: false)
    clock.advance(millis: AnswerTicket.windowMillis - 1)
    try await restarted(1, replayed: true)
    clock.advance(millis: 1)
    try await restarted(2, replayed: false)
    clock.stepWall(millis: -10_000_000)
    try await Self.with(folder.path, clock) { (_, session) async throws in
      session.ticket = StoreTicket(key: "k")
      clock.advance(millis: AnswerTicket.windowMillis - 1)
      #expect(try session.increment("n").value == 2)
      clock.advance(millis: 1)
      #expect(try session.increment("n").value == 3)
    }
  }

  @Test("A repetition waits for the first write, and weaker durability shows nothing early")
  func durability() throws {
    let folder = try TemporaryFolder()
    let engine = try Self.open(folder.path, ManualStoreClock())
    defer { engine.close() }
    let lent = CommandLoan(engine: engine, ticket: StoreTicket(key: "k"))
    let reply = ReplyArena(budgetBytes: 1 << 20)
    let call = SetCall(key: "key", value: 1, durability: .memory)
    guard case .now(let first) = try engine.set(lent.set(call), reply, later: { { _ in } })
    else { return }
    for durability in [WriteDurability.engineDefault, .memory, .synced] {
      reply.reset()
      var again = call
      again.durability = durability
      _ = try engine.set(lent.set(again), reply, later: { { _ in } })
      #expect(reply.isReplayed)
      #expect(reply.writtenRevision == first.revision)
      #expect(reply.writtenDurability == durability)
      #expect(reply.shownRevision == first.revision - 1)
    }
    reply.reset()
    let other = CommandLoan(engine: engine, ticket: StoreTicket(key: "k", request: "other"))
    #expect(throws: StoreError.idempotencyKeyReused) {
      try engine.set(other.set(call), reply, later: { { _ in } })
    }
    #expect(reply.shownRevision == first.revision)
  }

  @Test("Many answers of snapshot and log come back within the bound, the newest of them")
  func bound() async throws {
    let folder = try TemporaryFolder()
    let clock = ManualStoreClock()
    try await Self.with(folder.path, clock) { (engine, session) async throws in
      for number in 0..<2_000 {
        session.ticket = StoreTicket(key: Bytes("\(number)"))
        try session.increment("n")
        if number == 1_200 { try await Self.snapshot(engine) }
      }
    }
    let maxBytes = 50_000
    try await Self.with(folder.path, clock, maxIdempotencyBytes: maxBytes) {
      (engine, session) async throws in
      #expect(engine.status().idempotencyBytes <= maxBytes)
      #expect(engine.status().idempotencyWindowMillis == 0)
      let known = try (0..<2_000).reversed().prefix { number in
        session.ticket = StoreTicket(key: Bytes("\(number)"))
        try session.increment("n")
        return session.wasReplayed
      }
      #expect(known.count > 200 && known.count < 400)
    }
  }
}

extension TemporaryFolder {
  fileprivate func copyFiles(to other: TemporaryFolder) throws {
    for name in try folder.names() where name != "lock" {
      try other.write(try read(name), to: name)
    }
  }
}
