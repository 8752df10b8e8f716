import Foundation

/// What a finished process printed, and how it ended.
public struct ProcessOutcome: Sendable {
  public var exitCode: Int32
  public var output: Data
  public var errors: Data
  public var text: String { String(decoding: output, as: UTF8.self) }
  public var errorText: String { String(decoding: errors, as: UTF8.self) }
}

/// A test found its surroundings unusable; the message says what to do.
public struct TestEnvironmentError: Error, CustomStringConvertible {
  public var description: String
  public init(_ description: String) { self.description = description }
}

/// Where the build put the package's executables: beside the test bundle.
public let productsDirectory: URL = {
  URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent()
}()

/// The root of the repository.
public let packageRoot: URL = URL(fileURLWithPath: #filePath)
  .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

/// Runs what blocks on a thread of its own: on Swift's few cooperative threads it would keep other
/// tests, and servers in this process, from running. Expectations belong outside.
public func onOwnThread<Success: Sendable>(
  _ body: @escaping @Sendable () throws -> Success
) async throws -> Success {
  try await withCheckedThrowingContinuation { continuation in
    Thread.detachNewThread { continuation.resume(with: Result { try body() }) }
  }
}

/// Runs a program to its end.
public func runProcess(
  _ executable: URL, _ arguments: [String], environment: [String: String] = [:],
  directory: URL? = nil, input: Data = Data()
) async throws -> ProcessOutcome {
  try await onOwnThread {
    try runBlocking(executable, arguments, environment, directory, input)
  }
}

private func runBlocking(
  _ executable: URL, _ arguments: [String], _ environment: [String: String], _ directory: URL?,
  _ input: Data
) throws -> ProcessOutcome {
  let process = Process()
  process.executableURL = executable
  process.arguments = arguments
  process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
  process.currentDirectoryURL = directory
  // Files, so that neither side ever waits for the other to read.
  let folder = try TemporaryFolder()
  let paths = ["input", "output", "errors"].map { folder.url.appendingPathComponent($0) }
  try input.write(to: paths[0])
  for path in paths[1...] { try Data().write(to: path) }
  process.standardInput = try FileHandle(forReadingFrom: paths[0])
  process.standardOutput = try FileHandle(forWritingTo: paths[1])
  process.standardError = try FileHandle(forWritingTo: paths[2])
  try process.run()
  process.waitUntilExit()
  return ProcessOutcome(
    exitCode: process.terminationStatus,
    output: try Data(contentsOf: paths[1]),
    errors: try Data(contentsOf: paths[2]))
}

/// A folder of its own that goes with the value.
public final class TemporaryFolder: Sendable {
  public let url: URL

  public init() throws {
    url = FileManager.default.temporaryDirectory
      .appendingPathComponent("roost-test-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(at: url) }
}
