import Synchronization

/// Whether the log's disk takes more. Safe from any thread.
///
/// Room is reserved on the disk ahead of what is written, so that a full disk is known before a
/// change is made. What is reserved beyond `freeBytes` is for deletions: they go on while writes
/// are refused.
final class LogSpace: Sendable {
  /// What is kept for deletions while the disk is full.
  static let deletionReserveBytes = 256 << 10

  private let free = Atomic<Int>(0)
  private let broken = Atomic<Bool>(false)
  private let text = Mutex("")
  private let makeRoom = Mutex<(@Sendable (Int) -> Bool)?>(nil)
  private let writeOut = Mutex<(@Sendable () -> Void)?>(nil)

  /// Bytes that may be appended without asking.
  @inline(__always) var freeBytes: Int { free.load(ordering: .relaxed) }
  /// Whether nothing can be written at all, deletions included.
  @inline(__always) var isBroken: Bool { broken.load(ordering: .acquiring) }
  /// Why there is no room, or nothing can be written.
  var reason: String { text.withLock { $0 } }

  /// - Parameters:
  ///   - makeRoom: reserves room for so many bytes; says whether there is as much.
  ///   - writeOut: writes what was appended.
  func connect(
    makeRoom: @escaping @Sendable (Int) -> Bool, writeOut: @escaping @Sendable () -> Void
  ) {
    self.makeRoom.withLock { $0 = makeRoom }
    self.writeOut.withLock { $0 = writeOut }
  }

  func note(freeBytes: Int) { free.store(freeBytes, ordering: .relaxed) }

  /// There is no room for more than the deletions' reserve.
  func noteFull(_ reason: String) { text.withLock { $0 = reason } }

  /// Nothing can be written until `noteMended`.
  func noteBroken(_ reason: String) {
    text.withLock { $0 = reason }
    free.store(Int.min / 2, ordering: .relaxed)
    broken.store(true, ordering: .releasing)
  }

  func noteMended() { broken.store(false, ordering: .releasing) }

  /// Asks for room. Says whether there is as much.
  func extend(for bytes: Int) -> Bool {
    if isBroken { return false }
    guard let makeRoom = makeRoom.withLock({ $0 }) else { return freeBytes >= bytes }
    return makeRoom(bytes)
  }

  /// So much was appended that it has to be written before more comes.
  func bufferIsFull() { writeOut.withLock { $0 }?() }
}
