import Glibc

/// Why a file of the data directory could not be used.
public enum PrivateFileError: Error, Sendable, Hashable {
  /// The system refused: what was tried, on which file, and `errno`.
  case system(operation: String, path: String, errno: Int32)
  /// The file is larger than it can sensibly be.
  case tooLarge(path: String, limitBytes: Int)
  /// Others than the owner may write the file, so its contents prove nothing.
  case writableByOthers(path: String, mode: UInt32)
  /// The file belongs to a user who is neither this one, nor root, nor the directory's owner.
  case foreignOwner(path: String, owner: UInt32)
  /// Not a plain file: a link, a directory, a device.
  case notAFile(path: String)
}

extension PrivateFileError: CustomStringConvertible {
  /// What is wrong and what to do.
  public var description: String {
    switch self {
    case .system(let operation, let path, let code):
      "\(operation) \(path): \(String(cString: strerror(code)))"
    case .tooLarge(let path, let limit): "\(path) is larger than \(limit) bytes"
    case .writableByOthers(let path, let mode):
      "\(path) has mode \(String(mode, radix: 8)), so others may write it: chmod 600 \(path)"
    case .foreignOwner(let path, let owner):
      "\(path) belongs to user \(owner), who is neither this user, root nor the directory's owner"
    case .notAFile(let path): "\(path) is not a plain file"
    }
  }
}

/// What tells one version of a file from another without reading it. Every atomic write makes a new
/// inode.
struct FileStamp: Sendable, Hashable {
  var inode: UInt64
  var sizeBytes: Int64
  var modifiedSeconds: Int
  var modifiedNanos: Int
  var changedSeconds: Int
  var changedNanos: Int

  init(_ status: stat) {
    inode = UInt64(status.st_ino)
    sizeBytes = Int64(status.st_size)
    modifiedSeconds = status.st_mtim.tv_sec
    modifiedNanos = status.st_mtim.tv_nsec
    changedSeconds = status.st_ctim.tv_sec
    changedNanos = status.st_ctim.tv_nsec
  }

  /// The stamp of the file at `path`; `nil` where there is none or it cannot be asked for.
  init?(path: String) {
    var status = stat()
    guard lstat(path, &status) == 0 else { return nil }
    self.init(status)
  }
}

/// A small file that only its owner may write, replaced as a whole and never changed in place.
struct PrivateFile: Sendable {
  /// The mode of every file that is written here.
  static let mode: mode_t = 0o600

  let path: String
  let maxBytes: Int

  /// Steps of a write, in order; a test fails one of them.
  enum WriteStep: CaseIterable { case create, write, sync, rename, syncDirectory }

  struct Contents {
    var bytes: [UInt8]
    var stamp: FileStamp
    /// Others may read the file.
    var isReadableByOthers: Bool
  }

  init(path: String, maxBytes: Int = 16 << 20) {
    self.path = path
    self.maxBytes = maxBytes
  }

  private var directory: String { directoryPath(of: path) }

  /// The temporary file of a write. There is one for each file, since writers hold a lock.
  var temporaryPath: String { path + ".tmp" }

  /// The file's contents; `nil` where there is no such file.
  /// - Throws: also where its owner or mode would let another user decide what is in it.
  func read() throws(PrivateFileError) -> Contents? {
    let file = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
    if file < 0 {
      if errno == ENOENT { return nil }
      if errno == ELOOP { throw .notAFile(path: path) }
      throw failure("cannot open", path)
    }
    defer { close(file) }
    var status = stat()
    guard fstat(file, &status) == 0 else { throw failure("cannot examine", path) }
    try check(status)
    return Contents(
      bytes: try readAll(file), stamp: FileStamp(status),
      isReadableByOthers: status.st_mode & 0o044 != 0)
  }

  private func check(_ status: stat) throws(PrivateFileError) {
    guard status.st_mode & S_IFMT == S_IFREG else { throw .notAFile(path: path) }
    if status.st_mode & 0o022 != 0 {
      throw .writableByOthers(path: path, mode: status.st_mode & 0o7777)
    }
    let user = geteuid()
    if status.st_uid != user && status.st_uid != 0 && status.st_uid != directoryOwner(of: path) {
      throw .foreignOwner(path: path, owner: status.st_uid)
    }
    if status.st_size > maxBytes { throw .tooLarge(path: path, limitBytes: maxBytes) }
  }

