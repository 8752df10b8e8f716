import Synchronization
import Testing

@testable import RoostStore

@Suite("Copies of a log that is at work", .serialized) struct LogCrashTests {
  private static let threadCount = 3

  @Test("Every copy of the directory holds what was written before it was made, and whole calls")
  func copies() throws {
    let folder = try TemporaryFolder()
    let store = try LogStore(folder)
    let engine = store.engine
    let isDone = Atomic<Bool>(false)
    let written = WrittenCounts(count: Self.threadCount)
    let faults = runThreads(Self.threadCount + 2) { thread -> [String] in
      switch thread {
      case Self.threadCount:
        defer { isDone.store(true, ordering: .releasing) }
        return Self.copyAndCheck(engine, folder, written, rounds: runCount(12))
      case Self.threadCount + 1:
        while !isDone.load(ordering: .acquiring) {
          do { try engine.snapshotNow() } catch { return ["\(error)"] }
        }
      default: Self.write(engine, thread, written, until: isDone)
      }
      return []
    }
    #expect(faults.flatMap { $0 } == [], "seed \(seed())")
  }

  /// Each call moves the thread's own counter, the common one, and the thread's list together.
  private static func write(
    _ engine: LogEngine, _ thread: Int, _ written: WrittenCounts,
    until isDone: borrowing Atomic<Bool>
  ) {
    let session = EngineSession(engine)
    var random = SeededRandom(seed() &+ UInt64(thread))
    var count: Int64 = 0
    while !isDone.load(ordering: .acquiring) {
      count += 1
      _ = try? session.transact(then: [
        .increment("own \(thread)"), .increment("all"),
        .push("list \(thread)", [Bytes("\(count)")], at: .front, maxLength: 20),
        .set("key \(thread) \(random.int(0...50))", .int(count)),
      ])
      if random.oneIn(5) { _ = try? session.delete("key \(thread) \(random.int(0...50))") }
      if random.oneIn(50) { _ = try? session.deleteRange(StoreRange(prefix: "key \(thread) 1")) }
      engine.durability.endOfTick(waitsFor: session.reply.writtenRevision, isIdle: false)
      written.set(thread, count)
    }
  }

  private static func copyAndCheck(
    _ engine: LogEngine, _ folder: TemporaryFolder, _ written: WrittenCounts, rounds: Int
  ) -> [String] {
    var faults: [String] = []
    for round in 0..<rounds {
      let floors = written.all
      let revision = engine.status().revision
      do {
        // A file may go between listing and reading: then once more.
        var found: TemporaryFolder?
        for _ in 0..<1_000 where found == nil { found = try? folder.copy() }
        guard let copy = found else { return faults + ["no copy in round \(round)"] }
        let store = try LogStore(copy)
        faults += try check(store, floors)
        let report = store.engine.report
        if let cut = report.cut, cut.reason.contains("missing") { faults.append("\(report)") }
        let next = try store.set("new", 1).revision
        if next <= revision { faults.append("revision \(next) again, after \(revision)") }
      } catch {
        faults.append("round \(round): \(error)")
      }
    }
    return faults
  }

  private static func check(_ store: LogStore, _ floors: [Int64]) throws -> [String] {
    var faults: [String] = []
    var sum: Int64 = 0
    for thread in 0..<threadCount {
      var own: Int64 = 0
      if case .int(let found)? = try store.value("own \(thread)") { own = found }
      sum += own
      if own < floors[thread] { faults.append("\(own) of \(floors[thread]) calls") }
      let items = try store.items("list \(thread)")
      let expected = (0..<min(20, own)).map { Bytes("\(own - $0)") }
      if items != expected { faults.append("\(items) after \(own) calls") }
    }
    var all: Int64 = 0
    if case .int(let found)? = try store.value("all") { all = found }
    if all != sum { faults.append("\(all) of \(sum) in the common counter") }
    return faults
  }
}

/// How many calls of each thread are written.
private final class WrittenCounts: Sendable {
  private let counts: Mutex<[Int64]>
  init(count: Int) { counts = Mutex([Int64](repeating: 0, count: count)) }
  func set(_ index: Int, _ count: Int64) { counts.withLock { $0[index] = count } }
  var all: [Int64] { counts.withLock { $0 } }
}
