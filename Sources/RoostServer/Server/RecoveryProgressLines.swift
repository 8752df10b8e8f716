import Glibc
import RoostStore
import Synchronization

/// Tells on standard error how far the reading of a store has got, once a second, if it takes that
/// long. Safe to use from any thread.
public final class RecoveryProgressLines: Sendable {
  private let verb: String
  private let start = ContinuousClock.now
  private let nextLine = Mutex(ContinuousClock.now + .seconds(1))

  /// - Parameter verb: what is done, at the beginning of each line.
  public init(_ verb: String) { self.verb = verb }

  /// Writes a line where one is due.
  public func note(_ progress: RecoveryProgress) {
    let isDue = nextLine.withLock { nextLine in
      guard ContinuousClock.now >= nextLine else { return false }
      nextLine = .now + .seconds(1)
      return true
    }
    guard isDue else { return }
    let seconds = max((ContinuousClock.now - start) / .seconds(1), 0.001)
    let rate = Double(progress.bytesDone) / seconds
    let left = Double(max(progress.bytesTotal - progress.bytesDone, 0)) / max(rate, 1)
    let text =
      "\(verb): \(progress.itemCount) entries, \(Int(rate / 1_000_000)) MB/s,"
      + " about \(Int(left) + 1) s left\n"
    _ = text.withCString { write(STDERR_FILENO, $0, strlen($0)) }
  }
}
