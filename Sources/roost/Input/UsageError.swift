/// What the person who typed the command can mend: a bad argument, a bad variable of the
/// environment, a bad line of a transaction. The command ends with `ExitStatus.usage`.
///
/// The message says what was wrong, with the offending text, and what to write instead.
struct UsageError: Error, Equatable, CustomStringConvertible {
  let message: String

  init(_ message: String) { self.message = message }

  var description: String { message }
}
