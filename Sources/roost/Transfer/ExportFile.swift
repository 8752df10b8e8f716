import Glibc

/// Where an export goes: standard output, or a file that has its name only once it is whole and on
/// stable storage. Until then it is `<path>.tmp` beside it.
///
/// A path that leads to a device or a pipe is written in place: it must not be replaced.
struct ExportFile {
  /// A store's values are nobody else's: read and write for the owner.
  private static let mode: mode_t = 0o600

  /// Both `nil` where there is no file to rename.
  private let path: String?
  private let temporaryPath: String?
  private let descriptor: Int32
  private var sink: ByteSink
  private(set) var byteCount: Int64 = 0

  /// - Parameter path: `nil`, or `-`: standard output.
  init(path: String?) throws(CommandFailure) {
    guard let path, path != "-" else {
      self.path = nil
      temporaryPath = nil
      descriptor = STDOUT_FILENO
      sink = ByteSink(descriptor: STDOUT_FILENO)
      return
    }
    var status = stat()
    let exists = stat(path, &status) == 0
    if exists, status.st_mode & S_IFMT == S_IFDIR {
      throw CommandFailure(.usage, "'\(path)' is a directory: name a file in it")
    }
    let isPlain = !exists || status.st_mode & S_IFMT == S_IFREG
    // A rename would replace a symbolic link, not the file that it leads to.
    let target = exists && isPlain ? Self.resolved(path) : path
    self.path = isPlain ? target : nil
    temporaryPath = isPlain ? target + ".tmp" : nil
    let opened = temporaryPath ?? target
    let flags = O_WRONLY | O_CLOEXEC | (isPlain ? O_CREAT | O_TRUNC | O_NOFOLLOW : 0)
    descriptor = open(opened, flags, Self.mode)
    guard descriptor >= 0 else {
      throw CommandFailure(.other, "'\(opened)' cannot be written: \(SystemText.error(errno))")
    }
    sink = ByteSink(descriptor: descriptor, name: "'\(opened)'")
  }

  mutating func write(_ bytes: [UInt8]) throws {
    byteCount += Int64(bytes.count)
    try sink.write(bytes)
  }

  mutating func flush() throws { try sink.flush() }

  /// Writes the rest out, and gives the file its name.
  mutating func commit() throws {
    try sink.flush()
    guard let path, let temporaryPath else { return }
    guard fsync(descriptor) == 0 else { throw failure("cannot be synced", temporaryPath) }
    guard rename(temporaryPath, path) == 0 else {
      throw failure("cannot be renamed", temporaryPath)
    }
    let directory = open(Self.directory(of: path), O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard directory >= 0 else { throw failure("has a directory that cannot be synced", path) }
    defer { close(directory) }
    guard fsync(directory) == 0 else {
      throw failure("has a directory that cannot be synced", path)
    }
  }

  /// Removes what was written of a file that will not be whole.
  func abandon() {
    if let temporaryPath { unlink(temporaryPath) }
  }

  private func failure(_ what: String, _ path: String) -> CommandFailure {
    CommandFailure(.other, "'\(path)' \(what): \(SystemText.error(errno))")
  }

  private static func resolved(_ path: String) -> String {
    guard let real = realpath(path, nil) else { return path }
    defer { free(real) }
    return String(cString: real)
  }

  private static func directory(of path: String) -> String {
    guard let slash = path.lastIndex(of: "/") else { return "." }
    return slash == path.startIndex ? "/" : String(path[..<slash])
  }
}
