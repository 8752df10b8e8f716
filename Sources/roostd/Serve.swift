import ArgumentParser
import Glibc
import Logging
import RoostServer
import RoostStore
import ServiceLifecycle

/// `roostd serve`, and `roostd` alone.
struct Serve: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "serve",
    abstract: "Serve until SIGTERM or SIGINT (the default).",
    discussion: """
      Examples:
        roostd --listen tcp://127.0.0.1:7667 --listen unix:///run/roost.sock
        roostd --max-memory 4GiB --drain-timeout 30s --log-format json
      """)

  @OptionGroup var settings: SettingFlags

  func run() async throws {
    let outcome = try reporting {
      try ConfigurationLoader(flags: settings.values, environment: processEnvironment()).load()
    }
    let configuration = outcome.configuration
    LoggingSystem.bootstrap(
      ServerLogHandler.factory(
        format: configuration.logFormat, level: configuration.logLevel))
    let logger = Logger(label: "roostd")
    for warning in outcome.warnings { logger.warning("\(warning)") }
    OpenFiles.raiseLimit(for: configuration, logger)
    try reporting { try prepareDataDirectory(configuration, logger) }
    let tokens = try reporting { try openTokens(configuration, logger) }
    let server = try open(configuration, tokens, logger)
    try await serve(server, tokens, logger)
  }

  private func open(
    _ configuration: ServerConfiguration, _ tokens: TokenStore?, _ logger: Logger
  ) throws -> RoostServer {
    do {
      let server = try RoostServer(configuration: configuration, tokens: tokens, logger: logger)
      try server.bind()
      return server
    } catch let error as LogError {
      throw failure(exitStatus(of: error), error.description)
    } catch {
      throw failure(ExitStatus.unavailable, "\(error)")
    }
  }

  /// Runs until a signal. Services stop in the reverse of this order: the tokens are watched until
  /// the last call is answered.
  private func serve(
    _ server: RoostServer, _ tokens: TokenStore?, _ logger: Logger
  ) async throws {
    var services: [any Service] = [ReadyLine(server: server)]
    if let tokens { services.append(TokenWatcher(store: tokens)) }
    let group = ServiceGroup(
      services: services + [server], gracefulShutdownSignals: [.sigterm, .sigint],
      cancellationSignals: [.sigquit], logger: logger)
    do {
      try await group.run()
    } catch {
      throw failure(ExitCode.failure, "stopped: \(error)")
    }
  }

  private func prepareDataDirectory(
    _ configuration: ServerConfiguration, _ logger: Logger
  ) throws {
    guard configuration.auth == .required || configuration.engine != .memory else { return }
    if let warning = try DataDirectory.prepare(configuration.dataDirectory) {
      logger.warning("\(warning)")
    }
  }

  /// The tokens of the data directory, where the first start makes the admin token; `nil` where
  /// authentication is off.
  private func openTokens(
    _ configuration: ServerConfiguration, _ logger: Logger
  ) throws -> TokenStore? {
    guard configuration.auth == .required else {
      logger.warning("authentication is off: whoever reaches the socket may do everything")
      return nil
    }
    let directory = configuration.dataDirectory
    let admin = AdminToken(dataDirectory: directory)
    if try admin.createAtFirstStart() {
      logger.notice("first start: the token with every right is in \(admin.path)")
    }
    return try TokenStore(dataDirectory: directory, logger: logger)
  }
}

/// Says that the server is ready, once its signals are handled: whoever waits for the line may send
/// one at once.
private struct ReadyLine: Service {
  let server: RoostServer

  func run() async throws {
    say(server.readyLine)
    // Cancelled, it has nothing left to do either.
    try? await gracefulShutdown()
  }
}

/// How many files the process may have open.
enum OpenFiles {
  /// What is open beside connections: listeners, epoll, the log, the data directory.
  private static let reserve: rlim_t = 128

  /// Raises the limit as far as the system lets it and the configuration asks for.
  static func raiseLimit(for configuration: ServerConfiguration, _ logger: Logger) {
    let wanted = rlim_t(configuration.limits.maxConnections) + reserve
    var limit = rlimit()
    guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0,
      limit.rlim_cur < wanted
    else { return }
    limit.rlim_cur = min(wanted, limit.rlim_max)
    setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    if limit.rlim_cur < wanted {
      logger.warning(
        "the system allows fewer open files than connections are configured",
        metadata: [
          "files": "\(limit.rlim_cur)", "max-connections": "\(configuration.limits.maxConnections)",
        ])
    }
  }
}
