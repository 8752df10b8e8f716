import Logging
import Synchronization

/// The tokens in force in this process, as `tokens.json` had them last. Safe to use from any
/// thread; event loops ask for `generation` only, which is one load.
///
/// 1. `generation` is that of `state.table`, and goes up with each change of the file.
/// 2. A file that is damaged, missing or not to be trusted changes nothing: the last good one stays
///    in force, and the log says so once for each version of the file.
public final class TokenStore: Sendable {
  /// The version of the file that was refused last; no stamp: there was no file.
  private struct RefusedFile: Equatable { var stamp: FileStamp? }

  private struct State {
    var table: TokenTable
    var stamp: FileStamp?
    var refused: RefusedFile?
    var usage: [String: TokenUsage]
    var savedUsage: [String: Int64]
  }

  private let file: TokenFile
  private let usageFile: TokenUsageFile
  private let logger: Logger
  private let current: Atomic<UInt64>
  private let state: Mutex<State>

  /// Reads the tokens of a data directory.
  /// - Throws: `TokenFileError`; a directory without `tokens.json` has no tokens.
  public init(dataDirectory: String, logger: Logger) throws(TokenFileError) {
    file = TokenFile(dataDirectory: dataDirectory)
    usageFile = TokenUsageFile(dataDirectory: dataDirectory)
    self.logger = logger
    let contents = try file.read()
    if contents?.isReadableByOthers == true {
      logger.warning("others may read the tokens' names and grants: chmod 600 \(file.path)")
    }
    let saved = usageFile.read()
    var usage: [String: TokenUsage] = [:]
    let table = TokenTable(generation: 1, records: contents?.records ?? [], previous: nil) {
      Self.usage(of: $0, in: &usage, saved: saved)
    }
    current = Atomic(1)
    state = Mutex(
      State(
        table: table, stamp: contents?.stamp, refused: nil, usage: usage, savedUsage: saved))
  }

  /// Goes up with each change. What was verified under another generation has to be verified again.
  @inline(__always)
  var generation: UInt64 { current.load(ordering: .acquiring) }

  /// The tokens in force now.
  var table: TokenTable { state.withLock { $0.table } }

  /// How many tokens there are, expired ones too.
  public var tokenCount: Int { table.count }

  /// Takes over what has changed on disk. Touches the disk, so it is not for event loops.
  /// - Returns: whether the tokens in force are others now.
  @discardableResult
  public func reloadIfChanged() -> Bool {
    let stamp = FileStamp(path: file.path)
    let isNew = state.withLock { $0.stamp != stamp && $0.refused != RefusedFile(stamp: stamp) }
    guard isNew else { return false }
    do throws(TokenFileError) {
      guard let contents = try file.read() else {
        refuse(stamp, "tokens.json is gone; the tokens that it had stay valid until it is back")
        return false
      }
      install(contents)
      logger.info("tokens reloaded", metadata: ["tokens": "\(contents.records.count)"])
      return true
    } catch {
      refuse(stamp, "tokens.json is refused, the tokens before it stay valid: \(error)")
      return false
    }
  }

  private func refuse(_ stamp: FileStamp?, _ message: Logger.Message) {
    state.withLock { $0.refused = RefusedFile(stamp: stamp) }
    logger.error(message)
  }

  private func install(_ contents: TokenFile.Contents) {
    state.withLock { state in
      let generation = state.table.generation + 1
      var usage = state.usage
      let saved = state.savedUsage
      state.table = TokenTable(
        generation: generation, records: contents.records, previous: state.table
      ) { Self.usage(of: $0, in: &usage, saved: saved) }
      let ids = Set(contents.records.map(\.id))
      state.usage = usage.filter { ids.contains($0.key) }
      state.stamp = contents.stamp
      state.refused = nil
      current.store(generation, ordering: .releasing)
    }
  }

  private static func usage(
    of id: String, in usage: inout [String: TokenUsage], saved: [String: Int64]
  ) -> TokenUsage {
    if let known = usage[id] { return known }
    let new = TokenUsage(lastUsedAtMillis: saved[id] ?? 0)
    usage[id] = new
    return new
  }

  /// Writes down when each token was last used, where that has changed. Touches the disk.
  public func saveUsage() {
    let (used, isChanged) = state.withLock { state in
      let used = state.usage.mapValues(\.lastUsedAtMillis).filter { $0.value != 0 }
      let isChanged = used != state.savedUsage
      state.savedUsage = used
      return (used, isChanged)
    }
    guard isChanged else { return }
    do throws(PrivateFileError) {
      try usageFile.write(used)
    } catch {
      logger.warning("cannot note when tokens were used: \(error)")
    }
  }
}
