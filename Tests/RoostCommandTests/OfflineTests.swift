import Testing

@testable import roost

/// What the command does without a server.
@Suite("The command without a server")
struct OfflineTests {
  private let environment = ["PATH": "/usr/bin:/bin", "HOME": "/nonexistent"]

  private func roost(
    _ arguments: String..., environment changes: [String: String] = [:]
  ) throws -> ChildProcess.Outcome {
    try ChildProcess.run(
      ChildProcess.builtProgram("roost"), arguments.map { Array($0.utf8) },
      environment: environment.merging(changes) { $1 })
  }

  @Test("Wrong usage ends with status 2, says so on standard error and writes no output")
  func refusesUsage() throws {
    for arguments in [["get"], ["nope"], ["get", "a", "b"], ["set", "k", "v", "--ttl", "5"]] {
      let outcome = try ChildProcess.run(
        ChildProcess.builtProgram("roost"), arguments.map { Array($0.utf8) },
        environment: environment)
      #expect(outcome.status == 2, "\(arguments)")
      #expect(outcome.output.isEmpty && outcome.errorText.hasPrefix("Error: "), "\(arguments)")
    }
  }

  @Test("Help, the version and completions are printed on standard output")
  func prints() throws {
    for arguments in [["--help"], ["help", "set"], ["set", "-h"], ["--version"], []] {
      let outcome = try ChildProcess.run(
        ChildProcess.builtProgram("roost"), arguments.map { Array($0.utf8) },
        environment: environment)
      #expect(outcome.status == 0 && !outcome.output.isEmpty, "\(arguments)")
      #expect(outcome.errorOutput.isEmpty, "\(arguments)")
    }
    for (shell, mark) in [
      ("bash", "complete "), ("zsh", "#compdef roost"), ("fish", "complete -c"),
    ] {
      let outcome = try roost("completions", shell)
      #expect(outcome.status == 0 && outcome.text.contains(mark), "\(shell)")
      #expect(try roost("--generate-completion-script", shell).text == outcome.text, "\(shell)")
    }
  }

  @Test("Bash completes commands, options, their values and methods with the printed script")
  func completes() throws {
    let script = """
      PATH=$1:$PATH; source <(roost completions bash); shift
      COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMP_LINE="$*"; COMP_POINT=${#COMP_LINE}
      _roost roost "${COMP_WORDS[-1]}" "${COMP_WORDS[-2]}"; echo "${COMPREPLY[*]}"
      """
    let roost = ChildProcess.builtProgram("roost")
    let directory = String(roost.dropLast("/roost".count))
    for (words, expected) in [
      (["roost", "sc"], "scan"), (["roost", "--hex", "sc"], "scan"),
      (["roost", "set", "k", "v", "--if"], "--if-absent --if-exists --if-revision"),
      (["roost", "set", "k", "v", "--type", "b"], "bytes bool"),
      (["roost", "call", "roost.v1.KV/G"], "roost.v1.KV/Get"),
      (["roost", "im"], "import"), (["roost", "import", "--dr"], "--dry-run"),
    ] {
      let outcome = try ChildProcess.run(
        "/bin/bash", (["-c", script, "bash", directory] + words).map(\.bytes),
        environment: environment)
      #expect(outcome.text == expected + "\n", "\(words): \(outcome)")
    }
  }

  @Test("An argument that begins with a dash is refused with the way to write it")
  func hintsAtDashes() throws {
    for arguments in [["get", "-key"], ["set", "k", "-key"], ["push", "l", "-key"]] {
      let outcome = try ChildProcess.run(
        ChildProcess.builtProgram("roost"), arguments.map(\.bytes), environment: environment)
      #expect(outcome.status == 2 && outcome.output.isEmpty, "\(arguments)")
      #expect(outcome.errorText.contains("-- -key"), "\(outcome)")
    }
    #expect(try !roost("get").errorText.contains("--  "))
  }

  @Test("Help for a command that there is not ends with status 2")
  func refusesUnknownHelp() throws {
    let outcome = try roost("help", "bogus")
    #expect(outcome.status == 2 && outcome.output.isEmpty)
    #expect(outcome.errorText.contains("there is no command 'bogus'"), "\(outcome)")
    #expect(try roost("help", "help").status == 0)
  }

  @Test("Input without an end is refused at the limit", .timeLimit(.minutes(1)))
  func limitsInput() throws {
    let script = "exec \(ChildProcess.builtProgram("roost")) set x - < /dev/zero"
    let outcome = try ChildProcess.run(
      "/bin/sh", ["-c".bytes, script.bytes], environment: environment)
    #expect(outcome.status == 2)
    #expect(outcome.errorText.contains("standard input has more than 64 MiB"), "\(outcome)")
  }

