/// The program's arguments as the bytes that they are. Swift's own list of them replaces what is
/// not UTF-8, and a key must never be changed on its way.
enum CommandLineBytes {
  /// Without the program's name; fails on an argument that is not UTF-8.
  static func arguments() -> Result<[String], UsageError> {
    var arguments: [String] = []
    for index in 1..<max(1, Int(CommandLine.argc)) {
      guard let pointer = CommandLine.unsafeArgv[index] else { break }
      guard let argument = String(validatingCString: pointer) else {
        return .failure(
          UsageError(
            "argument \(index) is not valid UTF-8: write it in hexadecimal with --hex, "
              + "or give it on standard input as '-'"))
      }
      arguments.append(argument)
    }
    return .success(arguments)
  }
}
