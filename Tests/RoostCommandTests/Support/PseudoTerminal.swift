import Glibc

/// `roost` on a terminal, as a person would run it: all of its streams are one pseudo-terminal.
struct PseudoTerminal {
  /// What the terminal showed, with its line ends as written.
  struct Outcome {
    let status: Int32
    let screen: String
  }

  /// Runs `roost` to its end.
  ///
  /// - Parameters:
  ///   - columns: The width of the terminal.
  ///   - answer: Is typed once the screen shows `prompt`.
  static func run(
    _ arguments: [String], environment: [String: String], columns: UInt16 = 80,
    prompt: String = "", answer: String = ""
  ) throws -> Outcome {
    var primary: Int32 = -1
    var secondary: Int32 = -1
    var size = winsize(ws_row: 24, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0)
    let result = ChildProcess.spawning.withLock { _ in
      let result = openpty(&primary, &secondary, nil, nil, &size)
      for descriptor in [primary, secondary] { _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC) }
      return result
    }
    guard result == 0 else { throw ChildProcess.Failure.system("openpty", errno) }
    var settings = termios()
    tcgetattr(secondary, &settings)
    // The screen shows what was written, without a carriage return, and without an echo.
    settings.c_oflag &= ~tcflag_t(OPOST)
    settings.c_lflag &= ~tcflag_t(ECHO)
    tcsetattr(secondary, TCSANOW, &settings)
    let child = try ChildProcess(
      ChildProcess.builtProgram("roost"), arguments.map { Array($0.utf8) },
      environment: environment, streams: [secondary, secondary, secondary])
    close(secondary)
    defer { close(primary) }
    guard let screen = converse(primary, prompt: prompt, answer: answer) else {
      kill(child.pid, SIGKILL)
      _ = child.wait()
      throw ChildProcess.Failure.timedOut(outputSoFar: "", errorSoFar: "")
    }
    return Outcome(status: child.wait(), screen: String(decoding: screen, as: UTF8.self))
  }

  /// - Returns: Everything that was shown; `nil`: the program has hung.
  private static func converse(_ terminal: Int32, prompt: String, answer: String) -> [UInt8]? {
    var screen: [UInt8] = []
    var hasAnswered = prompt.isEmpty
    var buffer = [UInt8](repeating: 0, count: 4096)
    while true {
      var entry = pollfd(fd: terminal, events: Int16(POLLIN), revents: 0)
      guard poll(&entry, 1, Int32(ChildProcess.timeoutMillis)) > 0 else { return nil }
      let count = read(terminal, &buffer, buffer.count)
      // EIO: the program has closed the other side.
      if count <= 0 { return screen }
      screen += buffer[..<count]
      if !hasAnswered, String(decoding: screen, as: UTF8.self).contains(prompt) {
        hasAnswered = true
        _ = Array(answer.utf8).withUnsafeBytes { write(terminal, $0.baseAddress, $0.count) }
      }
    }
  }
}