  @Test("A standard output that is not there is reported", arguments: ["call --list", "--help"])
  func reportsMissingOutput(arguments: String) throws {
    let script = "exec \(ChildProcess.builtProgram("roost")) \(arguments) >&-"
    let outcome = try ChildProcess.run(
      "/bin/sh", ["-c".bytes, script.bytes], environment: environment)
    #expect(outcome.status == 7)
    #expect(outcome.errorText.contains("standard output cannot be written"), "\(outcome)")
  }

  @Test("An argument that is not UTF-8 is refused rather than changed")
  func refusesInvalidUTF8() throws {
    let outcome = try ChildProcess.run(
      ChildProcess.builtProgram("roost"), ["get".bytes, [0x61, 0xff]], environment: environment)
    #expect(outcome.status == 2)
    #expect(outcome.errorText.contains("argument 2 is not valid UTF-8"))
  }

  @Test("Where nobody listens it ends with status 5 and says how to start a server")
  func reportsRefusal() throws {
    for endpoint in ["tcp://127.0.0.1:1", "unix:///nonexistent/roost.sock"] {
      let outcome = try roost("--endpoint", endpoint, "get", "k")
      #expect(outcome.status == 5, "\(endpoint)")
      #expect(outcome.errorText.contains("Is roostd running at \(endpoint)?"), "\(outcome)")
      #expect(outcome.output.isEmpty)
    }
  }

  @Test("A token file that is missing ends with status 3 before any call")
  func reportsTokenFile() throws {
    let outcome = try roost("get", "k", "--token-file", "/nonexistent/token")
    #expect(outcome.status == 3)
    #expect(outcome.errorText.contains("/nonexistent/token"))
    #expect(try roost("get", "k", environment: ["ROOST_TOKEN_FILE": "/dev/null"]).status == 3)
  }

  @Test("A bad variable of the environment ends with status 2 and is named")
  func reportsEnvironment() throws {
    let outcome = try roost("ping", environment: ["ROOST_ENDPOINT": "http://x/y"])
    #expect(outcome.status == 2 && outcome.errorText.contains("ROOST_ENDPOINT"))
  }

  @Test("Methods are listed, and a request can be had to fill in")
  func listsMethods() throws {
    let list = try roost("call", "--list")
    #expect(list.status == 0 && list.text.contains("roost.v1.KV/Get\n"))
    let template = try roost("call", "KV/Set", "--template")
    #expect(template.status == 0 && template.text.contains("\"expiration\""))
    #expect(try roost("call", "KV/Fly").status == 2)
    #expect(try roost("call", "KV/Get", "-d", "{\"kee\":1}").status == 2)
    #expect(try roost("call", "KV/Get", "-d", "{").status == 2)
    #expect(try roost("call", "KV/Get", "-d", "@/nonexistent").status == 2)
  }

  @Test("A closed standard output ends it quietly")
  func survivesClosedOutput() throws {
    let outcome = try ChildProcess.run(
      ChildProcess.builtProgram("roost"), ["completions", "bash"].map { Array($0.utf8) },
      environment: environment, maxOutputBytes: 1)
    #expect(outcome.status == 0 && outcome.errorOutput.isEmpty, "\(outcome)")
  }

  @Test("A full device is reported")
  func reportsFullDevice() throws {
    let script = "exec \(ChildProcess.builtProgram("roost")) call --list > /dev/full"
    let outcome = try ChildProcess.run(
      "/bin/sh", ["-c".bytes, script.bytes], environment: environment)
    #expect(outcome.status == 7)
    #expect(outcome.errorText.contains("No space left on device"))
  }

  @Test("Errors have colours only on a terminal, and never with NO_COLOR")
  func colours() throws {
    var environment = environment
    environment["TERM"] = "xterm"
    environment["ROOST_ENDPOINT"] = "unix:///nonexistent/roost.sock"
    let coloured = try PseudoTerminal.run(["ping"], environment: environment)
    #expect(coloured.status == 5 && coloured.screen.contains("\u{1b}[31merror:"))
    environment["NO_COLOR"] = "1"
    #expect(try !PseudoTerminal.run(["ping"], environment: environment).screen.contains("\u{1b}"))
    environment["NO_COLOR"] = nil
    environment["TERM"] = "dumb"
    #expect(try !PseudoTerminal.run(["ping"], environment: environment).screen.contains("\u{1b}"))
  }
}