  private func readAll(_ file: Int32) throws(PrivateFileError) -> [UInt8] {
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 64 << 10)
    while true {
      let count = Glibc.read(file, &chunk, chunk.count)
      if count < 0 {
        if errno == EINTR { continue }
        throw failure("cannot read", path)
      }
      if count == 0 { return bytes }
      bytes.append(contentsOf: chunk[..<count])
      if bytes.count > maxBytes { throw .tooLarge(path: path, limitBytes: maxBytes) }
    }
  }

  /// Replaces the file: a new one is written and synced beside it, renamed over it, and the
  /// directory is synced. Whatever fails, and wherever the process is killed, the file is the old
  /// one or the new one. Writers have to hold a lock of their own.
  func replace(
    with bytes: [UInt8], before step: (WriteStep) throws(PrivateFileError) -> Void = { _ in }
  ) throws(PrivateFileError) {
    try step(.create)
    unlink(temporaryPath)  // what a killed writer left
    let file = open(
      temporaryPath, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, Self.mode)
    guard file >= 0 else { throw failure("cannot create", temporaryPath) }
    var isOpen = true
    do throws(PrivateFileError) {
      // The mode of `open` passes the umask, and root writes for the directory's owner.
      guard fchmod(file, Self.mode) == 0 else { throw failure("cannot chmod", temporaryPath) }
      guard giveToDirectoryOwner(file, of: path) else {
        throw failure("cannot chown", temporaryPath)
      }
      try step(.write)
      try writeAll(file, bytes)
      try step(.sync)
      guard fsync(file) == 0 else { throw failure("cannot sync", temporaryPath) }
      isOpen = false
      guard close(file) == 0 else { throw failure("cannot close", temporaryPath) }
      try step(.rename)
      guard rename(temporaryPath, path) == 0 else { throw failure("cannot replace", path) }
    } catch {
      if isOpen { close(file) }
      unlink(temporaryPath)
      throw error
    }
    try step(.syncDirectory)
    try syncDirectory()
  }

  private func writeAll(_ file: Int32, _ bytes: [UInt8]) throws(PrivateFileError) {
    var offset = 0
    while offset < bytes.count {
      let count = bytes.withUnsafeBytes {
        Glibc.write(file, $0.baseAddress! + offset, bytes.count - offset)
      }
      if count < 0 {
        if errno == EINTR { continue }
        throw failure("cannot write", temporaryPath)
      }
      offset += count
    }
  }

  private func syncDirectory() throws(PrivateFileError) {
    let file = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard file >= 0 else { throw failure("cannot open", directory) }
    defer { close(file) }
    guard fsync(file) == 0 else { throw failure("cannot sync", directory) }
  }
}

/// Runs `body` while this process alone holds the lock file at `path`, waiting for it as long as
/// it takes. The lock goes with the process.
func withFileLock<Value>(
  path: String, _ body: () throws -> Value
) throws -> Value {
  let file = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, PrivateFile.mode)
  guard file >= 0 else { throw failure("cannot open", path) }
  defer { close(file) }
  guard giveToDirectoryOwner(file, of: path) else { throw failure("cannot chown", path) }
  while flock(file, LOCK_EX) != 0 {
    if errno != EINTR { throw failure("cannot lock", path) }
  }
  return try body()
}

/// The directory that a path is in.
private func directoryPath(of path: String) -> String {
  guard let slash = path.lastIndex(of: "/") else { return "." }
  return slash == path.startIndex ? "/" : String(path[..<slash])
}

private func directoryOwner(of path: String) -> uid_t? {
  var status = stat()
  return stat(directoryPath(of: path), &status) == 0 ? status.st_uid : nil
}

/// What root makes in the directory of another user is that user's: the server has to read it.
/// - Returns: whether that worked or was not needed; else `errno` says why not.
private func giveToDirectoryOwner(_ file: Int32, of path: String) -> Bool {
  guard geteuid() == 0, let owner = directoryOwner(of: path), owner != 0 else { return true }
  return fchown(file, owner, gid_t.max) == 0
}

/// `errno`, as an error about `path`. To be called before anything else changes `errno`.
private func failure(_ operation: String, _ path: String) -> PrivateFileError {
  .system(operation: operation, path: path, errno: errno)
}
