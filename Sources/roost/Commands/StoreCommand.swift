import ArgumentParser

/// A command of `roost`. `execute` gets everything it works with in the context; the root
/// command turns what it throws into an exit status.
protocol StoreCommand: ParsableCommand {
  var options: GlobalOptions { get }
  /// - Returns: `success`, or `notFound` where that has been said already.
  func execute(_ context: CommandContext) async throws -> ExitStatus
}
