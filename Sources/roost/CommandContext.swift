import Glibc
import RoostAPI
import TTRPC

/// What one run of one command works with: its options, standard streams, and the connection,
/// which is opened by the first call. Confined to the command's task.
final class CommandContext {
  let options: GlobalOptions
  let terminal: Terminal
  let environment: Environment
  var output = ByteSink(descriptor: STDOUT_FILENO)
  private var errorOutput = ByteSink(descriptor: STDERR_FILENO)
  private var connection: Connection?
  let input = StandardInput()

  /// - Parameter environment: A test may stand in for the process's own.
  init(options: GlobalOptions, environment: Environment = .process) {
    self.options = options
    self.environment = environment
    terminal = Terminal(environment: environment)
  }

  // MARK: Output

  /// - Parameter terminalDefault: The format where none was asked for and a terminal shows it.
  func presentation(terminalDefault: OutputFormat = .simple) -> Presentation {
    Presentation(
      format: options.output ?? (terminal.outputIsTerminal ? terminalDefault : .simple),
      isHex: options.hex, isTerminal: terminal.outputIsTerminal, style: terminal.outputStyle,
      lineColumns: terminal.outputColumns)
  }

  func write(_ record: Record, terminalDefault: OutputFormat = .simple) throws {
    try output.write(record.rendered(presentation(terminalDefault: terminalDefault)))
  }

  /// Says something beside the answer, on standard error.
  func note(_ text: String) {
    // Nobody is left to be told where standard error is closed.
    try? errorOutput.write(text)
    try? errorOutput.flush()
  }

  /// Says on standard error that a key is missing, in the one wording for it.
  func noteMissing(_ key: [UInt8]) {
    let shown = options.hex ? HexText.text(key) : EscapedText.line(key)
    note("not found: \(shown)\n")
  }

  // MARK: Input

  /// The bytes that the command's arguments stand for.
  var arguments: ArgumentReader { ArgumentReader(isHex: options.hex, input: input) }

  /// A line that the person at the terminal types, without its line break; empty at the end.
  func readLine() -> String { Swift.readLine(strippingNewline: true) ?? "" }

  // MARK: Calls

  var kv: KV.Client { get throws { KV.Client(try connect().rpc) } }
  var auth: Auth.Client { get throws { Auth.Client(try connect().rpc) } }
  var admin: Admin.Client { get throws { Admin.Client(try connect().rpc) } }

  /// What every call is given beside its request.
  var callOptions: CallOptions {
    get throws { try connect().callOptions }
  }

  func connect() throws -> Connection {
    if let connection { return connection }
    let settings = try ConnectionSettings(
      endpoint: options.endpoint, timeout: options.timeout, tokenFile: options.tokenFile,
      environment: environment)
    let connection = Connection(settings)
    self.connection = connection
    return connection
  }

  /// The failure of a call, in words, with advice that knows where the server was looked for.
  func failure(_ error: RPCError) -> CommandFailure {
    CommandFailure(error, settings: connection?.settings)
  }
}
