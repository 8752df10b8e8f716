import Glibc

/// A `roostd` of its own for one test, on a Unix socket in a directory of its own.
struct RunningServer {
  enum Failure: Error {
    case notReady(String)
  }

  let directory: String
  let endpoint: String
  /// By their names.
  private(set) var tokens: [String: String] = [:]
  private let process: ChildProcess
  private let errorReader: Int32

  /// Starts a server, lends it to `body`, and stops it.
  ///
  /// - Parameter grants: Those of the tokens that it is to know, by the tokens' names.
  static func with(
    _ flags: [String] = [], grants: [String: [String]] = [:],
    _ body: (RunningServer) async throws -> Void
  ) async throws {
    let server = try RunningServer(flags, grants)
    defer { server.stop() }
    try await body(server)
  }

  private init(_ flags: [String], _ grants: [String: [String]]) throws {
    directory = try Self.temporaryDirectory()
    for (name, grants) in grants {
      tokens[name] = try Self.createToken(name, grants, dataDirectory: directory + "/data")
    }
    endpoint = "unix://\(directory)/roost.sock"
    let (reader, writer) = try ChildProcess.pipe()
    let null = open("/dev/null", O_RDWR | O_CLOEXEC)
    defer {
      close(writer)
      close(null)
    }
    let arguments =
      ["--listen", endpoint, "--data-dir", directory + "/data", "--log-level", "error"] + flags
    process = try ChildProcess(
      ChildProcess.builtProgram("roostd"), arguments.map { Array($0.utf8) },
      environment: ["PATH": "/usr/bin:/bin"], streams: [null, null, writer])
    errorReader = reader
    try waitUntilReady()
  }

  /// Makes a token with the server's own command.
  private static func createToken(
    _ name: String, _ grants: [String], dataDirectory: String
  ) throws -> String {
    let arguments =
      ["token", "create", "--name", name, "--data-dir", dataDirectory]
      + grants.flatMap { ["--grant", $0] }
    let outcome = try ChildProcess.run(
      ChildProcess.builtProgram("roostd"), arguments.map { Array($0.utf8) },
      environment: ["PATH": "/usr/bin:/bin"])
    guard outcome.status == 0 else { throw Failure.notReady(outcome.errorText) }
    return outcome.text.split(separator: "\n").first.map(String.init) ?? ""
  }

  static func temporaryDirectory() throws -> String {
    var template = Array("/tmp/roost-test-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { throw ChildProcess.Failure.system("mkdtemp", errno) }
    return String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  /// The server says on standard error that it is ready; a closed stream means that it has ended.
  private func waitUntilReady() throws {
    var text = ""
    var buffer = [UInt8](repeating: 0, count: 4096)
    while !text.contains("roostd ready") {
      var entry = pollfd(fd: errorReader, events: Int16(POLLIN), revents: 0)
      let isReadable = poll(&entry, 1, 30_000) > 0
      let count = isReadable ? read(errorReader, &buffer, buffer.count) : 0
      guard count > 0 else {
        stop()
        throw Failure.notReady(text)
      }
      text += String(decoding: buffer[..<count], as: UTF8.self)
    }
  }

  /// Ends the server and removes its files.
  func stop() {
    kill(process.pid, SIGTERM)
    _ = process.wait()
    close(errorReader)
    _ = try? ChildProcess.run(
      "/bin/rm", [Array("-rf".utf8), Array(directory.utf8)], environment: [:])
  }

  /// Ends the server as a crash would, and leaves its files.
  func crash() {
    kill(process.pid, SIGKILL)
    // Its end is waited for here; `stop` collects it.
    var information = siginfo_t()
    while waitid(P_PID, id_t(process.pid), &information, WEXITED | WNOWAIT) < 0, errno == EINTR {}
  }

  /// What the command finds in its environment, unless a test says otherwise.
  var environment: [String: String] {
    [
      "PATH": "/usr/bin:/bin", "ROOST_ENDPOINT": endpoint, "ROOST_DATA_DIR": directory + "/data",
      "ROOST_TIMEOUT": "30s",
    ]
  }

  /// Runs `roost` against this server.
  func roost(
    _ arguments: String..., input: [UInt8] = [], environment changes: [String: String] = [:],
    maxOutputBytes: Int = .max
  ) throws -> ChildProcess.Outcome {
    try roost(
      bytes: arguments.map { Array($0.utf8) }, input: input, environment: changes,
      maxOutputBytes: maxOutputBytes)
  }

  func roost(
    bytes arguments: [[UInt8]], input: [UInt8] = [], environment changes: [String: String] = [:],
    maxOutputBytes: Int = .max
  ) throws -> ChildProcess.Outcome {
    try ChildProcess.run(
      ChildProcess.builtProgram("roost"), arguments,
      environment: environment.merging(changes) { $1 }, input: input,
      maxOutputBytes: maxOutputBytes)
  }
}
