import ArgumentParser
import Testing

@testable import roost

@Suite("Arguments")
struct ArgumentOrderTests {
  @Test("Arguments without a negative number stay as they are")
  func leavesOthers() {
    for line in ["get key -o json", "set k -", "set k -- -5", "", "--help", "set k v --ttl 5s"] {
      let words = line.split(separator: " ").map(String.init)
      #expect(ArgumentOrder.normalized(words) == words)
    }
  }

  @Test(
    "A negative number becomes a plain argument, and options keep their values",
    arguments: [
      ("range list 0 -1", "range -- list 0 -1"),
      ("range list -3 -1 -o json", "range -o json -- list -3 -1"),
      ("incr stock -5 --initial -7 --hex", "incr --initial -7 --hex -- stock -5"),
      ("-o json incr stock -5", "incr -o json -- stock -5"),
      ("set t -0.5 --type=double -- x", "set --type=double -- t -0.5 x"),
    ])
  func movesNegativeNumbers(line: String, expected: String) {
    let words = line.split(separator: " ").map(String.init)
    #expect(ArgumentOrder.normalized(words).joined(separator: " ") == expected)
  }

  @Test("Only a dash and a number is a negative number")
  func tellsNumbers() {
    #expect(["-1", "-0.5", "-1e9", "-.5"].allSatisfy(ArgumentOrder.isNegativeNumber))
    #expect(
      !["-", "-o", "-0", "--1", "1", "-1x", "-inf", "-nan", ""].contains(
        where: ArgumentOrder.isNegativeNumber))
  }

  @Test("The options that take a value are those that the commands declare")
  func knowsValueOptions() throws {
    var declared: Set<String> = []
    var flags: Set<String> = []
    for subcommand in RoostCommand.configuration.subcommands + RoostCommand.grouped {
      let script = subcommand.helpMessage(columns: 400)
      for line in script.split(separator: "\n") where line.hasPrefix("  -") {
        let head = line.split(separator: "  ", omittingEmptySubsequences: true)[0]
        guard head.contains("<") else {
          flags.formUnion(
            head.split(whereSeparator: { $0 == "," || $0 == " " || $0 == "/" }).map(String.init))
          continue
        }
        for word in head.split(whereSeparator: { $0 == "," || $0 == " " || $0 == "/" })
        where word.hasPrefix("-") {
          declared.insert(String(word))
        }
      }
    }
    #expect(declared.subtracting(ArgumentOrder.valueOptions) == [])
    let builtIn: Set = ["--generate-completion-script"]
    #expect(ArgumentOrder.valueOptions.subtracting(declared).subtracting(builtIn) == [])
    #expect(flags.union(["--version"]) == ArgumentOrder.flags)
  }

  @Test(
    "A word with a dash that is no option is pointed out",
    arguments: [
      ("get -key", "-key"), ("set k -x", "-x"), ("set k --value", "--value"),
      ("push l -a --front", "-a"), ("mget a -b", "-b"), ("get k --bogus=1", "--bogus=1"),
      ("get", nil), ("set k v --ttl -x", nil), ("set k --file=-x --hex", nil),
      ("set k -- -x", nil), ("incr k -5 -0 -o json", nil), ("get a -", nil),
    ] as [(String, String?)])
  func hints(line: String, word: String?) {
    let hint = ArgumentOrder.hint(line.split(separator: " ").map(String.init))
    #expect((hint == nil) == (word == nil), "\(String(describing: hint))")
    if let word { #expect(hint?.contains("needs -- in front of it: roost get -- \(word)") == true) }
  }

  @Test("Negative numbers reach the commands")
  func parsesNegativeNumbers() throws {
    let range = try parse(ListRangeCommand.self, "range list -3 -1 -o json")
    #expect(range.start == -3 && range.stop == -1 && range.options.output == .json)
    let increment = try parse(IncrementCommand.self, "incr stock -9223372036854775808")
    #expect(increment.delta == .min)
    #expect(try parse(IncrementCommand.self, "incr stock -5 --initial -7").initial == -7)
    #expect(try parse(PopCommand.self, "pop list 3 -0").separator.null)
    #expect(try parse(SetCommand.self, "set k -5").write.value == "-5")
  }

  @Test("Global options stand before or after the command")
  func parsesGlobalOptions() throws {
    for line in ["-o json --hex get ff", "get ff -o json --hex", "--hex get -o json ff"] {
      let get = try parse(GetCommand.self, line)
      #expect(get.key == "ff" && get.options.output == .json && get.options.hex)
    }
  }

  @Test(
    "A command line that makes no sense is refused",
    arguments: [
      "nope", "get", "get a b", "set k", "set k v --file f", "set k v --ttl 5", "set k v --ttl 0s",
      "set k v --if-absent --if-exists", "set k v --if-revision 0", "set k v --type list",
      "set k v --ttl 1s --keep-ttl", "update k v --if-absent", "del", "del k --prefix p",
      "del a b --if-revision 3", "del a --if-absent", "incr k x", "incr k 9223372036854775808",
      "touch k", "touch k --ttl x", "push k", "push k a --lines", "push k a --max-length -1",
      "pop k 0", "pop k 1001", "pop k x", "scan --match a --regex b", "scan --prefix a --start b",
      "scan --limit -1", "scan extra", "txn", "txn a --file f", "ping -n 0", "completions tcsh",
      "get k -o yaml", "get k --nope", "get k --timeout", "set k v --durability disk", "mget",
      "export file", "import a b", "import --rate 0", "import --rate x", "import --prefix p",
    ])
  func refuses(line: String) {
    #expect(throws: (any Error).self) {
      try RoostCommand.parseAsRoot(
        ArgumentOrder.normalized(line.split(separator: " ").map(String.init)))
    }
  }

  @Test("Each command explains itself with examples")
  func hasHelp() {
    for command in RoostCommand.grouped {
      let help = RoostCommand.helpMessage(for: command, columns: 100)
      #expect(help.contains("EXAMPLES:"), "\(command)")
      #expect(help.contains("USAGE: roost "), "\(command)")
    }
  }

  private func parse<Command: ParsableCommand>(
    _ type: Command.Type, _ line: String
  ) throws -> Command {
    let words = line.split(separator: " ").map(String.init)
    return try #require(
      try RoostCommand.parseAsRoot(ArgumentOrder.normalized(words)) as? Command)
  }
}

extension RoostCommand {
  /// All commands.
  static var grouped: [any ParsableCommand.Type] {
    configuration.groupedSubcommands.flatMap(\.subcommands)
  }
}
