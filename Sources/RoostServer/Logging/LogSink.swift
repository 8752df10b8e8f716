import Glibc
import Synchronization

/// Where log lines go: a file descriptor, one `write` a line. Safe to use from any thread.
///
/// A line is written only where the descriptor takes it at once; else it is dropped, and the next
/// line that gets through says how many were. So a terminal that is stopped, or a pipe that nobody
/// reads, does not hold up an event loop.
final class LogSink: Sendable {
  /// The longest line, in bytes: what a pipe that is ready takes without blocking (`PIPE_BUF`).
  static let maxLineBytes = 4096

  private let descriptor: Int32
  private let dropped = Mutex(0)

  init(descriptor: Int32 = STDERR_FILENO) { self.descriptor = descriptor }

  /// Writes one line, given without its line feed. What is too long is cut.
  /// - Parameter note: makes the line that says how many were dropped.
  func write(_ line: String, note: (Int) -> String) {
    dropped.withLock { count in
      if count > 0 {
        guard isReady, put(note(count)) else {
          count += 1
          return
        }
        count = 0
      }
      if !isReady || !put(line) { count += 1 }
    }
  }

  private var isReady: Bool {
    var poll = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
    return Glibc.poll(&poll, 1, 0) == 1 && poll.revents & Int16(POLLOUT) != 0
  }

  private func put(_ line: String) -> Bool {
    var bytes = Array(line.utf8.prefix(Self.maxLineBytes - 1))
    bytes.append(UInt8(ascii: "\n"))
    var count = 0
    repeat { count = Glibc.write(descriptor, bytes, bytes.count) } while count < 0 && errno == EINTR
    return count >= 0
  }
}
