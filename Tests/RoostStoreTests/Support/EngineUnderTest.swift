import RoostStore
import Testing

/// An engine that every contract test runs against. A new engine is one more line in `all`.
struct EngineUnderTest: CustomTestStringConvertible, Sendable {
  struct Options: Sendable {
    var shardCount = 16
    var maxListItems = 1_000_000
    var maxListBytes = 64 << 20
    var maxMemoryBytes: Int?
    var sweepsInBackground = false
  }

  let name: String
  let make: @Sendable (Options, any StoreClock) -> any StorageEngine
  /// Frees what has expired, at once.
  let sweep: @Sendable (any StorageEngine) -> Void

  var testDescription: String { name }

  static let all = [memory]

  static let memory = EngineUnderTest(name: "memory") { options, clock in
    var configuration = MemoryEngineConfiguration()
    configuration.shardCount = options.shardCount
    configuration.maxListItems = options.maxListItems
    configuration.maxListBytes = options.maxListBytes
    configuration.maxMemoryBytes = options.maxMemoryBytes
    configuration.sweepsInBackground = options.sweepsInBackground
    configuration.clock = clock
    return MemoryEngine(configuration: configuration)
  } sweep: { engine in
    (engine as! MemoryEngine).sweep()
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
  let engine: any StorageEngine
  let clock = ManualStoreClock()
  let session: EngineSession
  private let underTest: EngineUnderTest

  init(_ underTest: EngineUnderTest, _ options: EngineUnderTest.Options) {
    self.underTest = underTest
    engine = underTest.make(options, clock)
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
