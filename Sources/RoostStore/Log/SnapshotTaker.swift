import CLinux
import Glibc
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
/// `@unchecked Sendable`: `state` is behind its lock, the rest is constant.
final class SnapshotTaker: @unchecked Sendable {
  /// The log is not worth a snapshot below this, whatever the size of the last one.
  static let minLogBytes: Int64 = 64 << 20
  /// Snapshots that are kept.
  static let generations = 2
  /// After a failure, unless asked.
  private static let retryMillis: Int64 = 30_000

  typealias Completion = @Sendable (Result<SnapshotSummary, LogError>) -> Void

  private let shards: ShardArray
  private let time: EngineTime
  private let writer: LogWriter
  private let answers: @Sendable ((UnsafeRawBufferPointer) -> Void) -> Void
  private let logBytes: Int64
  private let bytesPerSecond: Int
  private let onEvent: @Sendable (EngineEvent) -> Void
  private let mutex: UnsafeMutablePointer<pthread_mutex_t>
  private let wake: UnsafeMutablePointer<pthread_cond_t>
  private let isStopping = Atomic<Bool>(false)
  private let state: Mutex<State>
  private var thread: pthread_t?

  private struct State {
    var requests: [Completion] = []
    var lastBytes: Int64
    /// The log's bytes when the last snapshot was begun.
    var logBytesBefore: Int64 = 0
    var notBeforeMillis: Int64 = 0
  }

  /// - Parameters:
  ///   - answers: calls what it is given with each answer that is kept.
  ///   - logBytes: the log's growth that leads to a snapshot, where it is also twice the last
  ///     snapshot's size; 0: only when asked.
  ///   - lastBytes: the last snapshot's size; 0: there is none.
  init(
    _ shards: ShardArray, _ time: EngineTime, _ writer: LogWriter, logBytes: Int64,
    bytesPerSecond: Int, lastBytes: Int64,
    answers: @escaping @Sendable ((UnsafeRawBufferPointer) -> Void) -> Void,
    onEvent: @escaping @Sendable (EngineEvent) -> Void
  ) {
    self.shards = shards
    self.time = time
    self.writer = writer
    self.logBytes = logBytes
    self.bytesPerSecond = bytesPerSecond
    self.answers = answers
    self.onEvent = onEvent
    state = Mutex(State(lastBytes: lastBytes))
    mutex = .allocate(capacity: 1)
    mutex.initialize(to: pthread_mutex_t())
    pthread_mutex_init(mutex, nil)
    wake = .allocate(capacity: 1)
    wake.initialize(to: pthread_cond_t())
    // A step of the wall clock must not hold up the next snapshot.
    var attributes = pthread_condattr_t()
    pthread_condattr_init(&attributes)
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
    pthread_cond_init(wake, &attributes)
    pthread_condattr_destroy(&attributes)
  }

  deinit {
    pthread_cond_destroy(wake)
    pthread_mutex_destroy(mutex)
    wake.deallocate()
    mutex.deallocate()
  }

  /// Starts the thread. Once.
  func start() {
    var created = pthread_t()
    let context = Unmanaged.passRetained(self)
    let code = pthread_create(
      &created, nil,
      { context in
        clinux_name_thread("snapshot")
        clinux_lower_priority()
        Unmanaged<SnapshotTaker>.fromOpaque(context!).takeRetainedValue().run()
        return nil
      }, context.toOpaque())
    guard code == 0 else { fatalError("the snapshots' thread: error \(code)") }
    thread = created
  }

  /// Stops the thread, and a snapshot that is under way; waits for both. Once.
  func stop() {
    isStopping.store(true, ordering: .releasing)
    signal()
    if let thread { pthread_join(thread, nil) }
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

  private func signal() {
    pthread_mutex_lock(mutex)
    pthread_cond_signal(wake)
    pthread_mutex_unlock(mutex)
  }

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
    var until = timespec()
    clock_gettime(CLOCK_MONOTONIC, &until)
    until.tv_nsec += 200_000_000
    until.tv_sec += until.tv_nsec / 1_000_000_000
    until.tv_nsec %= 1_000_000_000
    pthread_mutex_lock(mutex)
    let isIdle = state.withLock { $0.requests.isEmpty }
    if isIdle, !isStopping.load(ordering: .acquiring) {
      pthread_cond_timedwait(wake, mutex, &until)
    }
    pthread_mutex_unlock(mutex)
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
      try appendAnswers(to: file)
      let (endSequence, revision) = try makeDurable()
      try SnapshotTail(folder, from: startSequence, to: endSequence).append(to: file)
      let footer = try file.finish(
        lastRevision: revision, endSequence: endSequence,
        revisionLimit: writer.log.revisionLimit)
      let (name, bytes) = try file.publish()
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

  private func appendAnswers(to file: SnapshotWriter) throws(LogError) {
    var failure: LogError?
    var buffer = GrowingBuffer()
    answers { answer in
      guard failure == nil else { return }
      buffer.removeAll()
      let target = buffer.add(4 + answer.count)
      target.storeBytes(of: UInt32(answer.count), as: UInt32.self)
      if let base = answer.baseAddress { memcpy(target + 4, base, answer.count) }
      do throws(LogError) {
        try file.append(.answers, UnsafeRawBufferPointer(start: target, count: 4 + answer.count))
      } catch {
        failure = error
      }
    }
    if let failure { throw failure }
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

  /// Removes the snapshots that are not kept, and the segments that none of the others needs.
  private func prune(_ folder: borrowing DataFolder) throws(LogError) {
    let starts = try folder.names().compactMap(SnapshotFormat.startSequence(ofName:)).sorted()
    for start in starts.dropLast(Self.generations) {
      try folder.remove(SnapshotFormat.name(startSequence: start))
    }
    try folder.sync()
    let kept = starts.suffix(Self.generations)
    guard kept.count == Self.generations, let oldest = kept.first else { return }
    try writer.removeSegments(before: oldest)
  }
}
