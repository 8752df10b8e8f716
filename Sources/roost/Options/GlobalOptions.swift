import ArgumentParser

/// The options that every command takes, before or after its name.
struct GlobalOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "The server: tcp://host:port or unix:///path; else ROOST_ENDPOINT, else "
        + "tcp://127.0.0.1:7667.", valueName: "url"))
  var endpoint: String?

  @Option(
    help: ArgumentHelp(
      "A file that holds the token; else ROOST_TOKEN, else the file ROOST_TOKEN_FILE, else, for "
        + "a server on this machine, <data-dir>/admin.token.", valueName: "path"),
    completion: .file())
  var tokenFile: String?

  @Option(
    help: ArgumentHelp(
      "How long a call may take: 500ms, 5s, 1m; else ROOST_TIMEOUT, else 5s.",
      valueName: "span"))
  var timeout: String?

  @Option(
    name: [.short, .long],
    help: ArgumentHelp(
      "The form of the answer; else what suits a terminal, and simple off it.",
      valueName: "format"))
  var output: OutputFormat?

  @Flag(help: "Keys and values are hexadecimal, in the arguments and in the output.")
  var hex = false
}
