import Synchronization
import Testing

@testable import RoostStore

@Suite("The log engine through restarts, at random") struct LogModelTests {
  @Test(
    "After each restart, orderly or not, everything is as the reference has it",
    arguments: (0..<runCount(6)).map { seed() &+ UInt64($0) })
  func restarts(seed: UInt64) throws {
    let run = ModelRun(.log, ModelRandomTests.options(seed))
    var random = SeededRandom(seed &+ 1)
    var generator = ModelStepGenerator(random: SeededRandom(seed))
    for number in 0..<1_200 {
      let step = generator.step(run.reference, now: run.now)
      var fault = run.perform(step)
      if random.oneIn(80) {
        fault = try fault ?? run.restart(afterCrash: random.oneIn(2))
      } else if random.oneIn(80) {
        try (run.store.engine as! LogEngine).snapshotNow()
      } else if random.oneIn(40) {
        _ = try (run.store.engine as! LogEngine).durability.writer.beginSegment()
      }
      if let fault {
        Issue.record("step \(number) \(step) \(fault)\nagain with ROOST_TEST_SEED=\(seed)")
        return
      }
    }
    try #expect(run.restart(afterCrash: true) == nil, "seed \(seed)")
    try #expect(run.restart(afterCrash: false) == nil, "seed \(seed)")
  }

  @Test("A transaction whose steps meet on one key is replayed to the same end")
  func stepsOnOneKey() throws {
    let store = EngineUnderTest.log.start()
    try store.push("kept", ["a", "b", "c"])
    try store.transact(then: [
      .set("list", ["a"]), .push("list", ["b", "c"]), .pop("list", from: .front), .delete("list"),
    ])
    try store.transact(then: [
      .pop("kept"), .push("kept", ["x"], at: .front, maxLength: 2), .increment("n"),
      .increment("n", by: 4), .set("s", "1"), .set("s", ["i"]), .push("s", ["j"]), .delete("gone"),
    ])
    try store.transact(then: [
      .delete("s"), .push("s", ["k"]), .pop("kept", count: 2), .push("kept", ["new"]),
    ])
    let before = try store.snapshot()
    store.restart()
    #expect(try store.snapshot() == before)
    // Over a snapshot that may hold any of it already.
    try (store.engine as! LogEngine).snapshotNow()
    try store.crash()
    #expect(try store.snapshot() == before)
  }

  @Test("A key that was to end ends at its time, also where the store was down then")
  func expiry() throws {
    let store = EngineUnderTest.log.start()
    try store.set("short", 1, expires: .after(100))
    try store.set("long", 1, expires: .after(1_000))
    try store.set("touched", 1, expires: .after(100))
    try store.touch("touched", expires: .never)
    store.restart()
    #expect(try store.get("short")?.expiresAtMillis == store.now + 100)
    store.clock.advance(millis: 100)
    try store.crash()
    #expect(try store.snapshot().map(\.key) == ["long", "touched"])
    #expect(store.engine.status().keyCount == 2)
    let revision = store.revision
    store.sweep()
    #expect(store.revision == revision + 1, "its end has a revision of its own")
    store.restart()
    #expect(try store.snapshot().map(\.key) == ["long", "touched"])
  }

  @Test("Large lists are in a snapshot that is taken while they change")
  func largeLists() throws {
    let store = EngineUnderTest.log.start(\.shardCount, 1)
    let item = Bytes(repeating: 7, count: 10_000)
    func fill(_ key: Bytes) throws {
      for _ in 0..<10 { try store.push(key, [Bytes](repeating: item, count: 10)) }
    }
    for key: Bytes in ["a", "b", "c"] { try fill(key) }
    let engine = store.engine
    let isDone = Atomic<Bool>(false)
    let errors = runThreads(2) { thread -> String? in
      if thread == 0 {
        defer { isDone.store(true, ordering: .releasing) }
        for _ in 0..<6 {
          do { try (engine as! LogEngine).snapshotNow() } catch { return "\(error)" }
        }
        return nil
      }
      let session = EngineSession(engine)
      var round = 0
      while !isDone.load(ordering: .acquiring) {
        round += 1
        _ = try? session.push("b", [item], maxLength: 100)
        _ = try? session.pop("a", from: .front)
        _ = try? session.push("a", [item])
        if round % 7 == 0 { _ = try? session.set("c", .int(Int64(round))) }
        if round % 7 == 3 {
          _ = try? session.set("c", .list([Bytes](repeating: item, count: 100)))
        }
      }
      return nil
    }
    #expect(errors == [nil, nil])
    let before = try store.snapshot()
    let copied = store.folder
    try store.crash()
    #expect(try store.snapshot() == before)
    #expect((store.engine as! LogEngine).report.snapshot != nil)
    withExtendedLifetime(copied) {}
  }

  @Test("A store without a key has snapshots too")
  func emptySnapshot() throws {
    let store = EngineUnderTest.log.start()
    try (store.engine as! LogEngine).snapshotNow()
    try store.set("a", 1)
    try store.delete("a")
    try (store.engine as! LogEngine).snapshotNow()
    try store.crash()
    #expect(try store.snapshot() == [])
    #expect((store.engine as! LogEngine).report.snapshot != nil)
  }
}
