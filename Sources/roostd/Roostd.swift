import ArgumentParser
import Glibc
import RoostServer

/// The server's program.
@main
struct Roostd: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "roostd",
    abstract: "The Roost key-value server.",
    discussion: """
      Every flag of serve is also ROOST_<FLAG> in the environment and a key of
      the JSON file of --config. A flag wins over the environment, and that
      over the file.

      Examples:
        roostd
        roostd --listen tcp://0.0.0.0:7667 --data-dir /var/lib/roost
        roostd --listen unix:///run/roost.sock --auth off
        ROOST_THREADS=2 roostd --config roost.json

      Exit codes: 0 stopped by SIGTERM or SIGINT; 64 usage; 65 damaged data;
      69 cannot listen; 74 the disk fails; 77 no permission; 78 configuration.
      """,
    version: RoostVersion.current,
    subcommands: [Serve.self, Token.self, Check.self, Repair.self, Restore.self],
    defaultSubcommand: Serve.self)

  static func main() async {
    StandardStreams.fillGaps()
    // A peer, or a reader of the output, that has gone is an error of one write, not the end.
    signal(SIGPIPE, SIG_IGN)
    await main(nil)
  }
}
