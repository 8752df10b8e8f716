import FoundationEssentials
import Glibc

/// The tokens of one data directory, on disk. Several processes may use it at once: changes hold a
/// lock, and a reader sees the file before a change or after it.
public struct TokenFile: Sendable {
  /// The name of the file in the data directory.
  public static let fileName = "tokens.json"

  /// `tokens.json` in the data directory.
  public var path: String { file.path }
  let file: PrivateFile
  private let lockPath: String

  /// What the file held, and what tells that version from a later one.
  public struct Contents: Sendable {
    /// The tokens, in the order of their creation.
    public var records: [TokenRecord]
    /// Others may read the file. It has no secrets, but names and grants.
    public var isReadableByOthers: Bool
    var stamp: FileStamp
  }

  /// The file of a data directory, which need not exist yet.
  public init(dataDirectory: String) {
    file = PrivateFile(path: dataDirectory + "/" + Self.fileName)
    lockPath = dataDirectory + "/." + Self.fileName + ".lock"
  }

  /// What is in the file; `nil` where there is none.
  public func read() throws(TokenFileError) -> Contents? {
    let contents: PrivateFile.Contents?
    do { contents = try file.read() } catch { throw .file(error) }
    guard let contents else { return nil }
    return Contents(
      records: try TokenFileFormat.decode(contents.bytes, path: path),
      isReadableByOthers: contents.isReadableByOthers, stamp: contents.stamp)
  }

  /// Changes the tokens, on disk when this returns. Waits for other processes that change them.
  /// Where `change` alters nothing, nothing is written, unless there was no file.
  /// - Throws: `TokenFileError`, and what `change` throws; then nothing has changed.
  public func update<Value>(
    _ change: (inout [TokenRecord]) throws -> Value
  ) throws -> Value {
    try update(before: { _ throws(PrivateFileError) in }, change)
  }

  func update<Value>(
    before step: (PrivateFile.WriteStep) throws(PrivateFileError) -> Void,
    _ change: (inout [TokenRecord]) throws -> Value
  ) throws -> Value {
    do {
      return try withFileLock(path: lockPath) {
        let old = try read()?.records
        var records = old ?? []
        let value = try change(&records)
        if records != old {
          if records.count > TokenFileFormat.maxTokens {
            throw TokenFileError.tooManyTokens(limit: TokenFileFormat.maxTokens)
          }
          for record in records {
            do throws(TokenRecord.Defect) {
              try record.check()
            } catch { throw TokenFileError.record(error) }
          }
          try file.replace(with: TokenFileFormat.encode(records), before: step)
        }
        return value
      }
    } catch let error as PrivateFileError {
      throw TokenFileError.file(error)
    }
  }

  /// Adds a token and returns it: it is shown once and kept nowhere.
  public func create(
    name: String, grants: [AccessGrant], expiresAtMillis: Int64 = 0,
    nowMillis: Int64 = WallClock.nowMillis()
  ) throws -> (token: String, record: TokenRecord) {
    try update { records in
      while true {
        let made: (token: String, record: TokenRecord)
        do throws(TokenRecord.Defect) {
          made = try TokenRecord.make(
            name: name, grants: grants, createdAtMillis: nowMillis,
            expiresAtMillis: expiresAtMillis)
        } catch { throw TokenFileError.record(error) }
        if records.contains(where: { $0.id == made.record.id }) { continue }
        records.append(made.record)
        return made
      }
    }
  }

  /// Removes the token with this ID.
  /// - Returns: whether there was one.
  public func revoke(id: String) throws -> Bool {
    try update { records in
      let count = records.count
      records.removeAll { $0.id == id }
      return records.count < count
    }
  }
}

/// The clock that people set.
public enum WallClock {
  /// Unix time, milliseconds.
  public static func nowMillis() -> Int64 {
    var now = timespec()
    clock_gettime(CLOCK_REALTIME, &now)
    return Int64(now.tv_sec) * 1_000 + Int64(now.tv_nsec) / 1_000_000
  }
}
