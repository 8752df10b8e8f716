import Foundation
import Glibc
import Logging
import Synchronization

@testable import RoostServer

/// A directory of its own for one test, removed with it.
final class ScratchDirectory: Sendable {
  let path: String

  init() {
    var template = Array("/tmp/roost-test-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { fatalError("mkdtemp: \(errno)") }
    path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  func file(_ name: String) -> String { path + "/" + name }

  func write(_ text: String, to name: String, mode: mode_t = 0o600) throws {
    try Data(text.utf8).write(to: URL(filePath: file(name)))
    chmod(file(name), mode)
  }

  func text(of name: String) throws -> String {
    String(decoding: try Data(contentsOf: URL(filePath: file(name))), as: UTF8.self)
  }

  func mode(of name: String) -> mode_t? {
    var status = stat()
    return lstat(file(name), &status) == 0 ? status.st_mode & 0o7777 : nil
  }
}

/// Keeps what is logged, as `level message`.
final class LogRecorder: Sendable {
  private let kept = Mutex<[String]>([])

  var lines: [String] { kept.withLock { $0 } }

  var logger: Logger { Logger(label: "test") { _ in Handler(recorder: self) } }

  private struct Handler: LogHandler {
    var recorder: LogRecorder
    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.trace
    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
      get { metadata[key] }
      set { metadata[key] = newValue }
    }
    func log(event: LogEvent) {
      let pairs = (event.metadata ?? [:]).sorted { $0.key < $1.key }
        .map { " \($0.key)=\($0.value)" }
      recorder.kept.withLock { $0.append("\(event.level) \(event.message)\(pairs.joined())") }
    }
  }
}

/// Borrows the bytes of a text.
func withBytes<Value>(_ text: String, _ body: (UnsafeRawBufferPointer) throws -> Value) rethrows
  -> Value
{
  try Array(text.utf8).withUnsafeBytes(body)
}

/// Runs what blocks on a thread of its own: Swift's own threads are few, and the server that a test
/// waits for may need them. Stays in the task, so that expectations are those of its test.
func onThread<Value: Sendable>(
  _ body: @escaping @Sendable () throws -> Value
) async throws -> Value {
  let executor = BlockingExecutor()
  return try await withTaskExecutorPreference(executor) { try body() }
}

/// A thread for each job: Dispatch would add none while those that it has are busy, and other tests
/// wait for them.
private final class BlockingExecutor: TaskExecutor {
  func enqueue(_ job: consuming ExecutorJob) {
    let job = UnownedJob(job)
    Thread.detachNewThread { job.runSynchronously(on: self.asUnownedTaskExecutor()) }
  }
}
