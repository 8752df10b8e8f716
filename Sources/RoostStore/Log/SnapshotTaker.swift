import CLinux
import Synchronization

/// What a snapshot came to.
public struct SnapshotSummary: Sendable, Hashable {
  /// The file's name.
  public var name: String
  /// The newest revision that is in it.
  public var revision: Int64
  /// Entries in it.
  public var entryCount: Int64
  /// What the file takes.
  public var fileBytes: Int64
  /// How long it took, in milliseconds.
  public var durationMillis: Int64
}

/// Takes snapshots on a thread of its own, one at a time: when the log has grown, and when asked.
///
/// `@unchecked Sendable`: `state` is behind its lock, `whole` is the thread's, the rest constant.
final class SnapshotTaker: @unchecked Sendable {
  /// The log is not worth a snapshot below this, whatever the size of the last one.
  static let minLogBytes: Int64 = 64 << 20
  /// Snapshots that are kept.
  static let generations = 2
  /// After a failure, unless asked.
  private static let retryMillis: Int64 = 30_000
  /// Between two looks at the size of the log.
  private static let pauseMillis: Int64 = 200

  typealias Completion = @Sendable (Result<SnapshotSummary, LogError>) -> Void

  private let shards: ShardArray
  private let time: EngineTime
  private let writer: LogWriter
  private let answers: AnswerTable
  private let logBytes: Int64
  private let bytesPerSecond: Int
  private let onEvent: @Sendable (EngineEvent) -> Void
  private let monitor = Monitor()
  private let isStopping = Atomic<Bool>(false)
  private let state: Mutex<State>
  private var thread: SystemThread?
  /// Snapshots that were read to their last byte, by their start. The thread's alone, once it runs.
  private var whole: Set<UInt64> = []

  private struct State {
    var requests: [Completion] = []
    var lastBytes: Int64
    /// The log's bytes when the last snapshot was begun.
    var logBytesBefore: Int64 = 0
    var notBeforeMillis: Int64 = 0
  }

  /// - Parameters:
  ///   - answers: those that are kept.
  ///   - logBytes: the log's growth that leads to a snapshot, where it is also twice the last
  ///     snapshot's size; 0: only when asked.
  ///   - found: what the start loaded.
  init(
    _ data: MemoryEngine, _ writer: LogWriter, logBytes: Int64, bytesPerSecond: Int,
    found: Recovery.Outcome,
    onEvent: @escaping @Sendable (EngineEvent) -> Void
  ) {
    shards = data.shards
    time = data.time
    answers = data.answers
    self.writer = writer
    self.logBytes = logBytes
    self.bytesPerSecond = bytesPerSecond
    self.onEvent = onEvent
    state = Mutex(State(lastBytes: found.snapshotBytes))
    if let start = found.snapshotStart { whole.insert(start) }
  }

  /// Starts the thread. Once.
  func start() {
    thread = SystemThread.start("snapshot") {
      clinux_lower_priority()
      self.run()
    }
    guard thread != nil else { fatalError("the system has no thread for snapshots") }
  }

  /// Stops the thread, and a snapshot that is under way; waits for both. Once.
  func stop() {
    isStopping.store(true, ordering: .releasing)
    signal()
    thread?.join()
    thread = nil
    let left = state.withLock { state in
      defer { state.requests = [] }
      return state.requests
    }
    for completion in left { completion(.failure(.notPossible("the server is shutting down"))) }
  }

  /// Asks for a snapshot. Whoever asks while one is under way gets the next.
  func request(_ completion: @escaping Completion) {
    if isStopping.load(ordering: .acquiring) {
      return completion(.failure(.notPossible("the server is shutting down")))
    }
    state.withLock { $0.requests.append(completion) }
    signal()
  }

  private func signal() { monitor.locked { monitor.wakeOne() } }

  private func run() {
    while !isStopping.load(ordering: .acquiring) {
      let requests = state.withLock { state in
        defer { state.requests = [] }
        return state.requests
      }
      guard !requests.isEmpty || isDue else {
        pause()
        continue
      }
      let result = take()
      note(result)
      for completion in requests { completion(result) }
    }
  }

