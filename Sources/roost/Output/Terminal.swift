import Glibc

/// What the standard streams are connected to.
struct Terminal: Sendable {
  let inputIsTerminal: Bool
  let outputIsTerminal: Bool
  let errorIsTerminal: Bool
  /// The width of the terminal that shows standard output; `nil` off one.
  let outputColumns: Int?
  let outputStyle: TerminalStyle
  let errorStyle: TerminalStyle

  /// - Parameter environment: `NO_COLOR` (any text) and `TERM=dumb` turn colours off.
  init(environment: Environment) {
    inputIsTerminal = isatty(STDIN_FILENO) == 1
    outputIsTerminal = isatty(STDOUT_FILENO) == 1
    errorIsTerminal = isatty(STDERR_FILENO) == 1
    var size = winsize()
    let isKnown = ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0 && size.ws_col > 0
    outputColumns = isKnown ? Int(size.ws_col) : nil
    let refused = environment["NO_COLOR"].map { !$0.isEmpty } ?? false
    let canColour = !refused && environment["TERM"] != "dumb"
    outputStyle = TerminalStyle(isEnabled: outputIsTerminal && canColour)
    errorStyle = TerminalStyle(isEnabled: errorIsTerminal && canColour)
  }
}
