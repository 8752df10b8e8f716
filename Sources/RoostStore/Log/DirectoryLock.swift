#if canImport(Glibc)
  import Glibc
#endif

/// Keeps a second server from a directory. Held until the end of its life, or of the process.
final class DirectoryLock: Sendable {
  private static let name = "lock"
  private let descriptor: Int32

  /// - Parameter creates: whether the lock's file is made where there is none; else a directory
  ///   without one counts as not in use.
  init(_ folder: borrowing DataFolder, creates: Bool = true) throws(LogError) {
    let flags = creates ? O_RDWR | O_CREAT | O_CLOEXEC : O_RDONLY | O_CLOEXEC
    descriptor = openat(folder.descriptor, Self.name, flags, 0o600)
    if descriptor < 0, errno == ENOENT, !creates { return }
    guard descriptor >= 0 else {
      throw .system(operation: "open", file: Self.name, errno: errno)
    }
    guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
      let code = errno
      Glibc.close(descriptor)
      if code == EWOULDBLOCK { throw .inUse(directory: folder.path) }
      throw .system(operation: "lock", file: Self.name, errno: code)
    }
  }

  deinit { if descriptor >= 0 { Glibc.close(descriptor) } }
}