  private var isDue: Bool {
    guard logBytes > 0 else { return false }
    let grown = writer.byteCount
    return state.withLock { state in
      grown - state.logBytesBefore >= max(logBytes, 2 * state.lastBytes)
        && Int64(MonotonicTime.nanos() / 1_000_000) >= state.notBeforeMillis
    }
  }

  private func pause() {
    monitor.locked {
      let isIdle = state.withLock { $0.requests.isEmpty }
      if isIdle, !isStopping.load(ordering: .acquiring) {
        monitor.wait(millis: Self.pauseMillis)
      }
    }
  }

  private func note(_ result: Result<SnapshotSummary, LogError>) {
    state.withLock { state in
      switch result {
      case .success(let summary):
        state.lastBytes = summary.fileBytes
        state.logBytesBefore = writer.byteCount
      case .failure:
        state.notBeforeMillis =
          Int64(MonotonicTime.nanos() / 1_000_000) + Self.retryMillis
      }
    }
    if isStopping.load(ordering: .acquiring) { return }
    switch result {
    case .success(let summary): onEvent(.snapshotTaken(summary))
    case .failure(let error): onEvent(.snapshotFailed("\(error)"))
    }
  }

  // MARK: Taking one

  private func take() -> Result<SnapshotSummary, LogError> {
    do throws(LogError) {
      return .success(try takeOne())
    } catch {
      return .failure(error)
    }
  }

  private func takeOne() throws(LogError) -> SnapshotSummary {
    let start = MonotonicTime.nanos()
    let folder = try DataFolder(writer.path)
    let startSequence = try writer.beginSegment()
    let header = SnapshotHeader(
      storeID: writer.log.storeID, startSequence: startSequence,
      createdAtMillis: SystemStoreClock().wallMillis)
    let file = try SnapshotWriter(
      in: folder, header, bytesPerSecond: bytesPerSecond,
      shouldStop: { [unowned self] in isStopping.load(ordering: .acquiring) })
    do throws(LogError) {
      var walk = SnapshotWalk(shards, time)
      try walk.run { image throws(LogError) in try file.append(.entries, image) }
      try file.append(answersOf: answers)
      let (endSequence, revision) = try makeDurable()
      try SnapshotTail(folder, from: startSequence, to: endSequence).append(to: file)
      let footer = try file.finish(
        lastRevision: revision, endSequence: endSequence,
        revisionLimit: writer.log.revisionLimit)
      let (name, bytes) = try file.publish()
      whole.insert(startSequence)
      try prune(folder)
      return SnapshotSummary(
        name: name, revision: revision, entryCount: Int64(footer.entryCount),
        fileBytes: bytes,
        durationMillis: Int64((MonotonicTime.nanos() &- start) / 1_000_000))
    } catch {
      file.abandon()
      throw error
    }
  }

  /// A snapshot counts only with the log up to its end, so that has to be durable.
  private func makeDurable() throws(LogError) -> (endSequence: UInt64, revision: Int64) {
    let revision = writer.log.newestRevision
    writer.sync()
    guard writer.log.durableRevision >= revision else {
      throw .notPossible("the log could not be made durable: \(writer.log.space.reason)")
    }
    return (writer.durableSequenceEnd, writer.log.durableRevision)
  }

  /// Removes the snapshots that are not kept, and the segments that none of the others needs. One
  /// that nobody has read may be damaged: it does not count as a generation.
  private func prune(_ folder: borrowing DataFolder) throws(LogError) {
    let kept = whole.sorted().suffix(Self.generations)
    guard kept.count == Self.generations, let oldest = kept.first else { return }
    whole = Set(kept)
    for name in try folder.names() {
      guard let start = SnapshotFormat.startSequence(ofName: name), !whole.contains(start) else {
        continue
      }
      try folder.remove(name)
    }
    try folder.sync()
    try writer.removeSegments(before: oldest)
  }
}
