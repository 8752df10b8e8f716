import Glibc
import Logging
import RoostClient
import RoostServer

let quietLogger = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })

/// A real server with an engine of its own, on a Unix socket and a TCP port.
final class LiveServer: Sendable {
  let unix: Endpoint
  let tcp: Endpoint
  let directory: String
  private let server: RoostServer
  private let running: Task<Void, any Error>
  private let tokens: TokenStore?

  /// - Parameters:
  ///   - directory: that of an earlier server, whose socket this one takes over.
  ///   - auth: required, it has tokens of its own.
  init(directory: String? = nil, auth: AuthMode = .off) throws {
    let directory = try directory ?? Self.makeDirectory()
    var configuration = ServerConfiguration(dataDirectory: directory)
    configuration.engine = .memory
    configuration.listen = ["unix://\(directory)/s", "tcp://127.0.0.1:0"]
    configuration.auth = auth
    configuration.drainTimeout = .milliseconds(200)
    tokens =
      auth == .off ? nil : try TokenStore(dataDirectory: directory, logger: quietLogger)
    server = try RoostServer(configuration: configuration, tokens: tokens, logger: quietLogger)
    let addresses = try server.bind().map { Endpoint($0) }
    guard let unix = addresses[0], let tcp = addresses[1] else { fatalError("\(addresses)") }
    self.unix = unix
    self.tcp = tcp
    self.directory = directory
    let server = server
    running = Task { try await server.run() }
  }

  func stop() async throws {
    server.shutDown()
    try await running.value
  }

  /// A new token that is in force.
  func token(_ grants: AccessGrant...) throws -> String {
    let made = try TokenFile(dataDirectory: directory)
      .create(name: "tester", grants: grants, expiresAtMillis: 0)
    tokens?.reloadIfChanged()
    return made.token
  }

  func revoke(_ token: String) throws {
    _ = try TokenFile(dataDirectory: directory)
      .revoke(id: String(token.dropFirst("roost_".count).prefix(8)))
    tokens?.reloadIfChanged()
  }

  private static func makeDirectory() throws -> String {
    var template = Array("/tmp/roost-client-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { throw Failure(errno: errno) }
    return String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
  }

  struct Failure: Error { let errno: CInt }
}

/// Lends a client of a server of its own to `body`.
func withStore<Result>(
  _ configure: (inout RoostClient.Configuration) -> Void = { _ in },
  _ body: (RoostClient) async throws -> Result
) async throws -> Result {
  let server = try LiveServer()
  var configuration = RoostClient.Configuration(endpoint: server.unix, timeout: .seconds(20))
  configure(&configuration)
  let result: Swift.Result<Result, any Error>
  do {
    result = .success(try await withRoostClient(configuration: configuration, body))
  } catch {
    result = .failure(error)
  }
  try await server.stop()
  return try result.get()
}

/// The error of a call that has to fail.
func failure<Result>(_ call: () async throws(RoostError) -> Result) async -> RoostError? {
  do {
    _ = try await call()
    return nil
  } catch {
    return error
  }
}
