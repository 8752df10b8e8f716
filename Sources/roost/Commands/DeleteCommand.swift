import ArgumentParser
import RoostAPI

/// `roost del`
struct DeleteCommand: StoreCommand {
  static let configuration = CommandConfiguration(
    commandName: "del",
    abstract: "Deletes keys, or all keys that begin with a prefix.",
    usage: """
      roost del <key> ... [--if-revision <revision>] [options]
      roost del --prefix <text> [--yes] [options]
      """,
    discussion: """
      Off a terminal it prints how many keys it deleted. Exit status 1 where one of the keys \
      was not there. --prefix shows the number of keys and asks; where nobody can be asked, \
      it needs --yes. More keys than the server deletes at once go in several steps.

      EXAMPLES:
        roost del greeting
        roost del user:1 user:2
        roost del page --if-revision 1763712345678901
        roost del --prefix session: --yes
        roost del order:7 --idempotency-key cancel-7
      """)

  @Argument(help: "The keys.")
  var keys: [String] = []

  @Option(help: ArgumentHelp("Delete every key that begins with this.", valueName: "text"))
  var prefix: String?

  @Flag(name: [.short, .long], help: "Do not ask.")
  var yes = false

  @Option(help: ArgumentHelp("Only where the entry is at this revision.", valueName: "revision"))
  var ifRevision: Int64?

  @OptionGroup var durability: DurabilityOptions
  @OptionGroup(title: "Global options") var options: GlobalOptions

  func validate() throws {
    if keys.isEmpty == (prefix == nil) {
      throw ValidationError("name the keys to delete, or a --prefix, and not both")
    }
    if let ifRevision, ifRevision < 1 || keys.count != 1 {
      throw ValidationError(
        "--if-revision: " + (ifRevision < 1 ? "a revision is at least 1" : "it is about one key"))
    }
    try checkIdempotencyKey()
  }

  private func checkIdempotencyKey() throws {
    if durability.idempotencyKey != nil, keys.count > 1 {
      throw ValidationError("--idempotency-key: it is about one call, so name one key")
    }
  }

  func execute(_ context: CommandContext) async throws -> ExitStatus {
    if let prefix {
      let range = RangeDeletion(
        range: KeyRange(prefix: try context.arguments.bytes(prefix)), isConfirmed: yes,
        writeOptions: durability.writeOptions)
      return try await range.execute(context)
    }
    var deleted: Int64 = 0
    var revision: Int64 = 0
    let arguments = context.arguments
    for request in try keys.map({ try request($0, arguments) }) {
      let response: DeleteResponse
      do {
        response = try await context.kv.delete(request, options: context.callOptions)
      } catch {
        if deleted > 0 { context.note("\(deleted) keys were deleted before it failed\n") }
        throw error
      }
      if response.deleted { deleted += 1 } else { context.noteMissing(request.key) }
      revision = max(revision, response.revision)
    }
    try context.write(Self.record(deleted: deleted, revision: revision))
    return deleted == keys.count ? .success : .notFound
  }

  func request(_ key: String, _ arguments: ArgumentReader) throws -> DeleteRequest {
    DeleteRequest(
      key: try arguments.key(key), condition: ifRevision.map { Condition(kind: .revision($0)) },
      options: durability.writeOptions)
  }

  /// - Parameter revision: Of the last deletion; 0: nothing was deleted.
  static func record(deleted: Int64, revision: Int64) -> Record {
    Record(plain: String(deleted), sentence: "deleted \(deleted)")
      .with("deleted", .integer(deleted))
      .with("revision", revision == 0 ? .null : .integer(revision))
  }
}
