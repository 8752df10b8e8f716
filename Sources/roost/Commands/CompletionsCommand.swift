import ArgumentParser

/// `roost completions`
struct CompletionsCommand: StoreCommand {
  /// The shells that there are completions for.
  enum Shell: String, CaseIterable, ExpressibleByArgument {
    case bash, zsh, fish
  }

  static let configuration = CommandConfiguration(
    commandName: "completions",
    abstract: "Prints the completion script of a shell.",
    usage: "roost completions (bash | zsh | fish)",
    discussion: """
      EXAMPLES:
        roost completions bash > ~/.local/share/bash-completion/completions/roost
        roost completions zsh > "${fpath[1]}/_roost"
        roost completions fish > ~/.config/fish/completions/roost.fish
      """)

  @Argument(help: "The shell.")
  var shell: Shell

  @OptionGroup(title: "Global options") var options: GlobalOptions

  func execute(_ context: CommandContext) async throws -> ExitStatus {
    let parserShell: CompletionShell =
      switch shell {
      case .bash: .bash
      case .zsh: .zsh
      case .fish: .fish
      }
    try context.output.write(RoostCommand.completionScript(for: parserShell) + "\n")
    return .success
  }
}
