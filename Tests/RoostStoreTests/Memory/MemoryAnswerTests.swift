import Testing

@testable import RoostStore

@Suite("The memory engine's answers of idempotency keys")
struct MemoryAnswerTests {
  /// An engine, and what it was told of short windows.
  private final class Store {
    let clock = ManualStoreClock()
    let engine: MemoryEngine
    let session: EngineSession
    let warnings = Warnings()

    init(maxBytes: Int) {
      var configuration = MemoryEngineConfiguration()
      configuration.maxIdempotencyBytes = maxBytes
      configuration.clock = clock
      configuration.sweepsInBackground = false
      configuration.onShortWindow = { [warnings] in warnings.add($0) }
      engine = MemoryEngine(configuration: configuration)
      session = EngineSession(engine)
    }

    deinit { engine.close() }

    /// Says whether the write was known already.
    func write(_ number: Int) throws -> Bool {
      session.ticket = StoreTicket(key: Bytes("\(number)"))
      try session.increment("n")
      return session.wasReplayed
    }
  }

  private final class Warnings: @unchecked Sendable {
    // Of one test's one thread.
    private(set) var millis: [Int64] = []
    func add(_ value: Int64) { millis.append(value) }
  }

  @Test("Over the bound the oldest answers go, and the window that is left is told")
  func eviction() throws {
    let store = Store(maxBytes: 20_000)
    for number in 0..<1_000 {
      #expect(try !store.write(number))
      store.clock.advance(millis: 10)
      #expect(store.engine.status().idempotencyBytes <= 20_000)
    }
    // The newest are still known, without a gap, and nothing older is.
    let answers = store.engine.answers
    let known = try (0..<1_000).reversed().prefix { try store.write($0) }.count
    #expect(known > 50 && known < 200)
    #expect(store.warnings.millis.count == 1)
    let window = answers.windowMillis(now: store.engine.time.now)
    #expect(window <= Int64(known + 2) * 10 && window >= Int64(known - 2) * 10)
    store.clock.advance(millis: 60_000)
    #expect(
      answers.windowMillis(now: store.engine.time.now) == window + 60_000)
  }

  @Test("A warning comes once a minute")
  func warnings() throws {
    let store = Store(maxBytes: 2_000)
    for number in 0..<1_000 {
      _ = try store.write(number)
      store.clock.advance(millis: 130)
    }
    #expect(store.warnings.millis.count == 3)
  }

  @Test("What is older than the window is freed")
  func expiry() throws {
    let store = Store(maxBytes: 1 << 20)
    for number in 0..<500 { _ = try store.write(number) }
    let half = store.engine.status().idempotencyBytes
    store.clock.advance(millis: AnswerTicket.windowMillis / 2)
    for number in 500..<1_000 { _ = try store.write(number) }
    store.clock.advance(millis: AnswerTicket.windowMillis / 2)
    store.engine.sweep()
    let left = store.engine.status().idempotencyBytes
    #expect(left > 0 && left < half + half / 10)
    store.clock.advance(millis: AnswerTicket.windowMillis / 2)
    store.engine.sweep()
    #expect(store.engine.status().idempotencyBytes == 0)
    #expect(store.engine.status().idempotencyWindowMillis == AnswerTicket.windowMillis)
  }

  @Test("An answer over the bound is not kept, and nothing breaks")
  func large() throws {
    let store = Store(maxBytes: 1_000)
    try store.session.push("list", [Bytes(repeating: 1, count: 10_000)])
    store.session.ticket = StoreTicket(key: "k")
    #expect(try store.session.pop("list").items.count == 1)
    #expect(store.engine.status().idempotencyBytes == 0)
    #expect(try store.session.pop("list").items.isEmpty)
  }

  @Test("Loaded answers come into the order of their revisions")
  func loading() throws {
    let source = Store(maxBytes: 1 << 20)
    var images: [[UInt8]] = []
    for number in 0..<200 { _ = try source.write(number) }
    source.engine.answers.forEachImage { images.append(Array($0)) }
    #expect(images.count == 200)
    let target = Store(maxBytes: Int(source.engine.status().idempotencyBytes) / 2)
    var random = SeededRandom(seed())
    for image in (images + images).shuffled(using: &random) {
      image.withUnsafeBytes { target.engine.answers.load($0, revision: 0, now: 0) }
    }
    target.engine.answers.finishLoading(now: 0)
    var revisions: [Int64] = []
    target.engine.answers.forEachImage {
      revisions.append($0.loadUnaligned(fromByteOffset: 28, as: Int64.self))
    }
    let all = images.map { image in
      image.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: 28, as: Int64.self) }
    }
    let newest = all.sorted().suffix(revisions.count)
    #expect(revisions.count >= 90 && revisions.count <= 100)
    #expect(revisions.sorted() == Array(newest))
  }

  @Test("Bytes that are no answer are refused, whatever they are")
  func randomBytes() throws {
    var random = SeededRandom(seed())
    let store = Store(maxBytes: 1 << 20)
    let call = RepeatedWrite.all.first { $0.testDescription == "transact" }!
    for call in call.before { _ = try store.session.perform(call) }
    store.session.ticket = StoreTicket(key: "k")
    _ = try store.session.perform(call.call)
    var image: [UInt8] = []
    store.engine.answers.forEachImage { image = Array($0) }
    let result = Array(image.dropFirst(36 + "token".count + 1))
    for _ in 0..<runCount(20_000) {
      var bytes = result
      switch random.int(0...2) {
      case 0: bytes = (0..<random.int(0...80)).map { _ in UInt8(random.int(0...255)) }
      case 1: bytes.removeLast(random.int(1...bytes.count))
      default:
        for _ in 0...random.int(0...3) {
          bytes[random.int(0...bytes.count - 1)] = UInt8(random.int(0...255))
        }
      }
      read(bytes, as: random.int(0...5))
      var other = image
      other[random.int(0...other.count - 1)] = UInt8(random.int(0...255))
      other.withUnsafeBytes { store.engine.answers.load($0, revision: 0, now: .max / 2) }
    }
  }

  /// Reads bytes as a result; what it may come to is a result or the one error.
  private func read(_ bytes: [UInt8], as kind: Int) {
    let reply = ReplyArena(budgetBytes: 1 << 20)
    bytes.withUnsafeBytes { bytes in
      do throws(StoreError) {
        switch kind {
        case 0: _ = try AnswerReader.result(of: bytes, revision: 5, reply) as SetResult
        case 1: _ = try AnswerReader.result(of: bytes, revision: 5, reply) as PopResult
        case 2: _ = try AnswerReader.result(of: bytes, revision: 5, reply) as TouchResult
        case 3: _ = try AnswerReader.result(of: bytes, revision: 5, reply) as DeleteResult
        default: _ = try AnswerReader.result(of: bytes, revision: 5, reply) as TransactResult
        }
      } catch {
        switch error {
        case .dataLoss, .replyTooLarge: break
        default: Issue.record("\(error)")
        }
      }
    }
  }
}
