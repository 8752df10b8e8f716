import ArgumentParser
import Glibc
import TTRPC

/// The command line of Roost.
@main
struct RoostCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "roost",
    abstract: "Reads and writes a Roost key-value store.",
    usage: "roost [options] <command> [arguments]",
    discussion: """
      EXAMPLES:
        roost set greeting hello --ttl 1h
        roost get greeting
        roost push jobs one two three && roost pop jobs --front
        roost scan --prefix user: -o json | jq .key

      ENVIRONMENT:
        ROOST_ENDPOINT ROOST_TIMEOUT ROOST_TOKEN ROOST_TOKEN_FILE
                          as the options say
        ROOST_DATA_DIR    where a server on this machine keeps admin.token; else
                          $XDG_STATE_HOME/roost, else ~/.local/state/roost
        NO_COLOR          no colours

      \(ExitStatus.help)
      """,
    version: "0.1.0",
    groupedSubcommands: [
      CommandGroup(
        name: "Key",
        subcommands: [
          GetCommand.self, SetCommand.self, UpdateCommand.self, DeleteCommand.self,
          IncrementCommand.self, TouchCommand.self, LifetimeCommand.self, BatchGetCommand.self,
          ScanCommand.self, CountCommand.self, TransactCommand.self,
        ]),
      CommandGroup(
        name: "List",
        subcommands: [
          PushCommand.self, PopCommand.self, ListRangeCommand.self, ListLengthCommand.self,
        ]),
      CommandGroup(name: "Data", subcommands: [ExportCommand.self, ImportCommand.self]),
      CommandGroup(
        name: "Server",
        subcommands: [
          PingCommand.self, StatusCommand.self, SnapshotCommand.self, WhoAmICommand.self,
          CallCommand.self,
          CompletionsCommand.self,
        ]),
    ])

  @OptionGroup(title: "Global options") var options: GlobalOptions

  static func main() async {
    StandardStreams.fillGaps()
    // A closed pipe is then an error of `write`, which ends the command quietly.
    signal(SIGPIPE, SIG_IGN)
    let status = await run(arguments: CommandLineBytes.arguments())
    Glibc.exit(status.rawValue)
  }

  /// Parses and executes one command line, the program's name apart, and reports its failure.
  static func run(arguments: Result<[String], UsageError>) async -> ExitStatus {
    let style = Terminal(environment: .process).errorStyle
    let command: any ParsableCommand
    var words: [String] = []
    do {
      words = try arguments.get()
      try checkHelp(words)
      command = try parseAsRoot(ArgumentOrder.normalized(words))
    } catch let error as UsageError {
      report(CommandFailure(.usage, error.message), style)
      return .usage
    } catch {
      return reportParsing(error, words, style)
    }
    guard let command = command as? any StoreCommand else { return runBuiltIn(command, style) }
    let context = CommandContext(options: command.options)
    do {
      let status = try await command.execute(context)
      try context.output.flush()
      return status
    } catch {
      return report(error, context, style)
    }
  }

  /// `roost help` and the like, which answer by throwing their text.
  private static func runBuiltIn(
    _ command: any ParsableCommand, _ style: TerminalStyle
  ) -> ExitStatus {
    var command = command
    do {
      try command.run()
      return .success
    } catch {
      return reportParsing(error, [], style)
    }
  }

  /// `help` with an unknown command would show the help of `roost` itself.
  private static func checkHelp(_ words: [String]) throws(UsageError) {
    let plain = words.filter { !$0.hasPrefix("-") }
    guard plain.count > 1, plain[0] == "help" else { return }
    let commands = configuration.groupedSubcommands.flatMap(\.subcommands)
    if commands.contains(where: { $0._commandName == plain[1] }) || plain[1] == "help" { return }
    throw UsageError("there is no command '\(plain[1])': roost --help lists them")
  }

  /// Writes help to standard output, and what is wrong with the words to standard error.
  private static func reportParsing(
    _ error: any Error, _ words: [String], _ style: TerminalStyle
  ) -> ExitStatus {
    let isHelp = exitCode(for: error) == .success
    var text = fullMessage(for: error) + "\n"
    if !isHelp, let hint = ArgumentOrder.hint(words) { text += "  \(hint)\n" }
    var sink = ByteSink(descriptor: isHelp ? STDOUT_FILENO : STDERR_FILENO)
    do {
      try sink.write(text)
      try sink.flush()
    } catch let failure as CommandFailure {
      report(failure, style)
      return isHelp ? failure.status : .usage
    } catch {
      // Without a reader there is nobody to tell.
    }
    return isHelp ? .success : .usage
  }

  private static func report(
    _ error: any Error, _ context: CommandContext, _ style: TerminalStyle
  ) -> ExitStatus {
    if error is OutputClosed { return .success }
    let failure =
      switch error {
      case let failure as CommandFailure: failure
      case let error as UsageError: CommandFailure(.usage, error.message)
      case let error as RPCError: context.failure(error)
      default: CommandFailure(.other, "\(error)")
      }
    // What was answered before the failure comes first.
    do { try context.output.flush() } catch { return failure.status }
    report(failure, style)
    return failure.status
  }

  private static func report(_ failure: CommandFailure, _ style: TerminalStyle) {
    var sink = ByteSink(descriptor: STDERR_FILENO)
    try? sink.write(failure.rendered(style: style))
    try? sink.flush()
  }
}
