import ArgumentParser
import Glibc
import RoostServer
import RoostStore

/// What `roostd` exits with beside 0, from `sysexits.h`. Usage errors exit 64 by the parser.
enum ExitStatus {
  static let notFound = ExitCode(1)
  static let damagedData = ExitCode(65)
  static let unavailable = ExitCode(69)
  static let inputOutput = ExitCode(74)
  static let noPermission = ExitCode(77)
  static let configuration = ExitCode(ConfigurationError.exitCode)
}

/// Says on standard error why there is nothing more to do.
/// - Returns: what to throw.
func failure(_ status: ExitCode, _ message: String) -> ExitCode {
  say("roostd: \(message)")
  return status
}

/// Writes one line to standard error, waiting for as long as it takes.
func say(_ line: String) {
  // Nobody is left to be told where standard error cannot be written.
  try? writeAll(line + "\n", to: STDERR_FILENO)
}

/// Writes text to standard output, waiting for as long as it takes.
/// - Parameter consequence: what else there is to say where it cannot be written.
/// - Throws: `ExitStatus.inputOutput`, having said why.
func answer(_ text: String, otherwise consequence: String? = nil) throws {
  do {
    try writeAll(text + "\n", to: STDOUT_FILENO)
  } catch {
    let reason = "standard output cannot be written: \(String(cString: strerror(error.number)))"
    throw failure(
      ExitStatus.inputOutput, consequence.map { "\(reason)\nroostd: \($0)" } ?? reason)
  }
}

private struct WriteError: Error {
  let number: Int32
}

private func writeAll(_ text: String, to descriptor: Int32) throws(WriteError) {
  var rest = Array(text.utf8)[...]
  while !rest.isEmpty {
    let count = rest.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
    if count < 0, errno != EINTR { throw WriteError(number: errno) }
    rest = rest.dropFirst(max(0, count))
  }
}

/// Runs what works on the data directory; its errors become a message and an exit code.
func reporting<Value>(_ body: () throws -> Value) throws -> Value {
  do {
    return try body()
  } catch let error as ConfigurationError {
    throw failure(ExitStatus.configuration, error.description)
  } catch let error as TokenFileError {
    throw failure(exitStatus(of: error), error.description)
  } catch let error as PrivateFileError {
    throw failure(exitStatus(of: .file(error)), error.description)
  }
}

/// What the program ends with where the data cannot be opened.
func exitStatus(of error: LogError) -> ExitCode {
  switch error {
  case .system(_, _, errno: EACCES), .system(_, _, errno: EPERM): ExitStatus.noPermission
  case .system: ExitStatus.inputOutput
  case .damaged, .newerFormat, .unknownRecord, .missingSegment, .foreignFile:
    ExitStatus.damagedData
  case .inUse, .notPossible: ExitStatus.unavailable
  }
}

private func exitStatus(of error: TokenFileError) -> ExitCode {
  switch error {
  case .file(.system(_, _, errno: EACCES)), .file(.system(_, _, errno: EPERM)),
    .file(.writableByOthers), .file(.foreignOwner):
    ExitStatus.noPermission
  case .file(.system): ExitStatus.inputOutput
  case .file(.tooLarge), .file(.notAFile), .damaged, .newerFormat: ExitStatus.damagedData
  case .tooManyTokens, .record: ExitCode.validationFailure
  }
}
