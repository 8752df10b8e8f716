import Testing

@testable import RoostStore

/// An engine that every contract test runs against. A new engine is one more line in `all`.
struct EngineUnderTest: CustomTestStringConvertible, Sendable {
  struct Options: Sendable {
    var shardCount = 16
    var maxListItems = 1_000_000
    var maxListBytes = 64 << 20
    var maxMemoryBytes: Int?
    var sweepsInBackground = false

    func memoryConfiguration(_ clock: any StoreClock) -> MemoryEngineConfiguration {
      var configuration = MemoryEngineConfiguration()
      configuration.shardCount = shardCount
      configuration.maxListItems = maxListItems
      configuration.maxListBytes = maxListBytes
      configuration.maxMemoryBytes = maxMemoryBytes
      configuration.sweepsInBackground = sweepsInBackground
      configuration.clock = clock
      return configuration
    }
  }

  let name: String
  /// Where the engine keeps its data, if it keeps them.
  let makeFolder: @Sendable () -> TemporaryFolder?
  let make: @Sendable (Options, any StoreClock, TemporaryFolder?) -> any StorageEngine
  /// Frees what has expired, at once.
  let sweep: @Sendable (any StorageEngine) -> Void

  var testDescription: String { name }

  static let all = [memory, log]

  static let memory = EngineUnderTest(name: "memory") {
    nil
  } make: { options, clock, _ in
    MemoryEngine(configuration: options.memoryConfiguration(clock))
  } sweep: { engine in
    (engine as! MemoryEngine).sweep()
  }

  static let log = EngineUnderTest(name: "log") {
    try! TemporaryFolder()
  } make: { options, clock, folder in
    var configuration = LogEngineConfiguration(directory: folder!.path)
    configuration.memory = options.memoryConfiguration(clock)
    configuration.snapshotLogBytes = 0
    return try! LogEngine(configuration)
  } sweep: { engine in
    (engine as! LogEngine).data.sweep()
  }

  /// A new, empty engine with a clock that only the test moves.
  func start(_ options: Options = Options()) -> TestStore { TestStore(self, options) }

  /// As `start`, with one option set.
  func start<Option>(
    _ option: WritableKeyPath<Options, Option>, _ value: Option
  ) -> TestStore {
    var options = Options()
    options[keyPath: option] = value
    return start(options)
  }
}

/// An engine at work, with its clock and a session for the test's own thread.
final class TestStore: CallPerformer {
  private(set) var engine: any StorageEngine
  let clock = ManualStoreClock()
  private(set) var session: EngineSession
  private(set) var folder: TemporaryFolder?
  private let underTest: EngineUnderTest
  private let options: EngineUnderTest.Options

  init(_ underTest: EngineUnderTest, _ options: EngineUnderTest.Options) {
    self.underTest = underTest
    self.options = options
    folder = underTest.makeFolder()
    engine = underTest.make(options, clock, folder)
    session = EngineSession(engine)
  }

  /// Ends the engine, and starts one anew on its folder.
  func restart() {
    engine.close()
    start(in: folder)
  }

  /// Syncs, and starts an engine on a folder as a crash would leave it now.
  func crash() throws {
    engine.logDurability?.sync()
    let left = try folder?.copy()
    engine.close()
    start(in: left)
  }

  private func start(in folder: TemporaryFolder?) {
    // The engine's end gives its lock back.
    engine = MemoryEngine()
    session = EngineSession(engine)
    self.folder = folder
    engine = underTest.make(options, clock, folder)
    session = EngineSession(engine)
  }

  deinit { engine.close() }

  func perform(_ call: StoreCall) throws(StoreError) -> StoreAnswer { try session.perform(call) }

  var revision: Int64 { engine.status().revision }
  var now: Int64 { clock.wallMillis }

  func sweep() { underTest.sweep(engine) }

  /// Everything that can be seen, in the order of the keys.
  func snapshot() throws(StoreError) -> [StoredEntry] {
    try scanPages(ScanCall(pageSize: 10_000, maxPageBytes: 1 << 30)).flatMap(\.entries)
  }

  /// A call fails with `error`, changes nothing that can be seen, and takes no revision.
  func expectRefusal<Success>(
    _ error: StoreError, sourceLocation: SourceLocation = #_sourceLocation,
    _ call: () throws -> Success
  ) throws {
    let before = try snapshot()
    let revisionBefore = revision
    #expect(throws: error, sourceLocation: sourceLocation) { _ = try call() }
    #expect(try snapshot() == before, "a refused call changed", sourceLocation: sourceLocation)
    #expect(revision == revisionBefore, sourceLocation: sourceLocation)
  }

  /// With a reply that may take only `bytes`.
  func withBudget<Success>(_ bytes: Int, _ body: () throws -> Success) rethrows -> Success {
    session.reply.budgetBytes = bytes
    defer { session.reply.budgetBytes = EngineSession.defaultBudgetBytes }
    return try body()
  }
}

/// `count` keys that sort in the order of their numbers.
func numberedKeys(_ count: Int, prefix: Bytes = "key:") -> [Bytes] {
  (0..<count).map { number in
    let digits = String(number)
    return prefix + Bytes(String(repeating: "0", count: 6 - digits.count) + digits)
  }
}
