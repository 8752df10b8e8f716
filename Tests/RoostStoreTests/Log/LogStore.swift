import Dispatch
import Synchronization
import Testing

@testable import RoostStore

/// A log engine on a folder, with a clock that only the test moves.
final class LogStore: CallPerformer {
  let engine: LogEngine
  let session: EngineSession
  private let folder: TemporaryFolder

  init(
    _ folder: TemporaryFolder, clock: any StoreClock = ManualStoreClock(), shardCount: Int = 2,
    _ change: (inout LogEngineConfiguration) -> Void = { _ in }
  ) throws(LogError) {
    var configuration = LogEngineConfiguration(directory: folder.path)
    configuration.memory.shardCount = shardCount
    configuration.memory.clock = clock
    configuration.memory.sweepsInBackground = false
    configuration.snapshotLogBytes = 0
    configuration.snapshotBytesPerSecond = 0
    change(&configuration)
    self.folder = folder
    engine = try LogEngine(configuration)
    session = EngineSession(engine)
  }

  /// Nothing that was not written before is written.
  deinit { engine.stopThreads() }

  func perform(_ call: StoreCall) throws(StoreError) -> StoreAnswer { try session.perform(call) }

  var durability: LogDurability { engine.durability }
  var writer: LogWriter { engine.durability.writer }
  var log: ChangeLog { writer.log }
  var revision: Int64 { engine.status().revision }

  /// Everything that can be seen, in the order of the keys.
  func state() throws -> [StoredEntry] { try session.state() }

  /// Takes one, and waits for it.
  @discardableResult
  func takeSnapshot() throws -> SnapshotSummary { try engine.snapshotNow() }
}

extension LogEngine {
  @discardableResult
  func snapshotNow() throws -> SnapshotSummary {
    let outcome = Mutex<Result<SnapshotSummary, LogError>?>(nil)
    let isDone = DispatchSemaphore(value: 0)
    takeSnapshot { result in
      outcome.withLock { $0 = result }
      isDone.signal()
    }
    isDone.wait()
    return try outcome.withLock { $0! }.get()
  }
}

extension CallPerformer {
  /// Everything that can be seen, in the order of the keys.
  func state() throws -> [StoredEntry] {
    try scanPages(ScanCall(pageSize: 10_000, maxPageBytes: 1 << 30)).flatMap(\.entries)
  }
}

/// What a start finds in a folder, without touching it.
struct FoundStore {
  var outcome: Recovery.Outcome
  var state: [StoredEntry]

  init(_ folder: TemporaryFolder, now: Int64) throws {
    var configuration = MemoryEngineConfiguration()
    configuration.shardCount = 2
    configuration.sweepsInBackground = false
    configuration.clock = ManualStoreClock(wallMillis: now)
    nonisolated(unsafe) var engine = MemoryEngine(configuration: configuration)
    var recovery = try Recovery(
      folder.path, isReadOnly: true,
      makeShards: {
        engine = MemoryEngine(configuration: configuration)
        return engine.shards
      }, keepAnswer: { _, _ in }, onProgress: { _ in })
    outcome = try recovery.run()
    state = try EngineSession(engine).state()
  }
}
