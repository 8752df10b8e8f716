import CLinux
import Synchronization

#if canImport(Glibc)
  import Glibc
#endif

extension SnapshotFile {
  /// The most threads that read at once.
  static let maxThreads = 64

  /// Reads all blocks on several threads and checks them against the footer. Blocks come in any
  /// order, and at once on different threads; nothing is certain before this returns.
  ///
  /// What is wrong first in the file is thrown, also where a thread meets something else earlier.
  /// - Parameters:
  ///   - threads: this one is among them. Where fewer can be had, fewer do.
  ///   - body: gets the number of its thread, from 0 below `threads`, and a block that lives as
  ///     long as the call. What it throws ends the reading.
  ///   - progress: after each block, the file's bytes that are done; calls may overtake another.
  func readBlocks(
    threads: Int,
    _ body: @escaping @Sendable (_ worker: Int, _ block: SnapshotBlock) throws(LogError) -> Void,
    progress: @escaping @Sendable (_ bytesDone: Int64) -> Void = { _ in }
  ) throws(LogError) {
    posix_fadvise(file.descriptor, 0, 0, POSIX_FADV_SEQUENTIAL)
    let reading = SnapshotReading(self, body, progress)
    let helpers = (1..<min(max(1, threads), Self.maxThreads)).compactMap { reading.start($0) }
    reading.work(0)
    for helper in helpers { helper.join() }
    try reading.finish()
  }
}

/// What the threads share that read one snapshot.
///
/// 1. Blocks are taken in the file's order, and every block taken is read to its end or recorded
///    as failed; so the failure at the lowest offset is the first in the file.
private final class SnapshotReading: Sendable {
  private struct State {
    var cursor: SnapshotCursor
    var bytesDone = Int64(SnapshotFormat.headerBytes + SnapshotFormat.footerBytes)
    var failure: (offset: Int64, error: LogError)?
  }

  private let snapshot: SnapshotFile
  private let body: @Sendable (Int, SnapshotBlock) throws(LogError) -> Void
  private let progress: @Sendable (Int64) -> Void
  private let state: Mutex<State>

  init(
    _ snapshot: SnapshotFile,
    _ body: @escaping @Sendable (Int, SnapshotBlock) throws(LogError) -> Void,
    _ progress: @escaping @Sendable (Int64) -> Void
  ) {
    self.snapshot = snapshot
    self.body = body
    self.progress = progress
    state = Mutex(State(cursor: SnapshotCursor(snapshot)))
  }

  /// A thread that does its part; nil where there is none to be had.
  func start(_ worker: Int) -> SystemThread? {
    SystemThread.start("read-\(worker)") { self.work(worker) }
  }

  func work(_ worker: Int) {
    var offset: Int64 = 0
    do throws(LogError) {
      var reader = try SnapshotBlockReader(for: snapshot.name)
      while let next = try takeBlock(&offset) {
        let block = try reader.load(next, at: offset, of: snapshot.file)
        try body(worker, block)
        let bytesDone = state.withLock { state in
          state.bytesDone += Int64(block.fileBytes)
          return state.bytesDone
        }
        progress(bytesDone)
      }
    } catch {
      state.withLock { state in
        if let first = state.failure, first.offset <= offset { return }
        state.failure = (offset, error)
      }
    }
  }

  /// The next block and where it begins; nil where there is none, or where one has failed. The
  /// lock is held while 24 bytes are read, which the threads would otherwise wait for elsewhere.
  private func takeBlock(_ offset: inout Int64) throws(LogError) -> SnapshotBlockHeader? {
    let taken = state.withLock { state -> Result<(SnapshotBlockHeader, Int64)?, LogError> in
      if state.failure != nil { return .success(nil) }
      offset = state.cursor.offset
      do throws(LogError) {
        return .success(try state.cursor.next(snapshot))
      } catch {
        return .failure(error)
      }
    }
    return try taken.get()?.0
  }

  /// When all threads are done.
  func finish() throws(LogError) {
    let (failure, cursor) = state.withLock { ($0.failure?.error, $0.cursor) }
    if let failure { throw failure }
    try cursor.checkEnd(snapshot)
  }
}
