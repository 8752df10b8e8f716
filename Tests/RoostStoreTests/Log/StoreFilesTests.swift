import Synchronization
import Testing

@testable import RoostStore

@Suite("Files of a store without a server") struct StoreFilesTests {
  enum Copying: CaseIterable { case restore, repairOfSnapshot, repairOfLog }

  @Test(
    "A restored and a repaired store repeat the answers that are kept", arguments: Copying.allCases)
  func answers(copying: Copying) throws {
    let (folder, target) = (try TemporaryFolder(), try TemporaryFolder())
    let clock = SystemStoreClock()
    var first: StoreAnswer?
    let call = StoreCall.increment(IncrementCall(key: "counter", delta: 5))
    do {
      let store = try LogStore(folder, clock: clock)
      store.session.ticket = StoreTicket(key: "k")
      first = try store.perform(call)
      store.session.ticket = nil
      if copying != .repairOfLog { try store.takeSnapshot() }
      store.engine.close()
    }
    switch copying {
    case .restore:
      let name = try #require(try folder.snapshots.first)
      _ = try StoreFiles.restore(snapshot: folder.path + "/" + name, into: target.path)
    case .repairOfSnapshot, .repairOfLog:
      let report = try StoreFiles.repair(folder.path, into: target.path)
      #expect(report.losses == [])
      #expect(report.copy.entryCount == 1)
    }
    let store = try LogStore(target, clock: clock)
    store.session.ticket = StoreTicket(key: "k")
    #expect(try store.perform(call) == first)
    #expect(store.session.wasReplayed)
    store.session.ticket = nil
    #expect(try store.value("counter") == 5)
    store.engine.close()
  }

  @Test("The progress of a check grows, and stays within what there is to read")
  func progress() throws {
    let history = try LogHistory(rotatesAfter: [20], snapshotAfter: [12])
    let steps = Steps()
    _ = try StoreFiles.check(history.folder.path) { steps.add($0) }
    let done = steps.all.map(\.bytesDone)
    #expect(done == done.sorted() && !done.isEmpty)
    let last = try #require(steps.all.last)
    #expect(steps.all.allSatisfy { $0.bytesDone <= $0.bytesTotal })
    #expect(last.itemCount > 0)
  }

  @Test("A snapshot that a start found damaged is not one of the two that are kept")
  func damagedGeneration() throws {
    let folder = try TemporaryFolder()
    do {
      let store = try LogStore(folder)
      for number in 0..<2 {
        try store.set("key", .int(Int64(number)))
        try store.takeSnapshot()
      }
      store.engine.close()
    }
    let before = try folder.snapshots
    #expect(before.count == 2)
    var bytes = try folder.read(before[1])
    bytes[bytes.count / 2] ^= 1
    try folder.write(bytes, to: before[1])
    let segmentCount = try folder.segments.count
    do {
      let store = try LogStore(folder)
      #expect(store.engine.report.snapshot == before[0])
      #expect(try store.value("key") == 1)
      try store.set("key", 2)
      try store.takeSnapshot()
      let after = try folder.snapshots
      #expect(after.count == 2 && after[0] == before[0] && after[1] > before[1])
      #expect(try folder.segments.count >= segmentCount, "the older one needs all of them")
      store.engine.close()
    }
    // The older one alone is enough.
    try folder.folder.remove(try folder.snapshots[1])
    #expect(try LogStore(folder).value("key") == 2)
  }
}

/// What a check told. Safe to use from any thread.
private final class Steps: Sendable {
  private let steps = Mutex<[RecoveryProgress]>([])
  func add(_ step: RecoveryProgress) { steps.withLock { $0.append(step) } }
  var all: [RecoveryProgress] { steps.withLock { $0 } }
}
