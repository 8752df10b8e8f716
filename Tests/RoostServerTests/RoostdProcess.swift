import Foundation
import Glibc
import Synchronization

/// A `roostd` process of the build under test, with standard error kept. It is killed with its
/// owner, if it still runs.
final class RoostdProcess: Sendable {
  /// The outcome of a process that has ended.
  struct Ending: Sendable {
    var exitCode: Int32
    var output: String
    var errors: String
  }

  let pid: pid_t
  private let output: Int32
  private let errors: Int32
  private let seen = Mutex("")
  private let hasEnded = Mutex(false)

  /// The program beside the one that runs the tests.
  static var path: String {
    let own = URL(filePath: "/proc/self/exe").resolvingSymlinksInPath()
    return own.deletingLastPathComponent().appending(path: "roostd").path(percentEncoded: false)
  }

  /// Starts `roostd`, or a shell that will, with nothing in its environment but `environment`.
  init(
    _ arguments: [String], environment: [String: String] = [:], program: String = path
  ) throws {
    let (outRead, outWrite) = try Self.makePipe()
    let (errRead, errWrite) = try Self.makePipe()
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
    posix_spawn_file_actions_adddup2(&actions, outWrite, 1)
    posix_spawn_file_actions_adddup2(&actions, errWrite, 2)
    defer { posix_spawn_file_actions_destroy(&actions) }
    var argv = ([program] + arguments).map { strdup($0) } + [nil]
    var envp = environment.map { strdup("\($0.key)=\($0.value)") } + [nil]
    defer { for text in argv + envp { free(text) } }
    var pid: pid_t = 0
    let code = posix_spawn(&pid, program, &actions, nil, &argv, &envp)
    close(outWrite)
    close(errWrite)
    self.pid = pid
    output = outRead
    errors = errRead
    guard code == 0 else { throw POSIXError(POSIXErrorCode(rawValue: code) ?? .ENOENT) }
  }

  deinit {
    if !hasEnded.withLock({ $0 }) {
      kill(pid, SIGKILL)
      var status: Int32 = 0
      waitpid(pid, &status, 0)
    }
    close(output)
    close(errors)
  }

  /// Runs it to its end.
  static func run(
    _ arguments: [String], environment: [String: String] = [:]
  ) async throws -> Ending {
    try await RoostdProcess(arguments, environment: environment).ending()
  }

  /// Starts it with redirections, as a shell writes them.
  static func start(
    _ arguments: [String], redirecting redirections: String, environment: [String: String] = [:]
  ) throws -> RoostdProcess {
    try RoostdProcess(
      ["-c", "exec \"$@\" \(redirections)", "sh", path] + arguments, environment: environment,
      program: "/bin/sh")
  }

  /// Waits for a line of standard error that has `text`; `nil` where there is none in time.
  func line(with text: String, within timeout: Duration = .seconds(20)) async -> String? {
    await blocking {
      let deadline = ContinuousClock.now + timeout
      while ContinuousClock.now < deadline {
        let lines = self.seen.withLock {
          $0.split(separator: "\n", omittingEmptySubsequences: false)
        }
        if let line = lines.dropLast().first(where: { $0.contains(text) }) { return String(line) }
        guard let more = self.read(self.errors, waitMillis: 100) else { return nil }
        self.seen.withLock { $0 += more }
      }
      return nil
    }
  }

  /// The address of the ready line.
  func readyAddress() async -> String? {
    guard let line = await line(with: "roostd ready ") else { return nil }
    return line.split(separator: " ").dropFirst(2).first.map(String.init)
  }

  func signal(_ number: Int32) { kill(pid, number) }

  /// Waits for the end of the process.
  func ending() async -> Ending {
    await blocking {
      var text = ""
      while let more = self.read(self.errors, waitMillis: 1_000) {
        self.seen.withLock { $0 += more }
      }
      while let more = self.read(self.output, waitMillis: 1_000) { text += more }
      var status: Int32 = 0
      while waitpid(self.pid, &status, 0) < 0 && errno == EINTR {}
      self.hasEnded.withLock { $0 = true }
      let signal = status & 0x7F
      return Ending(
        exitCode: signal == 0 ? (status >> 8) & 0xFF : -signal, output: text,
        errors: self.seen.withLock { $0 })
    }
  }

  /// What can be read now, after waiting for it; `nil` at the end.
  private func read(_ descriptor: Int32, waitMillis: Int32) -> String? {
    var poll = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    guard Glibc.poll(&poll, 1, waitMillis) == 1 else { return "" }
    var chunk = [UInt8](repeating: 0, count: 16 << 10)
    let count = Glibc.read(descriptor, &chunk, chunk.count)
    return count > 0 ? String(decoding: chunk[..<count], as: UTF8.self) : nil
  }

  /// A pair of sockets, which no process that another test starts inherits, as it could a pipe.
  private static func makePipe() throws -> (read: Int32, write: Int32) {
    var ends: [Int32] = [0, 0]
    let type = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
    guard socketpair(AF_UNIX, type, 0, &ends) == 0 else { throw POSIXError(.EMFILE) }
    return (ends[0], ends[1])
  }

  /// Keeps waiting off the threads of Swift's tasks.
  private func blocking<Value: Sendable>(_ body: @escaping @Sendable () -> Value) async -> Value {
    await withCheckedContinuation { continuation in
      Thread { continuation.resume(returning: body()) }.start()
    }
  }
}
