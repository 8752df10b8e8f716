import Foundation

/// A running `roostd` with a data directory of its own, as its users start it. It is killed when
/// the value goes, if it was not stopped before.
public final class RoostdProcess: @unchecked Sendable {  // mutated by `start` and `stop` only
  public let process = Process()
  public let folder: TemporaryFolder
  /// As the ready line says it: `tcp://127.0.0.1:41234`, `unix:///…`.
  public private(set) var endpoint = ""
  private let errorsPath: URL

  /// Everything that it wrote to standard error so far.
  public var errorText: String {
    (try? String(contentsOf: errorsPath, encoding: .utf8)) ?? ""
  }

  /// The admin token that the first start wrote.
  public var adminToken: String {
    get throws {
      try String(
        contentsOf: folder.url.appendingPathComponent("data/admin.token"), encoding: .utf8
      ).trimmingCharacters(in: .whitespacesAndNewlines)
    }
  }

  /// Starts the server and waits until it says that it is ready, for at most 30 seconds.
  /// - Parameter softDescriptorLimit: how many files it may open until it asks for more.
  public static func start(
    listen: String = "tcp://127.0.0.1:0", arguments: [String] = [],
    environment: [String: String] = [:], folder: TemporaryFolder? = nil,
    softDescriptorLimit: Int? = nil
  ) async throws -> RoostdProcess {
    try await onOwnThread {
      try RoostdProcess(
        listen: listen, arguments: arguments, environment: environment, folder: folder,
        softDescriptorLimit)
    }
  }

  private init(
    listen: String, arguments: [String], environment: [String: String], folder: TemporaryFolder?,
    _ softDescriptorLimit: Int?
  ) throws {
    self.folder = try folder ?? TemporaryFolder()
    errorsPath = self.folder.url.appendingPathComponent("errors-\(UUID().uuidString)")
    try Data().write(to: errorsPath)
    process.executableURL = productsDirectory.appendingPathComponent("roostd")
    process.arguments =
      ["--listen", listen, "--data-dir", self.folder.url.appendingPathComponent("data").path]
      + arguments
    if let limit = softDescriptorLimit {
      let script = "ulimit -S -n \(limit); exec \"$0\" \"$@\""
      process.arguments = ["-c", script, process.executableURL!.path] + process.arguments!
      process.executableURL = URL(fileURLWithPath: "/bin/sh")
    }
    process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = FileHandle.nullDevice
    process.standardError = try FileHandle(forWritingTo: errorsPath)
    try process.run()
    try waitUntilReady()
  }

  deinit { if process.isRunning { kill(process.processIdentifier, SIGKILL) } }

  /// Asks the server to drain, waits for its end and gives its exit code.
  @discardableResult public func stop() async throws -> Int32 {
    try await onOwnThread { [self] in
      if process.isRunning { process.terminate() }
      process.waitUntilExit()
      return process.terminationStatus
    }
  }

  private func waitUntilReady() throws {
    let deadline = Date(timeIntervalSinceNow: 30)
    while Date() < deadline {
      if let ready = errorText.split(separator: "\n").first(where: { $0.hasPrefix("roostd ready ") }
      ) {
        endpoint = String(ready.split(separator: " ")[2])
        return
      }
      guard process.isRunning else {
        throw TestEnvironmentError("roostd ended at its start: \(errorText)")
      }
      usleep(5_000)
    }
    throw TestEnvironmentError("roostd was not ready within 30 s: \(errorText)")
  }
}
